"""Writing tables: what is kept, and what is refused."""

import re
import subprocess
import sys

import pytest

from penult.errors import StoreError
from penult.store import File, Reassignment, TableWriter, open_table
from penult.store.versions import versions


def test_importing_the_store_loads_neither_lance_nor_arrow():
    script = "import penult.store, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert not {"lance", "pyarrow", "pandas", "h5py"} & set(loaded.stdout.decode().split())


def test_what_is_appended_is_known_after_reopening(begin, make_row, make_failure):
    with begin() as table:
        table.append([make_row(1), make_failure(2)])
    with begin() as table:
        assert table.recovered is None
        assert table.known() == {
            "001.jpg": (1001, 1_700_000_000_123_456_790, None, None, None),
            "002.jpg": (1002, 1_700_000_000_123_456_791, "truncated", None, None),
        }


def test_times_of_files_compare_exactly(tmp_path, begin, make_row):
    file = tmp_path / "a.jpg"
    file.touch()
    mtimes = [file.stat().st_mtime_ns, 0, -1, 1, 2**62 + 1]
    with begin() as table:
        table.append([make_row(i, mtime_ns=mtime) for i, mtime in enumerate(mtimes)])
    with begin() as table:
        assert [row.mtime_ns for row in table.known().values()] == mtimes


def test_a_time_beyond_the_year_2262_does_not_stop_a_run(begin, make_row):
    with begin() as table:
        table.append([make_row(1, mtime_ns=2**70), make_row(2, mtime_ns=-(2**70))])
        assert len(table.known()) == 2


def test_a_changed_image_replaces_its_row(begin, make_row, make_failure):
    with begin() as table:
        table.append([make_row(1), make_failure(2), make_row(3)])
        table.append([make_row(7, key="002.jpg"), make_row(4)])
        table.append([make_failure(3)])
    features = open_table(table.path)
    assert features.keys == ["001.jpg", "002.jpg", "004.jpg"]
    assert features.numpy()[:, 0].tolist() == [1, 7, 4]
    assert features.failures == {"003.jpg": "truncated: 3 of 9 bytes"}


def test_of_a_key_given_twice_the_last_stays(begin, make_row):
    with begin() as table:
        table.append([make_row(1), make_row(2, key="001.jpg")])
    assert open_table(table.path).numpy()[:, 0].tolist() == [2]


def test_rows_are_given_to_other_files_of_the_same_content(begin, make_row):
    odd = 'it\'s\\ "odd"\n--.jpg'
    with begin() as table:
        table.append([make_row(i, key=key, sha256=key) for i, key in enumerate(["a", odd, "c"])])
        asked = [
            Reassignment(odd, File("new", 7, 8, "/p/new", odd), moved=True),  # moved
            Reassignment("a", File("copy", 7, 8, "/p/copy", "a")),
            Reassignment("c", File("c", 7, 8, "/p/c", "c")),  # touched
            Reassignment("gone", File("x", 7, 8, "/p/x", "x")),
            Reassignment("a", File("y", 7, 8, "/p/y", "other content")),
        ]
        assert table.reassign(asked) == {"new", "copy", "c"}
        known = dict(table.known())
        assert known.keys() == {"a", "c", "copy", "new"}
        assert known["new"] == (7, 8, None, odd, "/p/new")
        paths = {key: row.path for key, row in known.items()}
        assert paths == {"a": None, "c": "/p/c", "copy": "/p/copy", "new": "/p/new"}
    with begin() as table:
        assert table.known() == known
    features = open_table(table.path)
    assert features.keys == ["a", "c", "copy", "new"]
    assert features.numpy()[:, 0].tolist() == [0, 2, 0, 1]


def test_rows_swap_their_files(begin, make_row):
    with begin() as table:
        table.append([make_row(1, key="a", sha256="A"), make_row(2, key="b", sha256="B")])
        asked = [
            Reassignment("a", File("b", 7, 8, "", "A")),
            Reassignment("b", File("a", 7, 8, "", "B")),
        ]
        assert table.reassign(asked) == {"a", "b"}
    assert open_table(table.path).numpy()[:, 0].tolist() == [2, 1]


def test_a_row_that_has_changed_meanwhile_is_passed_over(monkeypatch, begin, make_row):
    # each commit changes what the next one finds
    monkeypatch.setattr("penult.store.writer.CHUNK", 1)
    with begin() as writer:
        writer.append([make_row(1, key="a", sha256="A"), make_row(2, key="b", sha256="B")])
        asked = [
            Reassignment("a", File("b", 7, 8, "", "A"), True),
            Reassignment("b", File("a", 7, 8, "", "B")),
        ]
        assert writer.reassign(asked) == {"b"}
        assert list(writer.known()) == ["b"]


