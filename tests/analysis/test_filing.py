"""A proposal is written down or carried out, and no file is lost."""

import errno
import os
from dataclasses import replace
from functools import partial

import pytest
from PIL import Image

from penult.analysis import filing
from penult.errors import SourceError

move = partial(filing.move, root=".")  # which is that of the test
hard_link = partial(filing.hard_link, root=".")


@pytest.fixture
def propose(make_table, tmp_path, monkeypatch):
    """Files of the same picture and features, a.jpg being the one to keep, in a folder `in`."""

    monkeypatch.chdir(tmp_path)

    def propose(*names, changes=None, broken=(), texts=()):
        facts = {}
        for name in names:
            path = tmp_path / "in" / name.replace("../", "")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), "white").save(path, "PNG")
            picture = path.read_bytes()[: 8 if name in broken else None]
            picture = b"" if name in texts else picture
            path.write_bytes(picture + name.encode())  # no other has its content
            found = path.stat()
            facts[name] = {"path": str(path), "bytes": found.st_size, "mtime_ns": found.st_mtime_ns}
        facts["a.jpg"]["width"] = 99
        for name, other in (changes or {}).items():
            facts[name] |= other
        return make_table({name: [1, 0] for name in names}, facts=facts).duplicates()

    return propose


def test_moved_files_keep_their_folders(propose, tmp_path):
    found = propose("a.jpg", "b.jpg", "sub/c.jpg")
    assert move(found, tmp_path / "out") == 2
    assert (tmp_path / "out/sub/c.jpg").read_bytes().endswith(b"sub/c.jpg")
    assert [p.name for p in (tmp_path / "in").rglob("*.jpg")] == ["a.jpg"]


def test_what_features_alone_decided_stays_unless_it_is_asked_for(propose, tmp_path):
    found = propose("a.jpg", "b.jpg", "c.jpg", broken=["b.jpg"])
    marks = {image.key: image.features_alone for image in found.dropped}
    assert (marks, found.by_features_alone) == ({"b.jpg": True, "c.jpg": False}, 1)
    rows = {row["key"]: row["features_alone"] for row in filing.rows(found)}
    assert rows == {"a.jpg": False, "b.jpg": True, "c.jpg": False}
    assert hard_link(found, tmp_path / "linked") == 1
    assert hard_link(found, tmp_path / "all", features_alone=True) == 2
    assert move(found, tmp_path / "out") == 1
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == ["a.jpg", "b.jpg"]
    assert move(replace(found, groups=rest(found)), tmp_path / "out", features_alone=True)
    assert [p.name for p in (tmp_path / "in").iterdir()] == ["a.jpg"]


def rest(found):
    [group] = found.groups
    return (replace(group, drop=tuple(image for image in group.drop if image.features_alone)),)


def test_linked_files_stay(propose, tmp_path):
    hard_link(propose("a.jpg", "b.jpg"), tmp_path / "out")
    assert (tmp_path / "out/b.jpg").samefile(tmp_path / "in/b.jpg")


def test_no_key_leads_out_of_the_folder(propose, tmp_path):
    move(propose("a.jpg", "../../b.jpg"), tmp_path / "out/deep")
    assert (tmp_path / "out/deep/b.jpg").exists()


def test_nothing_is_overwritten(propose, tmp_path):
    found = propose("a.jpg", "b.jpg", "c.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/c.jpg").symlink_to("nowhere")
    with pytest.raises(SourceError, match=r"c\.jpg' exists: nothing was done, name another folder"):
        move(found, tmp_path / "out")
    assert (tmp_path / "in/b.jpg").exists()


def test_a_place_that_is_taken_meanwhile_is_not_overwritten(propose, tmp_path, monkeypatch):
    found = propose("a.jpg", "b.jpg")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/b.jpg").write_text("mine")
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    with pytest.raises(SourceError, match="File exists; 0 of 1 are in"):
        move(found, tmp_path / "out")
    assert (tmp_path / "out/b.jpg").read_text() == "mine"
    assert (tmp_path / "in/b.jpg").exists()


@pytest.mark.parametrize("name", ["a.jpg", "b.jpg"])
def test_changed_files_are_refused(propose, tmp_path, name):
    found = propose("a.jpg", "b.jpg")
    (tmp_path / "in" / name).write_text("another picture")
    with pytest.raises(
        SourceError, match=rf"{name}' has changed since its features were extracted"
    ):
        move(found, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_gone_files_are_refused(propose, tmp_path):
    found = propose("a.jpg", "b.jpg")
    (tmp_path / "in/a.jpg").unlink()
    with pytest.raises(SourceError, match=r"a\.jpg' has gone since .* again with --prune"):
        move(found, tmp_path / "out")


def test_a_table_without_paths_is_refused(propose, tmp_path):
    found = propose("a.jpg", "b.jpg", changes={"b.jpg": {"path": None}})
    with pytest.raises(SourceError, match=r"the table doesn't say where 'b\.jpg' is"):
        move(found, tmp_path / "out", features_alone=True)


def test_another_disk_is_refused(propose, tmp_path, monkeypatch):
    def link(source, target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    found = propose("a.jpg", "b.jpg")
    monkeypatch.setattr(os, "link", link)
    with pytest.raises(SourceError, match="on another disk: name a folder on the same one"):
        move(found, tmp_path / "out")


def test_the_rows_of_a_list_are_all_columns_of_each_image(propose):
    rows = list(filing.rows(propose("a.jpg", "b,=.jpg")))
    assert [(row["group"], row["action"], row["key"]) for row in rows] == [
        (1, "keep", "a.jpg"),
        (1, "drop", "b,=.jpg"),
    ]
    assert all(tuple(row) == filing.COLUMNS for row in rows)


@pytest.mark.parametrize("put", [move, hard_link])
def test_files_elsewhere_are_left_alone(propose, tmp_path, put):
    found = propose("a.jpg", "b.jpg")
    (tmp_path / "other").mkdir()
    with pytest.raises(SourceError, match=r"isn't below .*other': nothing was done, .*--root"):
        put(found, tmp_path / "out", root=tmp_path / "other")
    assert not (tmp_path / "out").exists()
    assert put(found, tmp_path / "out", root=tmp_path / "in") == 1


def test_what_is_no_image_is_left_alone(propose, tmp_path):
    with pytest.raises(SourceError, match=r"b\.jpg': not_an_image: .*nothing was done"):
        move(propose("a.jpg", "b.jpg", texts=["b.jpg"]), tmp_path / "out", features_alone=True)
    assert not (tmp_path / "out").exists()


def test_links_are_left_alone(propose, tmp_path):
    found = propose("a.jpg", "b.jpg")
    (tmp_path / "in").rename(tmp_path / "true")
    (tmp_path / "in").symlink_to("true")
    with pytest.raises(SourceError, match="is or leads over a link: nothing was done"):
        move(found, tmp_path / "out")
