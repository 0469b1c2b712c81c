import os
import subprocess
import sys

import pytest

from penult.util import machine
from penult.util.machine import WORKER, cores, memory, workers

GB = 10**9


@pytest.fixture
def container(tmp_path, monkeypatch):
    """Say which groups this process is in, and what files the groups' folders hold."""
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "_OWN", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 4 << 20}.get)

    def write(own, files=()):
        (tmp_path / "own").write_text(own)
        for name, text in dict(files).items():
            file = tmp_path / "cgroup" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n")

    return write


V1 = "7:cpu,cpuacct:/docker/a\n4:memory:/docker/a\n1:name=systemd:/\n"


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("", {}, 8),
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "200000 100000"}, 2),
        ("0::/a/b", {"a/b/cpu.max": "max 100000", "a/cpu.max": "250000 100000"}, 3),
        ("0::/a", {"a/cpu.max": "10000 100000"}, 1),
        ("0::/a", {"a/cpu.max": "1600000 100000"}, 8),
        ("0::/not/seen/in/here", {"cpu.max": "300000 100000"}, 3),
        (
            V1,
            {
                "cpu,cpuacct/docker/a/cpu.cfs_quota_us": "400000",
                "cpu,cpuacct/docker/a/cpu.cfs_period_us": "100000",
                "cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            4,
        ),
    ],
)
def test_cores_are_those_a_container_may_use(container, own, files, expected):
    container(own, files)
    assert cores() == expected


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("", {}, 16 << 30),
        ("0::/", {"memory.max": "max"}, 16 << 30),
        ("0::/a/b", {"a/b/memory.max": 3 * GB, "a/memory.max": 2 * GB}, 2 * GB),
        ("0::/a", {"a/memory.max": 64 << 30}, 16 << 30),
        (V1, {"memory/docker/a/memory.limit_in_bytes": GB}, GB),
        (V1, {"memory/memory.limit_in_bytes": 9223372036854771712}, 16 << 30),
    ],
)
def test_memory_is_that_a_container_may_use(container, own, files, expected):
    container(own, files)
    assert memory() == expected


def test_cores_where_the_system_does_not_tell(container, monkeypatch):
    container("")
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1


@pytest.mark.parametrize(
    ("limit", "weights", "expected"),
    [
        (16 << 30, 0, 8),
        (4 * WORKER, 0, 4),
        (4 * WORKER, WORKER, 2),
        (WORKER // 2, 0, 1),
        (WORKER, 4 * WORKER, 1),
    ],
)
def test_workers_have_room_beside_the_weights(container, limit, weights, expected):
    container("0::/", {"memory.max": limit})
    assert workers(weights) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_what_is_free_goes_back_to_the_system():
    script = """
import psutil
from penult.util.machine import one_heap, return_memory
one_heap()
held = [bytes(100_000) for _ in range(1000)][-1:]
before = psutil.Process().memory_info().rss
return_memory()
assert before - psutil.Process().memory_info().rss > 50e6
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_other_systems_do_without(monkeypatch):
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda name: object())
    machine.one_heap()
    machine.return_memory()
