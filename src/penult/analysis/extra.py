"""scikit-learn and openTSNE: optional packages, imported where they are needed."""

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
