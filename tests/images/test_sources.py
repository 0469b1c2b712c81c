import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from penult.errors import SourceError, UsageError
from penult.images import ImageFile, find_images


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def keys(*args, **kwargs):
    return [image.key for image in find_images(*args, **kwargs)]


@pytest.fixture
def forbidden(monkeypatch):
    """A list of folders that can't be listed (chmod doesn't stop the tests' user if it is root)."""
    folders = []
    scandir = os.scandir

    def refusing(folder):
        if str(folder).rstrip("/").endswith(tuple(folders) or "\0"):
            raise PermissionError(13, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    return folders


def test_a_folder_gives_keys_below_it_and_paths_that_open():
    touch("photos/cats/1.jpg")
    assert list(find_images("photos")) == [
        ImageFile("cats/1.jpg", str(Path("photos/cats/1.jpg").absolute()))
    ]


@pytest.mark.parametrize("folder", ["photos", "photos/", "./photos", Path("photos")])
def test_the_way_a_lone_folder_is_written_leaves_its_keys_alone(folder):
    touch("photos/1.jpg")
    assert keys([folder]) == ["1.jpg"]


def test_the_order_is_that_of_the_path_parts():
    touch(
        *(f"p/{name}" for name in ["b.jpg", "a/z.jpg", "a.jpg", "a-b/1.jpg", "B.jpg", "a/b/c.jpg"])
    )
    found = keys("p")
    assert found == sorted(found, key=lambda key: key.split("/"))
    assert len(found) == 6


def test_a_folder_is_walked_for_image_extensions_in_any_case():
    touch("p/a.JPG", "p/b.Jpeg", "p/c.tiff", "p/d.HEIC", "p/e.txt", "p/f", "p/jpg", "p/g.svg")
    assert keys("p") == ["a.JPG", "b.Jpeg", "c.tiff", "d.HEIC"]


def test_hidden_files_and_folders_are_left_alone():
    touch("p/a.jpg", "p/.b.jpg", "p/.git/c.jpg", "p/.jpg")
    assert keys("p") == ["a.jpg"]


def test_a_hidden_folder_that_is_named_is_walked():
    touch(".cache/a.jpg")
    assert keys(".cache") == ["a.jpg"]


def test_links_inside_a_folder_are_not_followed():
    touch("outside/secret.jpg", "p/a.jpg")
    Path("p/file.jpg").symlink_to(str(Path("outside/secret.jpg").absolute()))
    Path("p/folder").symlink_to(str(Path("outside").absolute()))
    Path("p/loop").symlink_to(str(Path("p").absolute()))
    assert keys("p") == ["a.jpg"]


def test_a_link_that_is_named_is_followed():
    touch("real/a.jpg")
    Path("folder").symlink_to("real")
    Path("file.jpg").symlink_to("real/a.jpg")
    assert keys("folder") == ["a.jpg"]
    assert keys("file.jpg") == ["file.jpg"]


def test_pipes_and_sockets_inside_a_folder_are_left_alone():
    touch("p/a.jpg")
    os.mkfifo("p/pipe.jpg")
    assert keys("p") == ["a.jpg"]


def test_a_deep_tree_is_walked():
    touch("p/" + "d/" * 200 + "a.jpg")
    assert keys("p") == ["d/" * 200 + "a.jpg"]


def test_a_subfolder_that_cannot_be_listed_comes_out_as_an_item(forbidden):
    touch("p/a.jpg", "p/b/1.jpg", "p/c.jpg")
    forbidden.append("p/b")
    assert list(find_images("p")) == [
        ImageFile("a.jpg", str(Path("p/a.jpg").absolute())),
        ImageFile("b/", f"{Path.cwd()}/p/b/"),
        ImageFile("c.jpg", str(Path("p/c.jpg").absolute())),
    ]


def test_a_source_that_cannot_be_listed_is_an_error(forbidden):
    touch("p/a.jpg")
    forbidden.append("p")
    with pytest.raises(SourceError, match=r"^no images in 'p': Permission denied$"):
        find_images("p")


def test_names_that_are_not_utf8_get_storable_keys_and_open():
    raw = b"p/caf\xe9/\xff.jpg"
    Path("p").mkdir()
    os.mkdir(b"p/caf\xe9")  # noqa: PTH102 - a name as bytes
    with open(raw, "wb") as file:  # noqa: PTH123
        file.write(b"x")
    (image,) = find_images("p")
    assert image.key == r"caf\udce9/\udcff.jpg"
    assert Path(image.path).read_bytes() == b"x"


def test_names_with_control_characters_are_kept():
    touch("p/a\nb\x1b.jpg")
    assert keys("p") == ["a\nb\x1b.jpg"]


def test_a_single_file_is_taken_whatever_its_extension():
    touch("d/scan.dat", "plain")
    assert list(find_images("d/scan.dat")) == [
        ImageFile("scan.dat", str(Path("d/scan.dat").absolute()))
    ]
    assert keys("plain") == ["plain"]


def test_several_sources_give_paths_as_written():
    touch("a/1.jpg", "b/1.jpg", "1.jpg")
    assert keys(["a", "b/", "1.jpg", "./1.jpg"]) == ["a/1.jpg", "b/1.jpg", "1.jpg"]


def test_a_file_met_twice_is_taken_once():
    touch("a/1.jpg", "a/2.jpg")
    assert keys(["a/2.jpg", "a", Path("a").absolute(), "a/*.jpg"]) == ["a/2.jpg", "a/1.jpg"]


def test_an_absolute_source_gives_absolute_keys_beside_another(tmp_path):
    touch("a/1.jpg", "2.jpg")
    assert keys([tmp_path / "a", "2.jpg"]) == [f"{tmp_path.as_posix()}/a/1.jpg", "2.jpg"]


def test_a_pattern_gives_keys_below_its_fixed_part():
    touch("p/a/1.jpg", "p/a/2.png", "p/b/3.jpg", "p/4.jpg")
    assert keys("p/*/*.jpg") == ["a/1.jpg", "b/3.jpg"]
    assert keys("p/?.jpg") == ["4.jpg"]
    assert keys("*/[ab]/[!1].*") == ["p/a/2.png", "p/b/3.jpg"]


def test_two_stars_match_folders_at_any_depth():
    touch("p/1.jpg", "p/x/2.jpg", "p/x/y/3.jpg", "p/x/y/4.txt")
    assert keys("p/**/*.jpg") == ["1.jpg", "x/2.jpg", "x/y/3.jpg"]
    assert keys("**/y/*") == ["p/x/y/3.jpg", "p/x/y/4.txt"]
    assert keys("p/x/**") == ["2.jpg", "y/3.jpg", "y/4.txt"]


def test_a_pattern_in_the_working_folder_needs_no_prefix():
    touch("1.dat", "x/2.dat")
    assert list(find_images("*.dat")) == [ImageFile("1.dat", str(Path("1.dat").absolute()))]


def test_a_pattern_leaves_deeper_folders_unread(forbidden):
    touch("p/1.jpg", "p/deep/2.jpg")
    forbidden.append("p/deep")
    assert keys("p/*.jpg") == ["1.jpg"]


def test_a_pattern_shows_a_folder_that_it_cannot_list(forbidden):
    touch("p/1.jpg", "p/deep/2.jpg")
    forbidden.append("p/deep")
    assert keys("p/**/*.jpg") == ["1.jpg", "deep/"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file():
    touch("a[1].jpg", "a1.jpg")
    assert keys("a[1].jpg") == ["a[1].jpg"]


def test_a_list_gives_paths_as_written_and_skips_blank_lines():
    Path("list.txt").write_bytes(b"b.jpg\r\n\n  \nx/../a.jpg\n/abs/c.jpg\n b.jpg\nb.jpg\nlast.dat")
    assert list(find_images(from_file="list.txt")) == [
        ImageFile(key, str(Path(key).absolute()))
        for key in ["b.jpg", "x/../a.jpg", "/abs/c.jpg", " b.jpg", "last.dat"]
    ]


def test_a_list_holds_any_bytes_but_line_ends():
    Path("list.txt").write_bytes(b"caf\xe9.jpg\n")
    (image,) = find_images(from_file="list.txt")
    assert image.key == r"caf\udce9.jpg"
    assert os.fsencode(Path(image.path).name) == b"caf\xe9.jpg"


def test_a_list_comes_from_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"a.jpg\nb.jpg\n")))
    assert keys(from_file="-") == ["a.jpg", "b.jpg"]


