"""Patterns and series of names: `*`, `?`, `[…]`, `**` for any depth, and `{0000..0127}`."""

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import product, takewhile

from penult.errors import SourceError

MAX_SERIES = 1_000_000  # files that a range of numbers may name
ALL_BELOW = ("**", "*")
MAGIC = frozenset("*?[")

_RANGE = re.compile(r"\{([0-9]{1,9})\.\.([0-9]{1,9})\}")


def is_series(source: str) -> bool:
    """Whether a name holds a range of numbers."""
    return _RANGE.search(source) is not None


def series(source: str) -> tuple[str, Iterator[str]]:
    """Split a name with ranges into the folder before the first, and all names below it.

    Raises:
        SourceError: A range is empty or names too many.
    """
    first = _RANGE.search(source)
    place = source.rfind("/", 0, first.start() if first else 0) + 1
    choices = [
        _numbers(*part) if isinstance(part, tuple) else [part]
        for part in _split_ranges(source[place:])
    ]
    return source[:place], map("".join, product(*choices))


def _split_ranges(text: str) -> Iterator[str | tuple[str, str]]:
    at = 0
    for found in _RANGE.finditer(text):
        yield text[at : found.start()]
        yield found[1], found[2]
        at = found.end()
    yield text[at:]


def _numbers(first: str, last: str) -> Sequence[str]:
    """Numbers from one to another, with as many digits as the first."""
    count = int(last) - int(first) + 1
    if not 0 < count <= MAX_SERIES:
        raise SourceError(
            f"{{{first}..{last}}} names {max(0, count):,} files: expected 1 to {MAX_SERIES:,}"
        )
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def parts(pattern: str) -> tuple[str, list[str]]:
    """Split a pattern into its fixed start, a folder, and what is wanted below it."""
    every = pattern.replace(os.sep, "/").split("/")
    fixed = list(takewhile(MAGIC.isdisjoint, every))
    return "".join(part + "/" for part in fixed), every[len(fixed) :]


def fits(names: list[str], wanted: Sequence[str]) -> bool:
    """Whether a path, part by part, is one of those wanted."""
    if not wanted:
        return not names
    if wanted[0] == "**":
        return any(fits(names[skipped:], wanted[1:]) for skipped in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], wanted[0]) and fits(names[1:], wanted[1:])
