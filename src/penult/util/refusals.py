"""What the operating system refuses, as a user can understand it: the one place that knows."""

from penult.util.text import one_line, quoted

PANIC = "PanicException"  # by which Lance's Rust code ends a call; no `Exception`

_THREADS = "can't start new thread"  # of a RuntimeError
_UNMAPPED = ("failed to map", "cannot allocate", "cannot open shared object", "too many open files")


def refusal(error: BaseException) -> str | None:
    """Say what the system has refused; None if it has refused nothing, so that it is a bug.

    It may do so anywhere: no space, no memory, no more files or threads, a disk that fails, a
    server of files that has gone.
    """
    if isinstance(error, OSError) and error.strerror:
        place = "" if error.filename is None else f"{quoted(str(error.filename))}: "
        return f"{place}{error.strerror.lower()}"
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = str(error)
    if isinstance(error, ImportError) and any(words in text.lower() for words in _UNMAPPED):
        return f"a library can't be loaded, for want of memory perhaps: {one_line(text)}"
    if isinstance(error, RuntimeError) and text == _THREADS:
        return "no more threads can be started"
    if type(error).__name__ == PANIC and "os error" in text.lower():
        return one_line(text)
    return None
