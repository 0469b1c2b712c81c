"""File names as keys of a table, with nothing lost, and names within archives and tables.

An image in a container is named by the container and its own name: `shard.tar#a/b.jpg`. What ends
a container's name is one of `CONTAINERS`, so no file has to be looked at to take a name apart.
"""

import os
import re
import sys
from pathlib import PurePosixPath
from typing import NamedTuple

PACKED = (".tar.gz", ".tgz", ".tar.zst", ".tzst", ".tar.bz2", ".tbz2")
TARS = (".tar", *PACKED)
ZIPS = (".zip",)
TABLES = (".parquet", ".arrow", ".feather", ".lance")
CONTAINERS = (*TARS, *ZIPS, *TABLES)

_DIVIDERS = str.maketrans("\\:", "__") if os.name == "nt" else {}
_IS_UTF8 = sys.getfilesystemencoding() == "utf-8"
_ESCAPED = re.compile(r"\\(?:\\|(#)|u(dc[89a-f][0-9a-f]))")
_WITHIN = re.compile(rf"({'|'.join(map(re.escape, CONTAINERS))})#", re.IGNORECASE)


class Within(NamedTuple):
    """The name of an image in a container, taken apart."""

    container: str  # written like a key
    name: str  # its own, likewise; empty for what the container lacks as a whole


def as_key(path: str) -> str:
    r"""Write a path as text that any table can store: forward slashes, and valid Unicode.

    A byte that isn't UTF-8 reaches Python as a lone surrogate, and is written as `ascii()` would:
    `\udcff` for the byte 0xff. A backslash in a name is doubled, so that no two names share a key;
    a `#` after what looks like a container's name gets one. All other names stay as they are.

    >>> print(as_key(os.fsdecode(b"caf\xe9s/1.jpg")))
    caf\udce9s/1.jpg
    """
    slashed = _as_utf8(path).replace(os.sep, "/").replace("\\", "\\\\")
    return _WITHIN.sub(r"\1\\#", slashed).encode("utf-8", "backslashreplace").decode()


def from_key(key: str) -> str:
    r"""Return the path that `as_key` wrote."""
    path = _ESCAPED.sub(_unescaped, key)
    if _IS_UTF8:
        return path
    return os.fsdecode(path.encode("utf-8", "surrogateescape"))


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[2], 16)) if match[2] else match[1] or "\\"


def as_key_within(container: str, name: str) -> str:
    """Name an image in a container; both are written like keys.

    >>> as_key_within("shard.tar", "a/b.jpg")
    'shard.tar#a/b.jpg'
    """
    return f"{container}#{name}"


def within(key: str) -> Within | None:
    """Take the name of an image in a container apart; None if it's the name of a file.

    >>> within("shard.tar#a#b.jpg")
    Within(container='shard.tar', name='a#b.jpg')
    """
    found = _WITHIN.search(key)
    return Within(key[: found.end() - 1], key[found.end() :]) if found else None


def parts_below(key: str) -> tuple[str, ...]:
    """A key as folders and a name that lead out of no folder; none if nothing is left of it.

    >>> parts_below("/a/../b.jpg"), parts_below("..")
    (('a', 'b.jpg'), ())
    """
    parts = PurePosixPath(from_key(key)).parts
    safe = (part.translate(_DIVIDERS) for part in parts if part not in ("/", "//", ".."))
    return tuple(part for part in safe if part)


def is_container(path: str) -> bool:
    """Whether a file is one of many images, by its name."""
    return path.lower().endswith(CONTAINERS)


def is_packed(path: str) -> bool:
    """Whether a container is an archive that is compressed as a whole, by its name."""
    return path.lower().endswith(PACKED)


def is_table(path: str) -> bool:
    """Whether a container is a table of which a column holds the images, by its name."""
    return path.lower().endswith(TABLES)


def _as_utf8(path: str) -> str:
    """The text of a name's bytes in UTF-8, whatever the locale takes them for."""
    return path if _IS_UTF8 else os.fsencode(path).decode("utf-8", "surrogateescape")


def reason(error: Exception) -> str:
    """Say why the system refused, without the path that its own message repeats."""
    return getattr(error, "strerror", None) or str(error)
