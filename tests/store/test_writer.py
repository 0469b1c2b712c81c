"""Writing tables: what is kept, what is refused, and that commits reach the disk."""

import errno
import os
import re
import resource
import shutil
import subprocess
import sys
from datetime import timedelta

import lance
import numpy as np
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


def test_many_fragments_are_joined_and_old_versions_removed(begin, make_row):
    with begin() as table:
        for number in range(20):
            table.append([make_row(number), make_row(100, key="changes.jpg")])
        table.compact()
        assert len(versions(table.path)) == 4
        table.append([make_row(20)])
    features = open_table(table.path)
    assert features.info["fragments"] == 2
    assert features.numpy()[:, 0].tolist() == [*range(21), 100]


def test_who_has_just_opened_a_table_can_go_on_reading(monkeypatch, photos, make_row):
    monkeypatch.setattr("penult.store.writer.GRACE", timedelta(minutes=1))
    features = open_table(photos)
    with TableWriter.open(photos) as writer:
        for number in range(20, 40):
            writer.append([make_row(number)])
        writer.compact()
    assert features.numpy()[:, 0].tolist() == [0, 1, 2, 4, 5]
    monkeypatch.setattr("penult.store.writer.GRACE", timedelta(0))
    with TableWriter.open(photos) as writer:
        writer.compact()  # nothing to join, but many versions
        assert len(versions(photos)) == 4


def test_few_fragments_are_left_alone(photos):
    with TableWriter.open(photos) as table:
        before = versions(photos)
        table.compact()
        assert versions(photos) == before


def test_a_long_run_joins_fragments_as_it_goes(monkeypatch, begin, make_row):
    monkeypatch.setattr("penult.store.writer.TOO_MANY_FRAGMENTS", 5)
    with begin() as writer:
        for number in range(12):
            writer.append([make_row(number)])
    info = open_table(writer.path).info
    assert info["rows"] == 12
    assert info["fragments"] < 5
    assert info["versions"] < 10


def test_leftovers_of_killed_runs_go_with_the_old_versions(photos):
    names = ["data/orphan.lance", "_versions/.tmpAbC", "_versions/1.manifest.unreadable"]
    for name in names:
        (photos / name).write_bytes(b"LANC")
    with TableWriter.open(photos) as table:
        table.compact(at_least=2)
    assert not any((photos / name).exists() for name in names)


@pytest.fixture
def synced(monkeypatch):
    """Tell of new files, by folder, how many versions there were when they were synced."""

    def observe(table, change):
        real, then = os.fsync, {}  # for each file by its number

        def fsync(descriptor):
            real(descriptor)
            then.setdefault(os.fstat(descriptor).st_ino, len(versions(table.path)))

        before = set(table.path.rglob("*"))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            change()
        new = {file for file in set(table.path.rglob("*")) - before if file.is_file()}
        return {
            file.parent.name: {then[file.stat().st_ino], then[file.parent.stat().st_ino]}
            for file in new
        }

    return observe


def test_rows_are_synced_before_the_version_and_the_version_before_the_return(
    synced, begin, make_row
):
    with begin() as table:
        table.append([make_row(1), make_row(4)])
        rows = [make_row(2), make_row(3, key="001.jpg")]
        assert synced(table, lambda: table.append(rows)) == {
            "data": {2},
            "_deletions": {2},
            "_transactions": {3},
            "_versions": {3},
        }


def test_what_is_renewed_is_synced_likewise(synced, begin, make_row):
    with begin() as table:
        table.append([make_row(1), make_row(4)])
        assert synced(table, lambda: refreshed(table, 1)) == {
            "data": {2},
            "_transactions": {3},
            "_versions": {3},
        }
        notes = {"weights_path": "/new"}
        assert synced(table, lambda: table.note(notes)) == {"_transactions": {4}, "_versions": {4}}