@pytest.mark.parametrize("number", [1, 3, 5])
def test_removed_rows_are_gone(photos, number):
    keys = [f"{i:03}.jpg" for i in range(number + 1)]
    with TableWriter.open(photos) as table:
        table.remove([*keys, "unknown.jpg"])
        assert len(table.known()) == 5 - number
    with TableWriter.open(photos) as table:
        assert len(table.known()) == 5 - number


def test_appending_nothing_makes_no_version(begin):
    with begin() as table:
        before = versions(table.path)
        table.append([])
        assert versions(table.path) == before


def test_other_features_are_refused_with_what_differs(begin, make_row):
    with begin() as table:
        table.append([make_row(1)])
    message = (
        "photos.lance' holds other features: "
        "network is 'tiny_net', asked was 'big_net'; "
        f"weights_sha256 is '{'ab' * 15}…{'ab' * 15}', asked was 'cd'; "
        "layers is 'pool 4', asked was 'pool 3x3x8': "
        "ask for the same, write to another table (-o) or delete this one"
    )
    with pytest.raises(StoreError, match=re.escape(message)):
        begin(layers={"pool": (3, 3, 8)}, network="big_net", weights_sha256="cd")


@pytest.mark.parametrize("changed", ["pool", "preprocessing", "weights_sha256", "dtype"])
def test_whatever_makes_other_vectors_is_refused(photos, begin, changed):
    with pytest.raises(StoreError, match=f"{changed} is .*, asked was 'new'"):
        begin(**{changed: "new"})


def test_other_notes_are_not(photos, layers, provenance):
    notes = {"weights": "renamed.ckpt", "versions": {"penult": "9.9"}}
    TableWriter.open_or_create(photos, layers, provenance, notes).close()


def test_a_refused_table_can_be_opened_again(photos, begin):
    with pytest.raises(StoreError, match="holds other features"):
        begin(network="big_net")
    begin().close()


def test_a_table_without_rows_is_begun_anew(begin):
    begin().close()
    with begin(network="big_net") as table:
        assert table.kind.provenance["network"] == "big_net"


def test_open_continues_whatever_is_there(begin, make_row, photos):
    with TableWriter.open(photos) as table:
        table.append([make_row(9)])
        assert table.kind.layers == {"pool": (4,)}
    assert len(open_table(photos)) == 6


def test_missing_folders_are_made(tmp_path, layers, provenance):
    path = tmp_path / "new" / "folder" / "photos.lance"
    TableWriter.open_or_create(path, layers, provenance).close()
    assert len(open_table(path)) == 0


def test_a_killed_creation_is_taken_over(tmp_path, begin, make_row):
    (tmp_path / "photos.lance" / "_versions").mkdir(parents=True)
    with begin() as table:
        table.append([make_row(1)])


def test_a_folder_of_other_files_is_left_alone(tmp_path, begin):
    (tmp_path / "photos.lance").mkdir()
    (tmp_path / "photos.lance" / "cat.jpg").touch()
    with pytest.raises(StoreError, match=r"is no table of features but a folder with 'cat.jpg'"):
        begin()
    assert [file.name for file in (tmp_path / "photos.lance").iterdir()] == ["cat.jpg"]


def test_a_file_in_the_way_is_left_alone(tmp_path, begin):
    (tmp_path / "photos.lance").touch()
    with pytest.raises(StoreError, match=r"photos.lance' is a file, expected a folder"):
        begin()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, begin):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"can't make .*: Not a directory$"):
        begin("file/photos.lance")


def test_urls_are_refused(layers, provenance):
    with pytest.raises(StoreError, match=r"'s3://bucket/t.lance': tables live in local folders"):
        TableWriter.open_or_create("s3://bucket/t.lance", layers, provenance)


def test_opening_what_does_not_exist_makes_nothing(tmp_path):
    with pytest.raises(StoreError, match="there is nothing, expected a table"):
        TableWriter.open(tmp_path / "photos.lance")
    assert not (tmp_path / "photos.lance").exists()


@pytest.mark.parametrize("name", ["a b#c%20d?.lance", "~x.lance", "ünï.lance", "-", "back\\slash"])
def test_odd_paths(monkeypatch, tmp_path, make_row, layers, provenance, name):
    monkeypatch.chdir(tmp_path)
    with TableWriter.open_or_create(name, layers, provenance) as table:
        table.append([make_row(1)])
    assert (tmp_path / name / "_versions").is_dir()
    assert len(open_table(name)) == 1
