"""Lance's and Arrow's errors turned into ours, of one line."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from penult.errors import PenultError, StoreError
from penult.util.text import one_line

_FOREIGN = (OSError, ValueError, RuntimeError, LookupError, TypeError, ArithmeticError)
_LANCE_NOISE = re.compile(r"^((External error|LanceError\(\w+\)|Encountered internal error): )+")
_RUST_PLACE = re.compile(r",? ?(at )?\S+\.rs:\d+:\d+.*", re.DOTALL)


class DamageError(StoreError):
    """A version of a table has a file that is missing, cut or unreadable."""


@contextmanager
def wrap_errors(doing: str, then: str = "") -> Iterator[None]:
    """Raise what Lance, Arrow or the system raise inside as one line, `doing: reason; then`.

    What the operating system refuses (no space, no rights, no such device) is a `StoreError`; all
    else is a `DamageError`, for which an older version of the table may still do.
    """
    try:
        yield
    except PenultError:
        raise
    except BaseException as exc:  # a panic in Lance's Rust code is no `Exception`
        if not isinstance(exc, _FOREIGN) and type(exc).__name__ != "PanicException":
            raise
        refused = "(os error " in str(exc) or getattr(exc, "errno", None) is not None
        kind = StoreError if refused else DamageError
        raise kind("; ".join(filter(None, [f"{doing}: {_reason(exc)}", then]))) from exc


def _reason(exc: BaseException) -> str:
    if isinstance(exc, OSError) and exc.strerror:
        return exc.strerror
    text = _LANCE_NOISE.sub("", _RUST_PLACE.sub("", str(exc)))
    return one_line(text) or type(exc).__name__
