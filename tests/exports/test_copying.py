"""Copies of images in a folder: those of the table as they were, and never over anything."""

import errno
import io
import os
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from penult.errors import UsageError
from penult.exports import copying
from penult.exports.copying import copies, require_folder
from penult.extraction.row_files import RowFile


def picture(path, colour="red", kind="PNG"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path, kind)
    return path


def recorded(path, **changes):
    state = path.stat()
    known = {"bytes": state.st_size, "mtime_ns": state.st_mtime_ns, "sha256": None}
    return RowFile(str(path), **(known | changes))


@pytest.fixture
def photo(tmp_path):
    return picture(tmp_path / "photos/a.png")


@pytest.fixture
def out(tmp_path):
    return Path(os.path.realpath(tmp_path)) / "out"


def copy(out, *images, **options):
    """Copy, and return what was left out by key."""
    return {each.key: each.left_out for each in copies(images, out, **options) if each.left_out}


def files_in(folder):
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def test_an_image_is_copied_as_it_is(photo, out):
    os.utime(photo, ns=(10**18, 10**18))
    assert copy(out, ("sub/a.png", recorded(photo))) == {}
    made = out / "sub/a.png"
    assert made.read_bytes() == photo.read_bytes()
    assert made.stat().st_mtime_ns == 10**18
    assert made.stat().st_ino != photo.stat().st_ino


def test_a_hard_link_is_the_file(photo, out):
    assert copy(out, ("a.png", recorded(photo)), link=True) == {}
    assert (out / "a.png").samefile(photo)


def test_nothing_is_overwritten(photo, out):
    picture(out / "a.png", "blue")
    before = (out / "a.png").read_bytes()
    images = ("a.png", recorded(photo)), ("b.png", recorded(photo)), ("x/../b.png", recorded(photo))
    assert copy(out, *images) == {"a.png": "File exists"}
    assert copy(out, *images[:1], link=True) == {"a.png": "File exists"}
    assert (out / "a.png").read_bytes() == before
    assert files_in(out) == ["a.png", "b.png", "x/b.png"]


def test_what_lies_in_an_archive_is_copied_as_bytes(photo, out, tmp_path):
    data = photo.read_bytes()
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        member = tarfile.TarInfo("in/b.png")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    file = RowFile(f"{tmp_path}/s.tar#in/b.png", len(data), (tmp_path / "s.tar").stat().st_mtime_ns)
    assert copy(out, ("s.tar#in/b.png", file)) == {}
    assert (out / "s.tar#in/b.png").read_bytes() == data
    assert "can only be copied" in copy(out, ("other.png", file), link=True)["other.png"]


NOT_THE_SAME = "it isn't the one that the features are of"


@pytest.mark.parametrize(
    "change", [{"bytes": 1}, {"mtime_ns": 5}, {"sha256": "0" * 64, "mtime_ns": 5}]
)
def test_other_files_than_the_rows_stay_where_they_are(photo, out, change):
    assert copy(out, ("a.png", recorded(photo, **change))) == {"a.png": NOT_THE_SAME}
    assert not out.exists()


def test_a_digest_tells_a_touched_file(photo, out):
    import hashlib

    digest = hashlib.sha256(photo.read_bytes()).hexdigest()
    assert copy(out, ("a.png", recorded(photo, mtime_ns=5, sha256=digest))) == {}
    assert (out / "a.png").read_bytes() == photo.read_bytes()


@pytest.mark.parametrize("data", [b"root:x:0:0", b"", b"#!/bin/sh\n", b"-----BEGIN KEY-----"])
@pytest.mark.parametrize("link", [True, False])
def test_files_that_are_no_images_are_never_copied(tmp_path, out, data, link):
    secret = tmp_path / "secret.png"
    secret.write_bytes(data)
    assert copy(out, ("a.png", recorded(secret)), link=link)["a.png"].startswith(
        ("not_an", "empty")
    )
    assert not out.exists()


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("../../up.png", "up.png"),
        ("/etc/cron.d/x.png", "etc/cron.d/x.png"),
        (".bash_profile", ".bash_profile.png"),
        ("a/../../b", "a/b.png"),
        ("..", "image.png"),
        (r"odd\udcff.png", os.fsdecode(b"odd\xff.png")),
        ("new\nline.PNG", "new\nline.PNG"),
    ],
)
def test_keys_lead_out_of_no_folder_and_end_as_images_do(photo, out, key, name):
    assert copy(out, (key, recorded(photo))) == {}
    assert files_in(out) == [name]


