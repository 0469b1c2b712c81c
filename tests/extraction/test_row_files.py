"""A touched file is still its row's wherever that is asked, if the row knows the content."""

import os
from contextlib import closing

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import penult
from penult.analysis import filing
from penult.analysis.reader import Reader
from penult.errors import ImageError, SourceError
from penult.extraction import row_files
from penult.extraction.row_files import RowFile, files_of, same_images
from penult.images import ImageFile
from penult.images.thumbnails import Fitted
from penult.viewer.content import Content

from ..means import Means

NAMES = ["changed.bmp", "gone.bmp", "same.bmp", "touched.bmp"]
STATES = ["changed", "gone", "same", "same"]


def paint(path, level):
    Image.new("RGB", (16, 16), (level, 0, 0)).save(path)  # files of one size


@pytest.fixture
def extracted(tmp_path):
    """Extract four files, and then let become of each what its name says."""

    def extract(**options):
        folder = tmp_path / "in"
        folder.mkdir()
        for name in NAMES:
            paint(folder / name, 10)
        features = penult.extract(folder, Means(), out=tmp_path / "t.lance", **options)
        paint(folder / "changed.bmp", 20)
        (folder / "gone.bmp").unlink()
        for name in ("changed.bmp", "touched.bmp"):
            os.utime(folder / name, ns=(1, 1))
        return features

    return extract


@pytest.fixture
def features(extracted):
    return extracted(checksum=True)


def states(features):
    return [file.state() for file in files_of(features, features.keys)]


def test_content_tells_a_touched_file_from_a_changed_one(features):
    assert states(features) == STATES


def test_without_a_digest_a_touched_file_counts_as_changed(extracted):
    assert states(extracted()) == [*STATES[:3], "changed"]


def test_the_viewer_shows_a_touched_file_but_no_changed_one(features):
    shown = []
    with closing(Content(features)) as content:
        for row, name in enumerate(NAMES):
            try:
                content.thumbnail(content.edition, row)
                shown.append(name)
            except ImageError as error:
                shown.append(error.code)
    assert shown == ["changed", "unreadable", "same.bmp", "touched.bmp"]


def test_an_export_carries_a_touched_file_but_no_changed_one(features, tmp_path):
    out = features.export(tmp_path / "a.parquet", program="atlas")
    images = pq.read_table(out)["image"].to_pylist()
    assert [image is not None for image in images] == [False, False, True, True]


def test_a_sheet_of_pictures_has_a_touched_file_but_no_changed_one(features, tmp_path):
    out = features.export(tmp_path / "board", program="tensorboard")
    with Image.open(out / "sprite.png") as sheet:
        side = sheet.width // 2
        places = [(0, 0), (side, 0), (0, side), (side, side)]
        assert [sheet.getpixel(place)[0] > 0 for place in places] == [False, False, True, True]


def test_pixels_of_a_touched_file_are_compared_but_of_no_changed_one(features):
    with closing(Reader(features, Fitted(8), "exact")) as reader:
        assert [place for place, _ in reader.read(np.arange(4))] == [2, 3]


def test_a_touched_file_is_an_exact_duplicate_but_no_changed_one(features):
    (group,) = features.duplicates(pixels=False).groups
    exact = {image.key: image.exact for image in (group.keep, *group.drop)}
    assert group.keep.key == "changed.bmp"
    assert not any(exact.values())
    for name in ("changed.bmp", "gone.bmp"):
        path = next(image.path for image in (group.keep, *group.drop) if image.key == name)
        paint(path, 10)
        os.utime(path, ns=(2, 2))
    (group,) = features.duplicates(pixels=False).groups
    assert all(image.exact for image in group.drop)


def test_a_touched_file_is_moved_but_no_changed_one(features, tmp_path):
    found = features.duplicates(pixels=False)
    with pytest.raises(SourceError, match=r"changed\.bmp' has changed since"):
        filing.move(found, tmp_path / "out", root=tmp_path, features_alone=True)
    for name in ("changed.bmp", "gone.bmp"):
        paint(tmp_path / "in" / name, 10)
    assert filing.move(found, tmp_path / "out", root=tmp_path, features_alone=True) == 3


def test_content_is_read_only_if_size_and_time_leave_a_doubt(tmp_path, monkeypatch):
    paint(tmp_path / "a.bmp", 10)
    image = ImageFile("a", str(tmp_path / "a.bmp"))
    (size, mtime), digest = image.version(), image.digest()
    monkeypatch.setattr(ImageFile, "digest", None)
    assert RowFile(image.path, size, mtime, digest).state() == "same"
    assert RowFile(image.path, size + 1, mtime, digest).state() == "changed"
    assert RowFile(image.path, size, mtime + 1).state() == "changed"
    with pytest.raises(TypeError):
        RowFile(image.path, size, mtime + 1, digest).state()


def test_the_content_of_a_touched_file_is_read_once(features, monkeypatch):
    (file,) = files_of(features, ["touched.bmp"])
    read = []
    digest = ImageFile.digest
    monkeypatch.setattr(ImageFile, "digest", lambda image: read.append(image) or digest(image))
    row_files._digest.cache_clear()
    assert [file.state(), file.state(), file.digest()] == ["same", "same", file.sha256]
    assert len(read) == 1
    os.utime(file.path, ns=(3, 3))
    assert file.state() == "same"
    assert len(read) == 2


def test_a_file_without_bytes_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "endless").touch()
    monkeypatch.setattr(ImageFile, "digest", None)
    assert RowFile(str(tmp_path / "endless"), 0, 1, "0" * 64).state() == "changed"


def test_no_pipe_is_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert RowFile(str(tmp_path / "pipe"), 0, 1, "0" * 64).state() == "changed"
    assert ImageFile("", str(tmp_path / "pipe")).digest() is None


@pytest.mark.parametrize(
    ("path", "state"), [("", "gone"), ("a\0b", "changed"), ("file/below", "gone")]
)
def test_a_path_that_leads_nowhere(tmp_path, monkeypatch, path, state):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert RowFile(path, 0, 0).state() == state


def test_a_row_without_a_path_has_no_file(tmp_path):
    assert same_images([RowFile("", 0, 0)]) == [None]
