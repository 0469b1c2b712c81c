"""Decoder processes, shared by all that decode in this process: models, searches, thumbnails.

A process is started as `python -c`, not by `multiprocessing`: that would run the caller's script
again, and fork would copy an engine's threads. It imports NumPy and Pillow only and is ready in a
fifth of a second. It gets what it is asked for through a socket, which also brings the memory that
inputs are written to: a file without a name, so that nothing is left behind whatever dies.

As many processes as there are cores are at work at a time, for those who came first. Those
without work end after a minute, and all with their parent, however it dies. A forked child starts
processes of its own.
"""

import atexit
import os
import pickle
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from threading import Condition, Thread
from time import monotonic

from penult.errors import PenultError
from penult.images.names import reason
from penult.images.shared import DONE, HEADER, IDLE_SECONDS

AVAILABLE = os.name == "posix" and bool(sys.executable)
_SERVE = "from penult.images.worker import serve; serve()"
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # NumPy's threads would take memory
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # glibc keeps the memory of an image for the next
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
}
_FRESH_SECONDS = IDLE_SECONDS * 0.9  # after which a process may be about to end by itself


class DecoderProcess:
    """A process that decodes for one caller at a time.

    Attributes:
        owner: Whose memory it writes to; who borrows it and is another one, tells it anew.
    """

    def __init__(self) -> None:
        self.owner: object = None
        self.idle_since = monotonic()
        self._channel, end = socket.socketpair()
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-c", _SERVE],
                stdin=end.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # libraries print there what they think of an image
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | ENVIRONMENT,
                process_group=0,  # Ctrl-C is for the parent, which decides
            )
        except OSError as error:
            self._channel.close()
            raise PenultError(f"a decoder process doesn't start: {reason(error)}") from error
        finally:
            end.close()
        Thread(target=self._popen.wait, daemon=True).start()  # lest it stay as a zombie

    @property
    def is_usable(self) -> bool:
        """Whether it lives, and won't end by itself before it gets work."""
        fresh = monotonic() - self.idle_since < _FRESH_SECONDS
        return fresh and self._popen.poll() is None

    def ask(self, message: object, memory: int | None = None) -> bool:
        """Send a message and wait; whether the process has done it, or died instead.

        Args:
            message: Is pickled.
            memory: A file descriptor to send along.
        """
        body = pickle.dumps(message)
        with suppress(OSError):  # it is dead
            header = HEADER.pack(len(body))
            socket.send_fds(self._channel, [header], [] if memory is None else [memory])
            self._channel.sendall(body)
            return self._channel.recv(len(DONE)) == DONE
        return False

    def kill(self) -> None:
        """Kill it, from any thread; whoever waits for it is told that it has died."""
        self._popen.kill()

    def end(self) -> int:
        """End it if it hasn't ended, and return its exit status."""
        self._channel.close()
        status: int = self._popen.wait()
        return status

    def disown(self) -> None:
        """Forget a process of the parent, in a forked child."""
        self._channel.close()
        self._popen.returncode = 0


class _Pool:
    """Processes without work, and how many more may be at work."""

    def __init__(self) -> None:
        self.idle: list[DecoderProcess] = []  # the last one first, so that few images start few
        self.all: set[DecoderProcess] = set()
        self.borrowed = 0
        self.queue: deque[object] = deque()  # a turn of each who waits for one
        self.changed = Condition()


_pool = _Pool()


def warm_up() -> None:
    """Start a process if there is none, to get ready while the caller does other things."""
    with _pool.changed, suppress(PenultError):  # whoever needs it will see the error
        if AVAILABLE and not _pool.all:
            _pool.idle.append(_start())


@contextmanager
def borrow(owner: object, is_wanted: Callable[[], bool]) -> Iterator[DecoderProcess]:
    """Lend a process for one piece of work, the one that it had before if that is idle.

    Args:
        owner: Whose work it is.
        is_wanted: Whether it still is; see `wake`.

    Raises:
        CancelledError: It isn't wanted any more.
        PenultError: A process can't be started.
    """
    process = _take(owner, is_wanted)
    try:
        yield process
    finally:
        _give_back(process)


def wake() -> None:
    """Let those who wait for a process look whether their work is still wanted."""
    with _pool.changed:
        _pool.changed.notify_all()


def release(owner: object) -> None:
    """Let idle processes give back the memory of an owner that has no more work."""
    with _pool.changed:
        for process in _pool.idle:
            if process.owner is owner:
                process.ask(None)
                process.owner = None


def _take(owner: object, is_wanted: Callable[[], bool]) -> DecoderProcess:
    with _pool.changed:
        _wait_for_turn(is_wanted)
        if not is_wanted():
            raise CancelledError
        for process in [each for each in _pool.idle if not each.is_usable]:
            _pool.idle.remove(process)
            _drop(process)
        if not _pool.idle:
            _pool.idle.append(_start())
        same = [process for process in _pool.idle if process.owner is owner]
        process = (same or _pool.idle)[-1]
        _pool.idle.remove(process)
        _pool.borrowed += 1
        return process


def _wait_for_turn(is_wanted: Callable[[], bool]) -> None:
    turn, limit = object(), _limit()
    _pool.queue.append(turn)
    try:
        _pool.changed.wait_for(
            lambda: not is_wanted() or (_pool.queue[0] is turn and _pool.borrowed < limit)
        )
    finally:
        _pool.queue.remove(turn)
        _pool.changed.notify_all()


def _give_back(process: DecoderProcess) -> None:
    process.idle_since = monotonic()
    with _pool.changed:
        _pool.borrowed -= 1
        if process.is_usable:
            _pool.idle.append(process)
        else:
            _drop(process)
        _pool.changed.notify_all()


def _drop(process: DecoderProcess) -> None:
    _pool.all.discard(process)
    process.end()


def _start() -> DecoderProcess:
    process = DecoderProcess()
    _pool.all.add(process)
    return process


def _limit() -> int:
    from penult.util.machine import cores  # not above: decoder processes import this module

    return cores()


def _start_anew() -> None:
    """Leave a parent's processes to it, after a fork."""
    global _pool  # noqa: PLW0603 -- the one of this process
    for process in _pool.all:
        process.disown()
    _pool = _Pool()


def end_all() -> None:
    """End all processes at once, as when Python ends; whoever needs one starts another."""
    with _pool.changed:
        for process in [*_pool.all]:
            process.kill()
            if process in _pool.idle:
                _pool.idle.remove(process)
                _drop(process)


atexit.register(end_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew)
