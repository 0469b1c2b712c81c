"""A thousand images on a cluster whose parts are killed: `pytest -m slow -n 0 tests/runners`.

In the end the table is that of one machine, bit for bit and in order, and holds no file beside.
"""

import json
import os
import shutil
import signal
import time

import lance
import psutil
import pytest

import penult
from penult.store.versions import versions

pytestmark = pytest.mark.slow

IMAGES, SHARD = 1000, 62
NOTICED_SECONDS = 30  # that a machine's loss may take to be noticed


@pytest.fixture(scope="module")
def folder(photos, tmp_path_factory):
    """A thousand images, and one that fails."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(IMAGES // 20):
        shutil.copytree(photos, folder / str(number), copy_function=os.link)
        (folder / str(number) / "LICENSES.md").unlink()
    (folder / "7/text.jpg").write_text("<html>")
    return folder


@pytest.fixture(scope="module")
def expected(folder, tmp_path_factory):
    """The rows that one machine makes."""
    table = tmp_path_factory.mktemp("alone") / "t.lance"
    penult.extract(folder, out=table)
    return rows(table)


@pytest.fixture
def table(tmp_path, folder, expected):
    return tmp_path / "t.lance"


def rows(table):
    found = lance.dataset(table).to_table()
    return found, found.schema.metadata


def is_whole(table, expected):
    """Whether all is there, once, and nothing else in the folder."""
    assert rows(table) == expected
    kept = [lance.dataset(table, version=version) for version in versions(table)]
    fragments = [fragment for dataset in kept for fragment in dataset.get_fragments()]
    named = {file.path for each in fragments for file in each.data_files()}
    assert {each.name for each in (table / "data").iterdir()} == named
    assert not (table / "_penult.probe").exists()


class Run:
    """A driver that is at work, and what it says."""

    def __init__(self, cluster, folder, table):
        self.process = cluster.start(folder, table, cluster.address, module="runners.driver")
        self.said = {"ok": 0, "failed": 0}

    def wait(self, until=lambda said: False):
        """Read on until something is true, or the end."""
        for line in self.process.stdout:
            self.said = json.loads(line)
            if until(self.said):
                return self.said
        assert self.process.wait(60) == 0, self.process.stderr.read()
        return self.said

    def wait_for(self, images):
        return self.wait(lambda said: said["ok"] >= images)

    def end(self, number):
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


@pytest.fixture
def run(fragile, folder, table):
    runs = []

    def start():
        runs.append(Run(fragile, folder, table))
        return runs[-1]

    yield start
    for each in runs:
        each.close()


def test_undisturbed(fragile, run, table, expected):
    said = run().wait()
    assert (said["ok"], said["failed"]) == (IMAGES, 1)
    is_whole(table, expected)


def test_an_actor_is_killed(fragile, run, table, expected):
    running = run()
    running.wait_for(SHARD)
    fragile.extractors()[0].kill()
    said = running.wait()
    assert (said["ok"], said["failed"]) == (IMAGES, 1)
    is_whole(table, expected)


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_machine_is_killed(fragile, run, table, expected, is_replaced):
    running = run()
    running.wait_for(SHARD)
    fragile.do("remove 0")
    if is_replaced:
        fragile.do("add")
    said = running.wait()
    assert (said["ok"], said["failed"]) == (IMAGES, 1)
    is_whole(table, expected)


def test_a_machine_is_cut_off(fragile, run, table, expected):
    """As by a power cut: no connection is closed."""
    running = run()
    running.wait_for(SHARD)
    extractor = fragile.extractors()[0]
    raylet = extractor.parent()
    stopped = [raylet, *raylet.children(recursive=True)]
    for process in stopped:
        process.suspend()
    since = time.monotonic()
    since = time.monotonic()
    try:
        running.wait(lambda said: said["nodes"] == 2)
        said = running.wait(lambda said: said["nodes"] == 1 and said["ok"] < IMAGES)
        assert said["time"] - since < NOTICED_SECONDS
        said = running.wait()
        assert (said["ok"], said["failed"]) == (IMAGES, 1)
        is_whole(table, expected)
    finally:
        for process in stopped:
            if process.is_running():
                process.kill()


def test_the_driver_is_killed(fragile, run, table, expected):
    running = run()
    running.wait_for(IMAGES // 2)
    running.end(signal.SIGKILL)
    before = lance.dataset(table).count_rows()
    assert 0 < before < IMAGES
    said = run().wait()
    assert said["ok"] + said["failed"] == IMAGES + 1 - before
    is_whole(table, expected)


def test_one_of_two_drivers_is_refused(fragile, run, folder, table, expected):
    first = run()
    first.wait_for(1)
    code, _, err = fragile.run("extract", folder, "-o", table, "--ray", fragile.address)
    assert code == 2
    assert "is being written by process" in err
    first.wait()
    is_whole(table, expected)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_keeps_what_is_saved(fragile, folder, table, expected, number):
    arguments = ["extract", folder, "-o", table, "--ray", fragile.address]
    with fragile.start(*arguments) as process:
        while not versions(table) or lance.dataset(table).count_rows() == 0:
            time.sleep(0.1)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "run the same command again" in err
    psutil.wait_procs(fragile.extractors(), timeout=20)
    assert fragile.extractors() == []
    before = lance.dataset(table).count_rows()
    counts = fragile.extract(folder, "-o", table)
    assert counts["ok"] + counts["failed"] + counts["failed_before"] == IMAGES + 1 - before
    is_whole(table, expected)
