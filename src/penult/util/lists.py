"""Lists of names in text files: one a line or, as `find -print0` writes them, NUL-separated."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

from penult.errors import SourceError
from penult.util.text import quoted

if TYPE_CHECKING:
    from io import BufferedReader

STDIN = "-"
_START = 1 << 16  # bytes of a list by which its encoding is told


def names_in(source: str) -> Iterator[bytes]:
    """Yield the names in a list, which is UTF-8, as bytes; empty lines are none.

    Args:
        source: A file, or `-` for standard input.

    Raises:
        SourceError: It is UTF-16.
        OSError: It can't be read.
    """
    stdin = cast("BufferedReader", sys.stdin.buffer)
    with nullcontext(stdin) if source == STDIN else Path(source).open("rb") as file:
        start = file.read1(_START)
        nulls = max(start[::2].count(0), start[1::2].count(0))  # every second byte of Latin text
        if start.startswith((b"\xff\xfe", b"\xfe\xff")) or 5 * nulls > 2 * len(start):
            raise SourceError(
                f"the list {quoted(source)} is UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"
            )
        rest = iter(lambda: file.read1(_START), b"")
        pieces = chain([start.removeprefix(b"\xef\xbb\xbf")], rest)
        for line in _split(pieces, b"\0" if b"\0" in start else b"\n"):
            if name := line.removesuffix(b"\r"):
                yield name


def _split(pieces: Iterable[bytes], separator: bytes) -> Iterator[bytes]:
    before = b""
    for piece in pieces:
        *whole, before = (before + piece).split(separator)
        yield from whole
    yield before
