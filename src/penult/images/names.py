"""File names as keys of a table, with nothing lost."""

import os
import re
import sys

_IS_UTF8 = sys.getfilesystemencoding() == "utf-8"
_ESCAPED = re.compile(r"\\\\|\\u(dc[89a-f][0-9a-f])")


def as_key(path: str) -> str:
    r"""Write a path as text that any table can store: forward slashes, and valid Unicode.

    A byte that isn't UTF-8 reaches Python as a lone surrogate, and is written as `ascii()` would:
    `\udcff` for the byte 0xff. A backslash in a name is doubled, so that no two names share a key.
    All other names stay as they are.

    >>> print(as_key(os.fsdecode(b"caf\xe9s/1.jpg")))
    caf\udce9s/1.jpg
    """
    slashed = _as_utf8(path).replace(os.sep, "/").replace("\\", "\\\\")
    return slashed.encode("utf-8", "backslashreplace").decode()


def from_key(key: str) -> str:
    r"""Return the path that `as_key` wrote."""
    path = _ESCAPED.sub(lambda match: chr(int(match[1], 16)) if match[1] else "\\", key)
    if _IS_UTF8:
        return path
    return os.fsdecode(path.encode("utf-8", "surrogateescape"))


def _as_utf8(path: str) -> str:
    """The text of a name's bytes in UTF-8, whatever the locale takes them for."""
    return path if _IS_UTF8 else os.fsencode(path).decode("utf-8", "surrogateescape")


def reason(error: Exception) -> str:
    """Say why the system refused, without the path that its own message repeats."""
    return getattr(error, "strerror", None) or str(error)
