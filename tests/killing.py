"""Ends of the process that imports this: kills at a call of a function, and power cuts."""

import os
import signal
from importlib import import_module
from itertools import count
from pathlib import Path


def kill_at(point, when, number):
    """Kill the process before or after a call of a function, `module:name` or `module:class.name`.

    Args:
        point: The function.
        when: "before" or "after".
        number: Which call of it, from 1.
    """
    module, _, path = point.partition(":")
    owner = import_module(module)
    *owners, name = path.split(".")
    for each in owners:
        owner = getattr(owner, each)
    function, calls = getattr(owner, name), count(1)

    def killing(*args, **kwargs):
        last = next(calls) == number
        if last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, killing)


def cut_power_at(number, path):
    """Cut the power at a call of `fsync`: files below the path not synced by then are empty."""
    path = Path(path)
    safe = {file.stat().st_ino for file in path.rglob("*")}
    fsync, calls = os.fsync, count(1)

    def recording(descriptor):
        if next(calls) == number:
            for file in path.rglob("*"):
                if file.is_file() and file.stat().st_ino not in safe:
                    os.truncate(file, 0)
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(descriptor)
        safe.add(os.fstat(descriptor).st_ino)

    os.fsync = recording
