"""Runs that are killed, at named points around a commit and at random moments.

After the last rerun the table equals that of a run nobody disturbed; no key is there twice, nothing
that was saved is lost, and at most one commit's images are computed again for each kill.
"""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import penult
from penult.store import TableWriter

from .means import Means

IMAGES, COMMIT_ROWS, TOO_MANY_FRAGMENTS = 40, 4, 5

RUN = """
import sys
from pathlib import Path

tests, folder, out, log, point, when, count, rows, fragments = sys.argv[1:]
sys.path.insert(0, tests)
import penult
from killing import kill_at
from means import Means
from penult.extraction import run
from penult.store import writer

run.COMMIT_ROWS, writer.TOO_MANY_FRAGMENTS = int(rows), int(fragments)
if point:
    kill_at(point, when, int(count))
print("ready", flush=True)
penult.extract(folder, Means(Path(log)), out=out)
"""

POINTS = [
    "penult.store.durable:create",
    "penult.store.durable:_addition",
    "penult.store.durable:_replacement",
    "penult.store.durable:sync",
    "penult.store.durable:_sync_versions",
    "penult.store.durable:commit",
    "penult.store.durable:compact",
    "penult.store.durable:_clean",
    "lance:LanceDataset.commit",
    "penult.extraction.run:_commit",
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos").mkdir()
    for index in range(IMAGES):
        Image.new("RGB", (9, 9), (6 * index, 255 - index, 7)).save(tmp_path / f"photos/{index}.png")
    return tmp_path / "photos"


def run(folder, point="", when="", count=0, after_seconds=None):
    """Run in a process of its own until it is killed or has ended; say whether it was killed."""
    table, log = folder.parent / "t.lance", folder.parent / "log"
    limits = COMMIT_ROWS, TOO_MANY_FRAGMENTS
    arguments = [Path(__file__).parent, folder, table, log, point, when, count, *limits]
    command = [sys.executable, "-c", RUN, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            process.wait(after_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    assert process.returncode in (0, -signal.SIGKILL)
    return process.returncode != 0


def saved(table):
    if not table.exists():
        return {}
    with TableWriter.open_or_create(table, {"mean": (3,)}, Means().recipe.provenance) as writer:
        return dict(writer.known())  # opening checks that no key is there twice


def disturbed(folder, stops):
    """Kill a run for each stop, some images changed from time to time; then let one end."""
    table, log = folder.parent / "t.lance", folder.parent / "log"
    kills, asked, before = 0, IMAGES, {}
    for number, stop in enumerate(stops):
        killed = run(folder, **stop)
        after = saved(table)
        assert before.keys() <= after.keys()
        kills, before = kills + killed, after
        if not killed:  # all is done: give the next ones something to do
            changed = [f for i, f in enumerate(sorted(folder.iterdir())) if i % 2]
            for file in changed:
                os.utime(file, ns=(number, number))
            asked += len(changed)
    assert not run(folder)
    computed = len(log.read_text().splitlines())
    assert computed <= asked + kills * COMMIT_ROWS
    whole = penult.extract(folder, Means(), out=folder.parent / "whole.lance")
    found = penult.open(table)
    assert found.recovered is None
    assert found.keys == whole.keys
    np.testing.assert_array_equal(found.numpy(), whole.numpy())
    assert found.provenance == whole.provenance
    return kills


def stops(number, seed):
    """Some stops: every other one at a named point, the others at random moments."""
    chance = random.Random(seed)
    for index in range(number):
        if index % 2:
            yield {"after_seconds": chance.uniform(0.05, 0.6)}
        else:
            yield {
                "point": POINTS[index // 2 % len(POINTS)],
                "when": chance.choice(["before", "after"]),
                "count": chance.choice([1, 1, 2, 3]),
            }


def test_killed_runs_add_up_to_an_undisturbed_one(folder):
    assert disturbed(folder, stops(8, seed=1)) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_many_killed_runs_add_up_to_an_undisturbed_one(folder, seed):
    assert disturbed(folder, stops(50, seed)) >= 20


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_at_each_named_point(folder, point, when):
    disturbed(folder, [{"point": point, "when": when, "count": n} for n in (1, 2, 1)])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "point",
    [
        "penult.store.durable:sync",
        "penult.store.durable:refresh",
        "penult.store.durable:_sync_versions",
        "lance:LanceDataset.commit",
    ],
)
def test_a_rerun_on_a_moved_folder_may_be_killed(folder, point, when, monkeypatch):
    monkeypatch.setattr("penult.extraction.run.COMMIT_ROWS", COMMIT_ROWS)
    monkeypatch.setattr("penult.store.writer.TOO_MANY_FRAGMENTS", TOO_MANY_FRAGMENTS)
    model, out = Means(folder.parent / "log"), folder.parent / "t.lance"
    penult.extract(folder, model, out=out)
    vectors = penult.open(folder.parent / "t.lance").numpy()
    moved = folder.rename(folder.parent / "moved")
    assert run(moved, point, when, count=1)
    known = saved(folder.parent / "t.lance")
    assert len({Path(row.path).parent for row in known.values()}) == 1  # all of them or none
    penult.extract(moved, model, out=out)
    known = saved(folder.parent / "t.lance")
    assert {key: row.path for key, row in known.items()} == {key: f"{moved}/{key}" for key in known}
    np.testing.assert_array_equal(penult.open(folder.parent / "t.lance").numpy(), vectors)
    assert len((folder.parent / "log").read_text().splitlines()) == IMAGES