def test_a_full_disk_is_one_line_and_costs_only_the_batch(begin, make_row):
    with begin() as table:
        table.append([make_row(1)])
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
        try:
            with pytest.raises(StoreError) as caught:
                table.append([make_row(i) for i in range(2, 500)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    message = str(caught.value)
    assert "photos.lance': can't save 498 rows: File too large (os error 27); what was" in message
    assert message.endswith("what was saved before is safe, run again to go on")
    assert "\n" not in message
    with begin() as table:
        table.append([make_row(2)])
        assert list(table.known()) == ["001.jpg", "002.jpg"]


def test_after_a_failed_sync_the_table_is_closed(monkeypatch, begin, make_row):
    def refuse(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with begin() as table:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            with pytest.raises(StoreError, match="can't save 1 rows: Input/output error; what"):
                table.append([make_row(1)])
        with pytest.raises(StoreError, match="was closed, moved or deleted: open it again"):
            table.append([make_row(1)])
    begin().close()


def test_an_interrupted_append_closes_the_table(monkeypatch, begin, make_row):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    with begin() as table:
        monkeypatch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            table.append([make_row(1)])
        monkeypatch.undo()
        begin().close()


def test_a_table_deleted_during_a_run_is_not_half_made_again(begin, make_row):
    with begin() as table:
        table.append([make_row(1)])
        shutil.rmtree(table.path)
        with pytest.raises(StoreError, match="was closed, moved or deleted"):
            table.append([make_row(2)])
    assert not table.path.exists()


def test_a_batch_with_a_bad_row_is_refused_and_the_table_stays_open(begin, make_row):
    with begin() as table:
        bad = make_row(2, vectors={"pool": np.zeros(3, np.float32)})
        with pytest.raises(
            StoreError, match=r"row '002.jpg', layer 'pool': float32 of shape \(3,\)"
        ):
            table.append([make_row(1), bad])
        table.append([make_row(1)])
        assert list(table.known()) == ["001.jpg"]


def refreshed(writer, *numbers):
    """Move files of rows to another folder; return the keys that were renewed."""
    files = [File(f"{i:03}.jpg", 1000 + i, 7, f"/new/{i:03}.jpg", f"d{i}") for i in numbers]
    return writer.reassign([Reassignment(file.key, file) for file in files])


def test_notes_are_renewed_one_by_one(tmp_path, layers, provenance, make_row):
    path, notes = tmp_path / "t.lance", {"weights_path": "/old", "made": "then"}
    with TableWriter.open_or_create(path, layers, provenance, notes) as writer:
        writer.append([make_row(1)])
        writer.annotate(["001.jpg"], {"x": np.ones(1, np.float32)})
        before = versions(path)
        writer.note({"weights_path": "/old"})
        assert versions(path) == before
        writer.note({"weights_path": "/new"})
        assert len(versions(path)) == len(before) + 1
        writer.append([make_row(2)])
        writer.annotate(["002.jpg"], {"x": np.ones(1, np.float32)})
    features = open_table(path)
    assert features.provenance == provenance | notes | {"weights_path": "/new"}
    assert features.facts(["x"])["x"].to_pylist() == [None, 1.0]
    with TableWriter.open_or_create(path, layers, provenance, notes) as writer:
        assert writer.kind.notes["weights_path"] == "/new"


def test_what_is_known_of_files_is_renewed_without_writing_vectors(begin, make_row, make_failure):
    layers = {"pool": (1 << 16,)}
    with begin(layers=layers) as writer:
        for start in (0, 3):
            writer.append([make_row(start + i, path="/old", layers=layers) for i in range(3)])
        writer.append([make_failure(9), make_row(4, path="/newer", layers=layers)])
        writer.remove(["001.jpg"])
        data, before = writer.path / "data", versions(writer.path)
        old = set(data.iterdir())
        assert refreshed(writer, 0, 1, 3, 4, 9) == {"000.jpg", "003.jpg", "004.jpg", "009.jpg"}
        assert len(versions(writer.path)) == len(before) + 1
        assert all(file.stat().st_size < 1 << 14 for file in set(data.iterdir()) - old)
        known = dict(writer.known())
    with begin(layers=layers) as writer:
        assert writer.known() == known
    assert {key: row.path for key, row in known.items()} == {
        "000.jpg": "/new/000.jpg",
        "002.jpg": "/old",
        "003.jpg": "/new/003.jpg",
        "004.jpg": "/new/004.jpg",
        "005.jpg": "/old",
        "009.jpg": "/new/009.jpg",
    }
    assert known["003.jpg"] == (1003, 7, None, "d3", "/new/003.jpg")
    assert known["009.jpg"] == (1009, 7, "truncated", "d9", "/new/009.jpg")
    features = open_table(writer.path)
    assert features.numpy()[:, -1].tolist() == [0, 2, 3, 4, 5]
    facts = features.facts(["width", "sha256"])
    assert facts["width"].to_pylist() == [640] * 5
    assert facts["sha256"].to_pylist() == ["d0", None, "d3", "d4", None]


def test_renewed_rows_are_replaced_removed_and_compacted(begin, make_row):
    with begin() as writer:
        writer.append([make_row(i) for i in range(4)])
        refreshed(writer, 0, 1, 2, 3)
        writer.append([make_row(8, key="001.jpg")])
        writer.remove(["002.jpg"])
        refreshed(writer, 1)
        writer.compact(at_least=1)
        refreshed(writer, 1, 3)
        writer.compact(at_least=1)
        known = dict(writer.known())
    assert sorted(known) == ["000.jpg", "001.jpg", "003.jpg"]
    assert {row.path for row in known.values()} == {f"/new/{key}" for key in known}
    assert open_table(writer.path).numpy()[:, 0].tolist() == [0, 8, 3]
    with begin() as writer:
        assert writer.known() == known


def test_a_renewed_row_keeps_its_index(begin, make_row):
    layers = {"pool": (8,)}
    with begin(layers=layers) as writer:
        writer.append([make_row(i, layers=layers) for i in range(300)])
        writer.index("pool", "l2")
        refreshed(writer, *range(200))
        statistics = lance.dataset(writer.path).stats.index_stats("pool")
    assert statistics["num_unindexed_rows"] == 0
    assert statistics["num_indexed_rows"] == 300
