"""A million rows of 256 values: what is found, and within how much memory.

The rows are copies of 20,000 made-up photos, 50 of each, which lie in 20 folders. Each command runs
in a process of its own; `pytest -m slow -n 0 -rP tests/analysis/test_scale.py` shows what it took.
"""

import json
import subprocess
import sys

import numpy as np
import pytest

from penult.store import Row, TableWriter

pytestmark = pytest.mark.slow

FOLDERS, PHOTOS, COPIES, WIDTH = 20, 1000, 50, 256  # photos of a folder, copies of a photo
ROWS = FOLDERS * PHOTOS * COPIES
MEMORY = 3 << 30  # the layer itself is nearly one gibibyte

RUN = """
import json, sys, time
from pathlib import Path
import penult
path = sys.argv[1]
start = time.perf_counter()
features = penult.open(path)
print(json.dumps(eval(sys.argv[2])))
print(time.perf_counter() - start)
print(1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]))
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("scale") / "million.lance"
    random = np.random.default_rng(0)
    folders = random.standard_normal((FOLDERS, WIDTH), np.float32)
    with TableWriter.open_or_create(path, {"pool": (WIDTH,)}, {"network": "made up"}) as made:
        for folder, centre in enumerate(folders):
            photos = centre + random.standard_normal((PHOTOS, WIDTH), np.float32)
            copies = np.repeat(photos, COPIES, axis=0)
            copies += random.standard_normal(copies.shape, np.float32) / 5
            made.append(
                [
                    Row(
                        f"{folder:02}/{i // COPIES:03}_{i % COPIES:02}.jpg",
                        1, 1, width=1, height=1, vectors={"pool": vector},
                    )
                    for i, vector in enumerate(copies)
                ]
            )  # fmt: skip
    return path


@pytest.fixture
def run(table):
    def run(expression):
        """What an expression of `features` and `path` gives, within bounded memory."""
        done = subprocess.run(
            [sys.executable, "-c", RUN, table, expression],
            cwd=table.parent,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        result, seconds, peak = done.stdout.splitlines()
        print(f"{float(seconds):.0f} s, {int(peak) / 1e6:.0f} MB: {expression}")
        assert int(peak) < MEMORY
        return json.loads(result)

    return run


def test_exact_search_finds_all_copies_of_a_photo(run):
    found = run("features.search('03/007_00.jpg', 49)")
    assert sorted(key for key, _ in found) == [f"03/007_{i:02}.jpg" for i in range(1, 50)]


def test_each_photo_is_kept_once(run):
    found = run(
        "[[g.keep.key, len(g.drop), len({i.key[:6] for i in (g.keep, *g.drop)})]"
        " for g in features.duplicates(pixels=False).groups]"
    )
    assert len({keep[:6] for keep, _, _ in found}) == len(found) == FOLDERS * PHOTOS
    assert {tuple(rest) for _, *rest in found} == {(COPIES - 1, 1)}


def test_clusters_are_the_folders(run):
    agreement = run(f"features.cluster({FOLDERS}).agreement")
    assert agreement[0] == FOLDERS
    assert min(agreement[1:]) > 0.9


def test_the_number_of_clusters_is_found(run):
    assert run("len(features.cluster().clusters)") in (16, 23)  # those tried around 20


def test_an_index_finds_what_an_exact_search_finds_in_20_ms(run):
    recall, seconds = run("(lambda made: (made.recall, made.seconds))(penult.index(path))")
    print(f"recall {recall:.3f}, {1e3 * seconds:.1f} ms a search")
    assert recall >= 0.95
    assert seconds < 0.02
    assert len(run("features.search('03/007_00.jpg', 49)")) == COPIES - 1