def test_a_list_adds_to_other_sources():
    touch("p/1.jpg")
    Path("list.txt").write_text("p/1.jpg\nq.jpg\n")
    assert keys("p", from_file="list.txt") == ["p/1.jpg", "q.jpg"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("photso", r"^no source 'photso' \(in '.+'\): No such file or directory; check the path$"),
        ("", r"^no source '' \(in "),
        ("a\0b", r"^no source 'a\\x00b' \(in '.+'\): embedded null byte; check the path$"),
        ("empty", r"^no images in 'empty': hidden files, links and"),
        ("empty/*.jpg", r"^nothing matches 'empty/\*.jpg': hidden files"),
        ("gone/*.jpg", r"^nothing matches 'gone/\*.jpg': No such file or directory$"),
        ("pipe", r"^'pipe' is a device or a pipe: name a file or a folder$"),
    ],
)
def test_a_source_without_images_stops_at_once(source, message):
    touch("empty/.hidden.jpg", "ok.jpg")
    os.mkfifo("pipe")
    with pytest.raises(SourceError, match=message):
        find_images(["ok.jpg", source])


def test_a_list_that_is_missing_or_empty_stops_at_once():
    Path("empty.txt").write_text("\n \n")
    with pytest.raises(SourceError, match=r"^no paths in the list 'empty.txt': one a line$"):
        find_images(from_file="empty.txt")
    with pytest.raises(
        SourceError, match=r"^no paths in the list 'x.txt': No such file or directory$"
    ):
        find_images(from_file="x.txt")


