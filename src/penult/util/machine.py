"""What this process may use of the machine, within the limits of its container too, and holds.

A container's limits are those of its control groups, which Linux shows as files: cgroups(7), of
version 2 in one tree, of version 1 in a tree for each kind. A limit above holds for all below it.
"""

import ctypes
import math
import mmap
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

WORKER = 512 << 20  # bytes: a decoder with a large photo and a call of the network, both at most

_limit = sys.maxsize  # of cores
_ARENA_MAX = -8  # of mallopt(3)
_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def limit_cores(count: int) -> None:
    """Let this process take no more cores than this; what counts them later is told so."""
    global _limit  # noqa: PLW0603 -- as of the process
    _limit = count


def cores() -> int:
    """Count the cores that this process may run on, at least one."""
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, min([count, _limit, *map(math.ceil, _quotas())]))


def memory() -> int:
    """Tell how many bytes this process could take: those of the machine, or of its container."""
    machine = sys.maxsize
    if hasattr(os, "sysconf"):
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits()])


def workers(weights: int) -> int:
    """Count the decoders, and the calls of a network at a time, that there are cores and room for.

    Args:
        weights: Bytes of the network's weights; the engine holds most of them twice.
    """
    return max(1, min(cores(), (memory() - 2 * weights) // WORKER))


def one_heap() -> None:
    """Let all threads allocate from one heap, so that what one frees is there for the others.

    A process that is all Penult's calls this before it has threads: each of Lance's would keep a
    heap of its own, 60 MB in all.
    """
    _glibc("mallopt", _ARENA_MAX, 1)


def return_memory() -> None:
    """Give the system back what is free, as after work of another kind; glibc would keep it."""
    _glibc("malloc_trim", 0)


def unload(file: mmap.mmap) -> None:
    """Give the system back what is in memory of a mapped file; what is needed, it reads again."""
    if hasattr(mmap, "MADV_DONTNEED"):  # Windows has none
        file.madvise(mmap.MADV_DONTNEED)


def _glibc(function: str, *arguments: int) -> None:
    with suppress(AttributeError, OSError, TypeError):  # other systems don't have it
        getattr(ctypes.CDLL(None), function)(*arguments)


def _quotas() -> Iterator[float]:
    """Yield the shares of time that groups may have, in cores."""
    for group in _groups("cpu"):
        words = _read(group / "cpu.max").split() or [
            _read(group / "cpu.cfs_quota_us"),
            _read(group / "cpu.cfs_period_us"),
        ]
        if words[0].isdigit():  # neither "max" nor -1
            yield int(words[0]) / int(words[1])


def _limits() -> Iterator[int]:
    """Yield the bytes that groups may have."""
    for group in _groups("memory"):
        limit = _read(group / "memory.max") or _read(group / "memory.limit_in_bytes")
        if limit.isdigit():
            yield int(limit)


def _groups(kind: str) -> Iterator[Path]:
    """Yield the folders of this process's group and of those above it, as far as they are seen."""
    for line in _read(_OWN).splitlines():
        _, kinds, path = line.split(":", 2)
        if not kinds or kind in kinds.split(","):
            root = _CGROUPS / kinds
            group = root / path.lstrip("/")
            yield from (each for each in (group, *group.parents) if each.is_relative_to(root))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""
