"""Runs over many images: memory stays what it was, and every file is accounted for."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

FIRST = 500  # images after which a run has nearly all the memory that it will need

RUN = """
import json, sys
import psutil
import penult
from penult.util.machine import one_heap

def memory():
    tree = (process, *process.children(recursive=True))
    return sum(each.memory_info().rss for each in tree)

def sample(counts):
    if counts.done and counts.done % 100 == 0:
        samples.append((counts.done, memory()))

one_heap()  # as the command does
process, samples = psutil.Process(), []
model = penult.load_model(size=int(sys.argv[3]) or None)
features = penult.extract(sys.argv[1], model, out=sys.argv[2], progress=sample)
print(json.dumps({"samples": samples, "ok": len(features), "failed": len(features.failures)}))
"""


@pytest.fixture
def files(tmp_path):
    """Write a folder of tiny images, links to a hundred that differ."""

    def write(count):
        for index in range(count):
            place = tmp_path / f"many/{index // 1000:03}/{index % 1000:03}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            if index < 100:
                Image.new("RGB", (40, 30), (index, 99, 2 * index)).save(place)
            else:
                os.link(tmp_path / f"many/000/{index % 100:03}.jpg", place)
        return tmp_path / "many"

    return write


def extracted(folder, size):
    command = [sys.executable, "-c", RUN, folder, folder.parent / "t.lance", str(size)]
    return json.loads(subprocess.check_output(command))


@pytest.mark.parametrize(
    ("count", "size", "growth"),
    [
        (3_000, 32, 0.05),
        pytest.param(50_000, 0, 0.05, marks=pytest.mark.slow),  # the default network as it is
        pytest.param(100_000, 32, 0.12, marks=pytest.mark.slow),  # what is known of each image
    ],
)
def test_memory_after_many_images_is_what_it_was_after_a_few(files, count, size, growth):
    found = extracted(files(count), size)
    assert (found["ok"], found["failed"]) == (count, 0)
    few = max(used for done, used in found["samples"] if done <= FIRST)
    many = max(used for done, used in found["samples"] if done > count - FIRST)
    assert many <= (1 + growth) * few
    assert max(used for _, used in found["samples"]) < 600e6