@pytest.mark.parametrize("source", ["link", "p", "p/", "p/../p", "./link/"])
def test_the_scope_of_a_folder_is_all_below_it_however_it_is_written(tmp_path, source):
    touch("p/x/1.jpg", "px/1.jpg")
    Path("link").symlink_to("p")
    found = find_images(source)
    (image,) = found
    covers = found.covers
    assert covers(image.path)
    assert covers(f"{tmp_path}/p/gone/2.jpg")
    assert not covers(f"{tmp_path}/px/1.jpg")
    assert not covers(f"{tmp_path}/1.jpg")


def test_the_scope_of_a_pattern_is_what_it_matches(tmp_path):
    touch("p/x/1.jpg")
    covers = find_images(["p/*/*.jpg", "p/x/1.jpg"]).covers
    assert covers(f"{tmp_path}/p/gone/2.jpg")
    assert not covers(f"{tmp_path}/p/2.jpg")
    assert not covers(f"{tmp_path}/p/gone/2.png")


def test_a_list_has_no_scope(tmp_path):
    Path("list.txt").write_text("1.jpg\n")
    assert not find_images(from_file="list.txt").covers(f"{tmp_path}/1.jpg")


def test_no_source_at_all_is_wrong_use():
    with pytest.raises(UsageError, match=r"^no source of images: name a folder"):
        find_images([])


def test_a_folder_is_listed_while_its_images_are_taken(forbidden):
    touch("p/a.jpg", "p/b/c.jpg")
    images = iter(find_images("p"))
    assert next(images).key == "a.jpg"
    forbidden.append("p/b")
    assert [image.key for image in images] == ["b/"]


def test_images_are_found_wherever_the_process_goes_meanwhile(tmp_path, monkeypatch):
    touch("p/a.jpg", "p/b.jpg", "q/c.jpg")
    Path("list.txt").write_text("x.jpg\ny.jpg\n")
    found = find_images(["p", "q/*"], from_file="list.txt")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert [image.path.removeprefix(f"{tmp_path}/") for image in found] == [
        *("p/a.jpg", "p/b.jpg", "q/c.jpg", "x.jpg", "y.jpg")
    ]


def test_a_listing_that_breaks_off_is_an_error(monkeypatch):
    touch("p/a.jpg", "p/b.jpg")

    def broken(folder, levels=None):
        yield "a.jpg"
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("penult.images.sources._walk", broken)
    images = iter(find_images("p"))
    assert next(images).key == "a.jpg"
    with pytest.raises(SourceError, match=r"^no images in 'p': Input/output error$"):
        next(images)


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfa.jpg\nb.jpg", b"a.jpg\0b.jpg\0"])
def test_lists_as_other_programs_write_them(data):
    Path("list.txt").write_bytes(data)
    assert keys(from_file="list.txt") == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_list_in_utf_16_is_refused_with_the_remedy(encoding):
    Path("list.txt").write_bytes("a.jpg\nb.jpg\n".encode(encoding))
    with pytest.raises(SourceError, match="is UTF-16: save it as UTF-8"):
        list(find_images(from_file="list.txt"))


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        ("zip", b"PK\3\4", "zip"),
        ("a.bin", bytes(257) + b"ustar", "tar"),
        ("a.gz", b"\x1f\x8b", "gzip"),
        ("a.zst", b"\x28\xb5\x2f\xfd", "zstd"),
        ("a.pq", b"PAR1", "Parquet"),
    ],
)
def test_a_file_of_many_images_by_another_name_is_refused(name, start, kind):
    Path(name).write_bytes(start.ljust(600, b"\0"))
    with pytest.raises(SourceError, match=f"'{name}' is a {kind} file: give it a name that ends"):
        find_images(name)
