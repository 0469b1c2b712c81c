"""`tokenizers` and `ftfy`: optional packages, imported when words are used."""

from collections.abc import Iterator
from contextlib import contextmanager

from penult.errors import MissingExtraError


@contextmanager
def needed() -> Iterator[None]:
    """Say which extra to install if an import inside fails."""
    try:
        yield
    except ImportError:
        raise MissingExtraError("text", "text") from None
