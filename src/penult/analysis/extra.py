"""scikit-learn, openTSNE and threadpoolctl: optional packages, imported where they are needed."""

from collections.abc import Iterator
from contextlib import contextmanager

from penult.errors import MissingExtraError


@contextmanager
def needed(what: str) -> Iterator[None]:
    """Say which extra to install if an import inside fails."""
    try:
        yield
    except ImportError:
        raise MissingExtraError(what, "analysis") from None


@contextmanager
def one_thread() -> Iterator[None]:
    """Products of NumPy and loops of scikit-learn in one thread, if threadpoolctl is installed.

    Of small ones a second thread saves little, and makes them many times slower where its core is
    busy.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
    else:
        with threadpool_limits(1):
            yield


def take_one_thread() -> None:
    """Let this thread's loops of scikit-learn take no other, within `one_thread` of its caller."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="openmp")  # which OpenMP holds for each thread apart
