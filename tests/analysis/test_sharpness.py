"""Of copies with as many pixels the sharpest is kept, of those about as sharp the largest file."""

from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image, ImageFilter

from penult.analysis import sharpness
from penult.analysis.sharpness import Contrast
from penult.extraction.backlog import look
from penult.images import ImageFile


@pytest.fixture
def copies(make_table, photos, tmp_path):
    """A table of a photo, saved thrice: as it is, compressed more, and out of focus but larger."""
    with Image.open(photos / "castle_bavaria.jpg") as photo:
        photo.save(tmp_path / "focused.jpg", quality=80)
        photo.save(tmp_path / "again.jpg", quality=70)
        photo.filter(ImageFilter.GaussianBlur(1.5)).save(tmp_path / "blurred.png")
    names = ("again.jpg", "blurred.png", "focused.jpg")
    facts = {key: asdict(look(ImageFile(key, str(tmp_path / key))).file) for key in names}
    assert facts["again.jpg"]["bytes"] < facts["focused.jpg"]["bytes"]
    assert facts["focused.jpg"]["bytes"] < facts["blurred.png"]["bytes"]

    def table(**more):
        every = {key: facts[key] | more.get(key[:5], {}) for key in names}
        return make_table({key: [1, 0.01 * i] for i, key in enumerate(names)}, facts=every)

    return table


def kept(features, **options):
    (group,) = features.duplicates(**options).groups
    assert len(group.drop) == 2
    return group.keep.key


def test_a_sharp_copy_is_kept_rather_than_a_larger_file(copies):
    assert kept(copies()) == "focused.jpg"


def test_without_pixels_no_file_is_read(copies):
    assert kept(copies(), pixels=False) == "blurred.png"


def test_pixels_come_before_sharpness(copies):
    assert kept(copies(blurr={"width": 5000, "height": 5000})) == "blurred.png"


def test_a_file_that_has_changed_is_not_the_sharpest(copies):
    assert kept(copies(focus={"mtime_ns": 1})) == "again.jpg"


def test_where_no_file_can_be_read_the_largest_is_kept(copies):
    gone = {"mtime_ns": 1}
    assert kept(copies(focus=gone, again=gone, blurr=gone)) == "blurred.png"


def test_copies_of_a_file_are_not_read_for_it(copies, monkeypatch):
    monkeypatch.setattr(sharpness, "Reader", None)
    same = {"bytes": 1000}
    assert kept(copies(focus=same, again=same, blurr=same)) == "again.jpg"


def test_contrast_is_that_of_the_whole_image_however_it_is_cut(monkeypatch):
    grey = np.random.default_rng(0).integers(0, 256, (50, 30), np.uint8)
    rgb = np.repeat(grey[:, :, None], 3, axis=2)
    squares = [np.square(np.diff(grey.astype(float), axis=axis)).sum() for axis in (0, 1)]
    for rows in (1, 7, 50, 256):
        monkeypatch.setattr(sharpness, "_ROWS", rows)
        assert Contrast()(rgb).item() == pytest.approx(sum(squares) / grey.size, rel=1e-6)