def test_no_link_below_the_folder_is_followed(photo, out, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    out.mkdir()
    (out / "sub").symlink_to(tmp_path / "elsewhere")
    (out / "b.png").symlink_to(tmp_path / "elsewhere/b.png")
    left_out = copy(out, ("sub/a.png", recorded(photo)), ("b.png", recorded(photo)))
    assert left_out == {"sub/a.png": "sub is or leads over a link", "b.png": "File exists"}
    assert files_in(tmp_path / "elsewhere") == []


def test_links_and_pipes_are_told(photo, out, tmp_path):
    (tmp_path / "link.png").symlink_to(photo)
    os.mkfifo(tmp_path / "pipe.png")
    assert copy(out, ("a.png", recorded(tmp_path / "link.png")), link=True) == {
        "a.png": "it is a link: copy it"
    }
    assert copy(out, ("b.png", recorded(tmp_path / "pipe.png"))) == {"b.png": NOT_THE_SAME}
    gone = RowFile(str(tmp_path / "gone.png"), 1, 1)
    nowhere = RowFile("", 1, 1)
    assert copy(out, ("c.png", gone), ("d.png", nowhere)) == {
        "c.png": "it can't be read: No such file or directory",
        "d.png": "the table doesn't say where it is",
    }
    assert files_in(out) == []


def test_a_link_that_leaves_the_disk_is_told(photo, out, monkeypatch):
    def other_disk(*_):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", other_disk)
    left_out = copy(out, ("a.png", recorded(photo)), link=True)
    assert left_out == {"a.png": "no link can be made to it from there: copy it"}


def test_a_full_disk_ends_it_for_archives_too(photo, out, tmp_path, monkeypatch):
    data = photo.read_bytes()
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        member = tarfile.TarInfo("b.png")
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    file = RowFile(f"{tmp_path}/s.tar#b.png", len(data), (tmp_path / "s.tar").stat().st_mtime_ns)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(UsageError, match=r"can't copy to '.*out': no space left on device"):
        copy(out, ("b.png", file))


def test_a_full_disk_ends_it_and_leaves_no_half_file(photo, out, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    done = copies([("a.png", recorded(photo)), ("b.png", recorded(photo))], out)
    assert next(done).path == out / "a.png"
    monkeypatch.setattr(copying.shutil, "copyfileobj", full)
    with pytest.raises(UsageError, match=r"can't copy to '.*out': no space left on device"):
        next(done)
    assert files_in(out) == ["a.png"]


def test_a_file_that_is_written_to_meanwhile_is_left_out(photo, out, monkeypatch):
    whole = copying.shutil.copyfileobj

    def slowly(source, target, size):
        whole(source, target, size)
        photo.write_bytes(b"other")

    monkeypatch.setattr(copying.shutil, "copyfileobj", slowly)
    assert copy(out, ("a.png", recorded(photo))) == {"a.png": "it changed while it was copied"}
    assert files_in(out) == []


@pytest.fixture
def places(tmp_path):
    (tmp_path / "empty").mkdir()
    picture(tmp_path / "full/sub/a.png")
    (tmp_path / "t.lance/_versions").mkdir(parents=True)
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "full/sub")
    return tmp_path


@pytest.mark.parametrize("name", ["empty", "new", "full/new"])
def test_folders_that_are_new_or_empty_are_taken(places, name):
    assert require_folder(places / name, places / "t.lance") == places.resolve() / name


def test_below_the_root_folders_need_not_be_empty(places):
    taken = require_folder(places / "link", places / "t.lance", places / "full")
    assert taken == places.resolve() / "full/sub"
    with pytest.raises(
        UsageError, match=r"isn't empty: name a new or empty folder, or one below '.*sub'"
    ):
        require_folder(places / "full", places / "t.lance", places / "full/sub")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("full", "full' isn't empty: name a new or empty folder, or start view with --root"),
        ("link", "sub' isn't empty"),
        ("full/../full/sub", "sub' isn't empty"),
        ("file", "Not a directory"),
        ("none/new", "there is no folder '.*none': make it first"),
        ("t.lance", "is a table of features"),
        ("t.lance/new", "is a table of features"),
    ],
)
def test_other_folders_are_refused(places, name, message):
    with pytest.raises(UsageError, match=message):
        require_folder(places / name, places / "t.lance")


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "https://example.com/x", "~nobody_here/x"])
def test_what_is_no_folder_is_refused(name, places):
    with pytest.raises(UsageError):
        require_folder(name, places / "t.lance")
