"""Whether a row's image is still the one that its features are of; nothing else answers this.

A table may come from others, who mustn't choose what a page shows or an export carries on: only a
file that is what the table says of it is. Nor whom this machine contacts: see `images.stores`.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from penult.errors import ImageError
from penult.images import Item, Readable, Version
from penult.images.addresses import parse
from penult.images.containers import is_gone, item_at
from penult.images.names import from_key, within
from penult.images.stores import on_condition, refusal
from penult.util.text import plural, quoted

if TYPE_CHECKING:
    import pyarrow as pa

    from penult.store import TableReader

COLUMNS = {"path": "string", "bytes": "int64", "mtime": "int64", "sha256": "string"}
DIGESTS = 1 << 16  # that are remembered, each some 300 bytes
NAMED = 3  # buckets that a message names

_AFTER_BUCKET = r"(?s)^([^/]*//[^/]*).*"

State = Literal["same", "changed", "gone"]


class Recorded(Protocol):
    """What a table knows of an image's file."""

    @property
    def bytes(self) -> int:
        """Its size."""

    @property
    def mtime_ns(self) -> int:
        """The time of its last change."""

    @property
    def sha256(self) -> str | None:
        """The digest of its content, if that was asked for."""


class RowFile(NamedTuple):
    """A row's image: where it was, and what it was like."""

    place: str  # written like a key; empty, which is nowhere, if the table doesn't say
    bytes: int
    mtime_ns: int
    sha256: str | None = None

    @property
    def path(self) -> str:
        """The file that it is, or that it is in."""
        inside = within(self.place)
        return from_key(inside.container if inside else self.place)

    @property
    def is_within(self) -> bool:
        """Whether it is in a file of many images, rather than one."""
        return within(self.place) is not None

    @property
    def shown(self) -> str | None:
        """What a list says of where it is: a file's path, or that and the name in it."""
        return (self.place if self.is_within else self.path) or None

    @property
    def refusal(self) -> str:
        """Why it isn't asked for: nobody has named its bucket; nothing if it may be."""
        return refusal(self.path)

    def image(self) -> Readable | None:
        """What is decoded, if it is still the same."""
        item = self._same_item()
        return item.image if item else None

    def state(self) -> State:
        """Look at it, and read it where only its content can tell.

        Size and time of change say that it's the same. Where the time alone differs, its digest
        does, if the row has one: so a file that was touched or copied back is still the same.
        """
        if self._same_item():
            return "same"
        return "gone" if is_gone(self.place) else "changed"

    def digest(self) -> str | None:
        """SHA-256 of it as it is, if it's still the same and can be read."""
        item = self._same_item()
        try:
            return _digest(self.place, item.version()) if item else None
        except (OSError, ValueError, ImageError):
            return None

    def _same_item(self) -> Item | None:
        """The image, if it is still the same and can be looked at."""
        try:
            item = item_at(self.place)
            version = item.version()
            return item if same(self, version) or self._same_content(version) else None
        except (OSError, ValueError, ImageError):
            return None

    def _same_content(self, version: Version) -> bool:
        if not (self.bytes or self.is_within):
            return False  # files of no bytes are no images, but some in /proc never end
        if self.bytes != version.bytes or self.sha256 is None:
            return False
        return same(self, version, _digest(self.place, version))


def same(row: Recorded, version: Version, sha256: str | None = None) -> bool:
    """Whether a file is a row's: by content where both digests are known, else by size and time."""
    if sha256 and row.sha256:
        return sha256 == row.sha256
    return (row.bytes, row.mtime_ns) == version


@lru_cache(DIGESTS)
def _digest(place: str, version: Version) -> str | None:  # the version is part of the name
    return item_at(place).digest()


def row_files(facts: "pa.Table") -> list[RowFile]:
    """The files of rows, of which a table has `COLUMNS`."""
    columns = (facts[name].cast(kind).to_pylist() for name, kind in COLUMNS.items())
    return [RowFile(place or "", *rest) for place, *rest in zip(*columns, strict=True)]


def out_of_reach(places: "pa.ChunkedArray") -> str:
    """Say how many images are in buckets and on hosts that nobody has named; nothing if none is.

    Args:
        places: Where a table says that its images are, the column `path`.
    """
    import pyarrow.compute as pc

    far = places.filter(pc.match_substring(places, "://"))
    starts = pc.replace_substring_regex(far, pattern=_AFTER_BUCKET, replacement=r"\1")
    counts = Counter[str]()
    for start in starts.value_counts().to_pylist():
        path = RowFile(start["values"], 0, 0).path
        if refusal(path):
            counts[parse(path).store] += start["counts"]
    if not counts:
        return ""
    most = counts.most_common(NAMED)
    named = [f"{quoted(store)} ({count:,})" for store, count in most]
    others = [f"{len(counts) - NAMED:,} others"] if len(counts) > NAMED else []
    where = quoted(most[0][0]) if len(counts) == 1 else ", ".join([*named, *others])
    return f"out of reach: {plural(counts.total(), 'image')} in {where}, {on_condition(*counts)}"


def files_of(features: "TableReader", keys: Sequence[str]) -> list[RowFile]:
    """The files of some keys that a table has, in their order."""
    import numpy as np

    places = np.array([bisect_left(features.keys, key) for key in keys], np.int64)
    pieces = features.tables([*COLUMNS], [], places)
    return [file for piece in pieces for file in row_files(piece)]


def same_images(files: Iterable[RowFile]) -> list[Readable | None]:
    """What is to be decoded of those that are still the same; None for the others."""
    return [file.image() for file in files]
