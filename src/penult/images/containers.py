"""Files of many images, opened by what they are; and the image at any place."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import NamedTuple, Self
from zlib import crc32

from penult.errors import ImageError, SourceError, UsageError
from penult.images.addresses import is_address
from penult.images.blobs import CHANGED, opened, version_of
from penult.images.items import ImageFile, Item, Readable, Stored, Version
from penult.images.members import Container
from penult.images.names import (
    ZIPS,
    Within,
    as_key,
    as_key_within,
    from_key,
    is_packed,
    is_table,
    reason,
    within,
)
from penult.images.objects import ObjectItem
from penult.images.stores import look
from penult.util.text import quoted

OPEN = 8  # containers that are remembered
_LEFT_OUT = "hidden members, links and other extensions are left alone"

_opening = Lock()


@dataclass(frozen=True, slots=True)
class Unopened(Stored):
    """A container that can't be opened, as an item that fails."""

    key: str
    path: str
    error: ImageError

    @property
    def origin(self) -> "Unopened":
        """Itself."""
        return self

    def item(self, key: str, place: str, version: Version) -> "Unopened":
        """Itself."""
        return self

    @property
    def place(self) -> str:
        """Its path, as that of something in it."""
        return as_key_within(as_key(self.path), "")

    @property
    def image(self) -> Stored:
        """Itself."""
        return self

    @property
    def size(self) -> int:
        """None is known."""
        return 0

    def version(self) -> Version:
        """No bytes, and when the file was last changed."""
        return Version(0, version_of(self.path).mtime_ns)

    def digest(self) -> str | None:
        """It has none."""
        return None

    def read(self, max_bytes: int) -> bytes:
        """Say why it can't be opened."""
        raise ImageError(self.error.code, self.error.detail)


class Columns(NamedTuple):
    """Which columns of tables hold what.

    Attributes:
        image: The images; by default the only column that can hold some.
        key: Their keys; by default they are named by their rows.
        keep: What is carried along.
    """

    image: str | None = None
    key: str | None = None
    keep: tuple[str, ...] = ()


DEFAULT_COLUMNS = Columns()


class Share(NamedTuple):
    """One of several parts of a source, by a hash of the key: the same at any time, in any order.

    What is in one compressed archive is one part's: others would have to unpack it too.

    Attributes:
        number: Which part, from 1.
        of: How many there are.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `3/8`, the third of eight.

        Raises:
            UsageError: It isn't of this form.
        """
        found = re.fullmatch("([0-9]{1,6})/([0-9]{1,6})", text)
        share = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= share.number <= share.of:
            raise UsageError(f"shard {quoted(text)}: expected I/N, such as 3/8, from 1/8 to 8/8")
        return share

    def holds(self, key: str) -> bool:
        """Whether an image, or a compressed archive, is in this part."""
        return crc32(key.encode()) % self.of == self.number - 1


ALL = Share(1, 1)


def open_container(path: str, column: str | None = None) -> Container:
    """Open a file of many images; those last opened are remembered, until they change.

    Args:
        path: An archive or a table.
        column: Of a table, the one that holds the images, unless only one can.

    Raises:
        ImageError: It can't be opened.
    """
    if is_address(path) and path.lower().endswith(".lance"):
        detail = "tables of Lance aren't read from buckets: copy it to a disk"
        raise ImageError("unsupported_format", detail)
    try:
        with _opening:
            return _opened(path, version_of(path), column if is_table(path) else None)
    except OSError as error:
        raise ImageError("unreadable", reason(error)) from error
    except ValueError as error:
        raise ImageError("damaged", str(error)) from error


@lru_cache(OPEN)
def _opened(path: str, version: Version, column: str | None) -> Container:
    if is_table(path):
        from penult.images.table_images import TableImages

        return TableImages(path, version, column)
    if path.lower().endswith(ZIPS):
        from penult.images.zip_archive import Zip

        return Zip(path, version)
    from penult.images.tar_archive import PackedTar, PlainTar, compression

    with opened(path, version) as blob:
        how = compression(blob.pread(4, 0))
    return PackedTar(path, version, how) if how else PlainTar(path, version)


def container_items(key: str, path: str, columns: Columns, share: Share) -> Iterator[Item]:
    """Yield the images of a container, and what it lacks; one that can't be opened is one item.

    Args:
        key: The container's own.
        path: Where it is.
        columns: Those of a table.
        share: Which part of them.

    Raises:
        SourceError: A table's keys can't be read, or it lacks a column to keep.
    """
    if is_packed(path):
        if share.holds(key):
            yield from _items(key, path, columns)
        return
    yield from (item for item in _items(key, path, columns) if share.holds(item.key))


def _items(key: str, path: str, columns: Columns) -> Iterator[Item]:
    try:
        container = open_container(path, columns.image)
    except ImageError as error:
        yield Unopened(as_key_within(key, ""), path, ImageError(error.code, error.detail))
        return
    container.require_values(columns.keep)
    if columns.key is not None and is_table(path):
        yield from container.named_items(columns.key)
    else:
        yield from container.items(key)


def require_images(path: str, source: str, columns: Columns) -> None:
    """Refuse a container that is named alone and holds no image.

    Args:
        path: Where it is.
        source: The same as it was named.
        columns: Those of a table.

    Raises:
        SourceError: It can't be opened, or holds none.
    """
    try:
        container = open_container(path, columns.image)
    except ImageError as error:
        raise SourceError(f"can't read {quoted(source)}: {error.detail}") from error
    if next(container.items(""), None) is None:
        hint = "it has no rows" if is_table(path) else _LEFT_OUT
        raise SourceError(f"no images in {quoted(source)}: {hint}")


def item_at(place: str) -> Item:
    """The image at a place, which needn't be there.

    Args:
        place: Written like a key.

    Raises:
        OSError: Its container has no such member, its bucket no such object, or nobody has named
            its bucket.
        ImageError: Its container can't be opened.
        SourceError: Its bucket can't be reached or read.
    """
    inside = within(place)
    path = from_key(inside.container if inside else place)
    if inside is None and is_address(path):
        return ObjectItem(path, look(path))
    if inside is None:
        return ImageFile(place, path)
    return _container_of(inside).member(inside.name)


def listed_at(place: str, version: Version) -> Readable:
    """What is decoded of an image that was listed, perhaps on another machine.

    Args:
        place: Written like a key.
        version: What it was then: another one in a container isn't read, as by who listed it.
    """
    try:
        item = item_at(place)
        if within(place) and item.version() != version:
            raise ImageError("changed", CHANGED)
    except ImageError as error:
        return Unopened(place, place, error)
    except OSError:  # its container has no such member any more
        return Unopened(place, place, ImageError("changed", CHANGED))
    return item.origin.item(item.key, place, version).image


def holder_of(place: str) -> Container | None:
    """The container of an image at a place; None if it's a file, or the container can't be read."""
    inside = within(place)
    try:
        return _container_of(inside) if inside else None
    except (ImageError, OSError):
        return None


def _container_of(inside: Within) -> Container:
    column, slash, _ = inside.name.rpartition("/")
    return open_container(from_key(inside.container), from_key(column) if slash else None)


def is_gone(place: str) -> bool:
    """Whether there is no image at a place; what can't be looked at is not known to be gone."""
    inside = within(place)
    path = from_key(inside.container if inside else place)
    try:
        if is_address(path):
            version_of(path) if inside else look(path)
        else:
            os.lstat(path)
        if inside:
            container = _container_of(inside)
            return container.is_whole and container.find(inside.name) is None
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError, ImageError):
        pass
    return False
