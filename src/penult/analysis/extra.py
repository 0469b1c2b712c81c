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
    """NumPy's products in one thread, if threadpoolctl is installed.

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
