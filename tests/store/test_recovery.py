"""Kills and power cuts: the table opens, holds what was reported as saved, and goes on."""

import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import lance
import pytest

from penult.errors import StoreError
from penult.store import TableWriter, open_table
from penult.store.versions import versions

TESTS = str(Path(__file__).parents[1])
WRITER = """
import sys
import numpy as np

path, cut_at, tests = sys.argv[1:]
sys.path.insert(0, tests)
from killing import cut_power_at
from penult.store import Row, TableWriter, writer

cut_power_at(int(cut_at), path)
writer.TOO_MANY_FRAGMENTS = 7
ones = {"pool": np.ones(4, np.float32)}
with TableWriter.open_or_create(path, {"pool": (4,)}, {}) as table:
    step = table.known().get("counter", (-1,))[0] + 1
    print("ready", flush=True)
    while True:
        rows = [Row(f"{step}-{i}", 1, 1, vectors=ones) for i in range(4)]
        table.append([*rows, Row("counter", step, 1, vectors=ones)])
        print(step, flush=True)
        step += 1
"""


def write_until_stopped(path, *, cut_at=0, after_seconds=None):
    """Run a writer, stop it, and return the last step that it reported as saved, if any.

    Args:
        path: The table.
        cut_at: The power goes at this call of `fsync`: all files not synced by then are empty.
        after_seconds: Killed after this time.
    """
    command = [sys.executable, "-c", WRITER, str(path), str(cut_at), TESTS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        if after_seconds is not None:
            process.stdout.readline()
            try:
                process.wait(after_seconds)
            except subprocess.TimeoutExpired:
                process.kill()
        reported = process.stdout.read().split()
    assert process.returncode == -signal.SIGKILL
    return int(reported[-1]) if reported and reported[-1] != "ready" else None


def steps_in(path):
    """How many steps of the writer the table holds; a step is there as a whole or not at all."""
    with TableWriter.open(path) as table:
        known = table.known()
    if not known:
        return 0
    steps = known["counter"][0] + 1
    assert known.keys() == {"counter"} | {f"{s}-{i}" for s in range(steps) for i in range(4)}
    assert open_table(path).numpy().shape == (4 * steps + 1, 4)
    return steps


def test_kills_and_power_cuts_lose_nothing_reported_and_double_no_key(tmp_path):
    chance = random.Random(5)
    path = tmp_path / "photos.lance"
    held = 0
    # ten syncs make the table, about seven an append; compaction comes at the seventh
    stops = [{"cut_at": at} for at in (14, 18, 21, 70, 90)]
    stops += [{"after_seconds": chance.uniform(0, 0.4)} for _ in range(5)]
    for stop in stops:
        last = write_until_stopped(path, **stop)
        reported = held if last is None else last + 1
        held = steps_in(path)
        assert reported <= held <= reported + 1


def test_a_creation_cut_short_is_taken_over(tmp_path, begin):
    for cut_at in (1, 2):
        assert write_until_stopped(tmp_path / "photos.lance", cut_at=cut_at) is None
    assert write_until_stopped(tmp_path / "photos.lance", cut_at=40) >= 0


DAMAGES = {
    "zeroed": lambda file: file.write_bytes(bytes(file.stat().st_size)),
    "zeroed in part": lambda file: file.write_bytes(
        bytes(file.stat().st_size * 3 // 4) + file.read_bytes()[file.stat().st_size * 3 // 4 :]
    ),
    "emptied": lambda file: file.write_bytes(b""),
    "cut": lambda file: os.truncate(file, file.stat().st_size - 9),
    "removed": lambda file: file.unlink(),
}


def newest_file(path, folder):
    return max((path / folder).glob("[0-9]*"), key=lambda file: file.stat().st_mtime_ns)


@pytest.fixture
def replaced(photos, begin, make_row):
    """The table with one more commit, that replaces a row: it has a file of each sort."""
    with begin() as table:
        table.append([make_row(9, key="005.jpg"), make_row(6)])
    return photos


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("folder", ["_versions", "data", "_deletions"])
def test_a_damaged_newest_version_is_passed_over(replaced, make_row, folder, damage):
    file = newest_file(replaced, folder)
    DAMAGES[damage](file)
    features = open_table(replaced)
    assert features.numpy()[:, 0].tolist() == [0, 1, 2, 4, 5]
    if (folder, damage) != ("_versions", "removed"):
        assert "photos.lance': version 5 can't be read (" in features.recovered
        assert features.recovered.endswith(", going on from version 4")
    with TableWriter.open(replaced) as table:
        assert table.recovered == features.recovered
        table.append([make_row(7), make_row(8, key="005.jpg")])
        table.compact(at_least=2)
    features = open_table(replaced)
    assert features.recovered is None
    assert features.numpy()[:, 0].tolist() == [0, 1, 2, 4, 8, 7]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_transaction_costs_nothing(replaced, make_row, damage):
    DAMAGES[damage](newest_file(replaced, "_transactions"))
    with TableWriter.open(replaced) as table:
        assert table.recovered is None
        table.append([make_row(7), make_row(8, key="005.jpg")])
        table.compact(at_least=2)
    assert open_table(replaced).numpy()[:, 0].tolist() == [0, 1, 2, 4, 8, 6, 7]


def test_several_damaged_versions_are_passed_over(photos, make_row):
    for manifest in sorted((photos / "_versions").glob("*.manifest"))[:2]:
        manifest.write_bytes(b"")
    with TableWriter.open(photos) as table:
        assert "version 4 can't be read ('_versions/" in table.recovered
        assert "has 0 of its bytes), going on from version 2" in table.recovered
        table.append([make_row(1)])
    assert open_table(photos).numpy()[:, 0].tolist() == [1, 4, 5]


def test_an_older_damaged_version_does_not_stop_compaction(photos):
    oldest = max((photos / "_versions").glob("*.manifest"))
    oldest.write_bytes(b"")
    with TableWriter.open(photos) as table:
        assert table.recovered is None
        table.compact(at_least=2)
        assert len(versions(photos)) == 4


def test_a_manifest_that_lies_about_its_version_is_passed_over(photos):
    newest, before = sorted((photos / "_versions").glob("*.manifest"))[:2]
    newest.write_bytes(before.read_bytes())
    recovered = open_table(photos).recovered
    assert "(its manifest: Version not found error: version 4 not found), going on" in recovered


def test_a_table_without_a_good_version_says_so(photos):
    for manifest in (photos / "_versions").glob("*.manifest"):
        manifest.write_bytes(b"")
    message = r"version 4 can't be read \(.* has 0 of its bytes\), nor any other: delete this table"
    with pytest.raises(StoreError, match=message):
        open_table(photos)


def test_what_the_system_refuses_is_no_damage(monkeypatch, photos):
    def refuse(*args, **kwargs):
        raise OSError("LanceError(IO): Too many open files (os error 24), /x/y.rs:1:2")

    monkeypatch.setattr(lance, "dataset", refuse)
    message = re.escape("photos.lance': its manifest: Too many open files (os error 24)") + "$"
    with pytest.raises(StoreError, match=message):
        open_table(photos)


def test_a_file_that_cannot_be_read_is_no_damage(photos):
    data = newest_file(photos, "data")
    data.unlink()
    data.mkdir()
    with pytest.raises(
        StoreError, match=r"photos.lance': can't read 'data/.*\.lance': Is a directory$"
    ):
        open_table(photos)


def test_a_panic_in_lance_counts_as_damage(monkeypatch, photos):
    panic = type("PanicException", (BaseException,), {})
    real = lance.dataset

    def panicking(path, version, **options):
        if version == 4:
            raise panic("called `unwrap()` on a `None` value")
        return real(path, version=version, **options)

    monkeypatch.setattr(lance, "dataset", panicking)
    assert "(its manifest: called `unwrap()` on a" in open_table(photos).recovered
