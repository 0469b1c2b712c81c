"""One writer at a time: a lock that the operating system drops when its process dies."""

import os
import platform
import sys
import weakref
from pathlib import Path

from penult.errors import StoreError
from penult.store.messages import wrap_errors
from penult.util.text import one_line, quoted

if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    def _take(descriptor: int) -> None:
        """Lock one byte far behind the text, which stays readable to others."""
        os.lseek(descriptor, 1 << 30, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Lock:
    """Held from construction to `release`, or to the end of the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with wrap_errors(f"can't lock {quoted(path)}"):
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            with wrap_errors(f"can't lock {quoted(path)}"):
                self._claim()
        except BaseException:
            self.release()
            raise
        _held.add(self)

    def _claim(self) -> None:
        try:
            _take(self._descriptor)
        except (BlockingIOError, PermissionError):
            holder = os.read(self._descriptor, 200).decode(errors="replace").strip()
            raise StoreError(
                f"{quoted(self._path.parent)} is being written by {one_line(holder)}: "
                "wait until it has ended, or write to another table"
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"process {os.getpid()} on {platform.node()}\n".encode())

    def guards(self) -> bool:
        """Whether the lock is held and its file is still where it was."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._path.stat())
        except OSError:
            return False

    def release(self) -> None:
        """Let the next writer in; the file stays, as removing it would race with that writer."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


_held: weakref.WeakSet[Lock] = weakref.WeakSet()


def _release_in_child() -> None:
    """A forked child shares the lock and would keep it after its parent's death."""
    for lock in list(_held):
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_release_in_child)
