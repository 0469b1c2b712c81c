"""Files of many images, opened by what they are; and the image at any place."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

from penult.errors import ImageError, SourceError
from penult.images.items import ImageFile, Item, Stored, Version
from penult.images.members import Container, version_of
from penult.images.names import (
    ZIPS,
    Within,
    as_key,
    as_key_within,
    from_key,
    is_table,
    reason,
    within,
)
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
    """

    image: str | None = None
    key: str | None = None


DEFAULT_COLUMNS = Columns()


def open_container(path: str, column: str | None = None) -> Container:
    """Open a file of many images; those last opened are remembered, until they change.

    Args:
        path: An archive or a table.
        column: Of a table, the one that holds the images, unless only one can.

    Raises:
        ImageError: It can't be opened.
    """
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

    with open(path, "rb") as file:  # noqa: PTH123
        how = compression(file.read(4))
    return PackedTar(path, version, how) if how else PlainTar(path, version)


def container_items(key: str, path: str, columns: Columns) -> Iterator[Item]:
    """Yield the images of a container, and what it lacks; one that can't be opened is one item.

    Args:
        key: The container's own.
        path: Where it is.
        columns: Those of a table.

    Raises:
        SourceError: A table's keys can't be read.
    """
    try:
        container = open_container(path, columns.image)
    except ImageError as error:
        yield Unopened(as_key_within(key, ""), path, ImageError(error.code, error.detail))
        return
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
        OSError: Its container has no such member.
        ImageError: Its container can't be opened.
    """
    inside = within(place)
    if inside is None:
        return ImageFile(place, from_key(place))
    return _container_of(inside).member(inside.name)


def _container_of(inside: Within) -> Container:
    column, slash, _ = inside.name.rpartition("/")
    return open_container(from_key(inside.container), from_key(column) if slash else None)


def is_gone(place: str) -> bool:
    """Whether there is no image at a place; what can't be looked at is not known to be gone."""
    inside = within(place)
    path = from_key(inside.container if inside else place)
    try:
        os.lstat(path)
        if inside:
            container = _container_of(inside)
            return container.is_whole and container.find(inside.name) is None
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError, ImageError):
        pass
    return False
