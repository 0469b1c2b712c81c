"""`duplicates` groups what is nearly the same, and keeps the best of it."""

import errno
import os
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image, ImageOps

import penult
from penult.analysis import vectors
from penult.analysis.thresholds import PLAIN
from penult.errors import StoreError, UsageError
from penult.extraction.backlog import look
from penult.images import ImageFile


def turned(degrees):
    return [np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]


def shape(found):
    return [(group.keep.key, [image.key for image in group.drop]) for group in found.groups]


def test_the_largest_is_kept_then_the_longest_then_the_first(make_table):
    vectors = {key: turned(0) for key in "abcd"} | {"other": turned(90)}
    facts = {"b": {"bytes": 9}, "c": {"width": 20, "bytes": 1}}
    found = make_table(vectors, facts=facts).duplicates()
    assert shape(found) == [("c", ["a", "b", "d"])]
    assert (found.images, found.threshold) == (5, PLAIN)
    del facts["c"]
    assert shape(make_table(vectors, "2.lance", facts=facts).duplicates()) == [
        ("b", ["a", "c", "d"])
    ]


def test_what_is_dropped_is_near_what_is_kept_not_only_near_a_chain(make_table):
    facts = {"a": {"width": 30}, "b": {"width": 20}}
    features = make_table({"a": turned(0), "b": turned(20), "c": turned(40)}, facts=facts)
    assert shape(features.duplicates(0.9)) == [("a", ["b"])]


def test_each_is_dropped_for_the_nearest(make_table):
    facts = {"a": {"width": 30}, "b": {"width": 20}}
    features = make_table({"a": turned(0), "b": turned(30), "c": turned(20)}, facts=facts)
    (group,) = features.duplicates(0.9).groups
    assert (group.keep.key, group.drop[0].key) == ("b", "c")
    assert group.drop[0].similarity == pytest.approx(np.cos(np.radians(10)))


def test_what_becomes_of_images_is_stored(make_table):
    facts = {"a": {"width": 30}}
    features = make_table({"a": turned(0), "b": turned(5), "c": turned(90)}, facts=facts)
    assert features.duplicates(store=True).dropped
    assert features.facts(["duplicate", "duplicate_of"]).to_pydict() == {
        "duplicate": ["keep", "drop", "single"],
        "duplicate_of": ["a", "a", None],
    }
    assert features.where("duplicate <> 'drop'").tolist() == [0, 2]
    with pytest.raises(UsageError, match="give store=True too"):
        features.duplicates(column="fate")
    with pytest.raises(UsageError, match="width"):
        features.duplicates(store=True, column="width")


def test_vectors_of_nothing_but_zeros_are_no_duplicates(make_table):
    assert not make_table({"a": [0, 0], "b": [0, 0]}).duplicates().groups


def test_the_same_vector_is_a_duplicate_at_threshold_1(make_table):
    vector = np.random.default_rng(0).standard_normal(50)
    found = make_table({"a": vector, "b": vector}).duplicates(1)
    assert (len(found.dropped), found.by_pixels) == (1, 0)


@pytest.mark.parametrize("threshold", [0, 1.5, float("nan")])
def test_wrong_threshold(make_table, threshold):
    with pytest.raises(UsageError, match="threshold must be above 0 and at most 1"):
        make_table({"a": [1, 0]}).duplicates(threshold)


def test_a_blurred_and_mirrored_copy_is_found_while_its_file_is_there(make_table, photos, tmp_path):
    with Image.open(photos / "castle_bavaria.jpg") as photo:
        photo.save(tmp_path / "a.png")
        small = ImageOps.mirror(photo).resize((photo.width // 3, photo.height // 3))
        small.save(tmp_path / "b.jpg", quality=20)
    with Image.open(photos / "castle_chambord.jpg") as photo:
        photo.save(tmp_path / "c.png")
    facts = {
        key: asdict(look(ImageFile(key, str(tmp_path / key))).file) | {"width": width}
        for key, width in {"a.png": 9, "b.jpg": 8, "c.png": 7}.items()
    }
    vectors = {"a.png": turned(0), "b.jpg": turned(40), "c.png": turned(20)}
    features = make_table(vectors, facts=facts)
    found = features.duplicates(0.99)
    assert shape(found) == [("a.png", ["b.jpg"])]
    assert found.groups[0].drop[0].similarity == pytest.approx(np.cos(np.radians(40)))
    assert found.by_pixels == 1
    assert not features.duplicates(0.99, pixels=False).groups
    (tmp_path / "b.jpg").unlink()
    found = features.duplicates(0.99)
    assert (found.groups, found.unread) == ((), 1)


def test_a_large_matrix_lies_in_a_file(make_table, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    features = make_table({"a": [1, 0], "b": [1, 0.1], "c": [0, 1]})
    whole = features.duplicates()
    monkeypatch.setattr(vectors, "HELD_BYTES", 0)
    assert features.duplicates() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["t.lance"]


def test_a_disk_without_room_for_it_is_named(make_table, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    features = make_table({"a": [1, 0], "b": [1, 0.1]})
    monkeypatch.setattr(vectors, "HELD_BYTES", 0)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(
        StoreError, match=r"can't write 16,384 bytes to work with in .*: No space left"
    ):
        features.duplicates()


def test_copies_to_the_byte_are_marked_while_they_are_what_was_extracted(model, photos, tmp_path):
    folder = tmp_path / "few"
    folder.mkdir()
    content = (photos / "hens.jpg").read_bytes()
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(content)
    (folder / "c.jpg").write_bytes(content + b"\0")
    features = penult.extract(folder, model, out=tmp_path / "t.lance")
    (group,) = features.duplicates().groups
    assert group.keep.key == "c.jpg"
    assert not any(image.exact for image in group.drop)
    (folder / "c.jpg").unlink()
    features = penult.extract(folder, model, out=tmp_path / "t.lance", prune=True)
    (group,) = features.duplicates().groups
    assert [(image.key, image.exact) for image in group.drop] == [("b.jpg", True)]
    (folder / "b.jpg").write_bytes(content[:-1] + b"\0")
    (group,) = features.duplicates().groups
    assert not group.drop[0].exact
