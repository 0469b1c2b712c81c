"""What a command finds open when it starts: its streams, and room for files of its own."""

import os
import select
import sys

from penult.errors import UsageError

FILES = 64  # open at a time, of which Lance's threads and the decoders need about twenty


def keep_open() -> None:
    """Let closed streams be somewhere, lest a file of a table gets the number of one.

    What goes to standard output fails then, as it would if it had been left closed; what goes to
    standard error is lost.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            flags = os.O_WRONLY if name == "stderr" else os.O_RDONLY
            taken = os.open(os.devnull, flags)
            if taken != number:
                os.dup2(taken, number)
                os.close(taken)
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def is_unread() -> bool:
    """Whether standard output is a pipe whose reader has gone; Rich leaves the null device then."""
    if not hasattr(select, "poll") or os.fstat(1).st_rdev == os.stat(os.devnull).st_rdev:  # noqa: PTH116
        return True
    poll = select.poll()
    poll.register(1, 0)  # what is wrong is told anyhow
    return bool(poll.poll(0))


def require_files() -> None:
    """Allow as many open files as are needed, where the system does.

    Raises:
        UsageError: It doesn't.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if not 0 <= soft < FILES:  # -1: no limit
        return
    if 0 <= hard < FILES:
        raise UsageError(
            f"{hard} files may be open at a time, {FILES} are needed: ulimit -n {FILES}"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
