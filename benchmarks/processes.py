"""Runs commands as whole processes: seconds, and memory of all that they start."""

import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import psutil

EVERY = 0.2  # seconds between samples of memory; a sample takes some milliseconds


class Run(NamedTuple):
    """What was measured of a process."""

    seconds: float
    peak: float  # bytes


class FailedError(Exception):
    """A command that didn't end well: the last line that it wrote."""


def checked(command: list[Path | str]) -> None:
    """Run a command; raise with the last line that it wrote if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FailedError((done.stderr.strip() or "no message").splitlines()[-1])


def measure(arguments: list[str | Path], settings: dict[str, str]) -> Run:
    """Run a process to its end, with further environment variables."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | settings
    with tempfile.TemporaryFile("w+") as messages:
        start = time.perf_counter()
        process = psutil.Popen(arguments, stdout=messages, stderr=messages, env=ours)
        peak = Peak(process)
        peak.start()
        code = process.wait()
        seconds = time.perf_counter() - start
        peak.join()
        if code:
            messages.seek(0)
            raise FailedError((messages.read().strip() or f"exit {code}").splitlines()[-1])
    return Run(seconds, peak.bytes)


class Peak(threading.Thread):
    """The largest memory of a process and its children while it runs."""

    def __init__(self, process: psutil.Popen) -> None:
        super().__init__(daemon=True)
        self.process, self.bytes = process, 0

    def run(self) -> None:
        """Sample until the process is gone."""
        while self.process.is_running():
            self.bytes = max(self.bytes, self.sample())
            time.sleep(EVERY)

    def sample(self) -> int:
        """Add up the tree; what ends in between counts nothing."""
        total = 0
        try:
            for process in (self.process, *self.process.children(recursive=True)):
                total += process.memory_full_info().pss
        except psutil.Error:
            pass
        return total
