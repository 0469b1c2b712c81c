"""Files of many images, opened by what they are; and the image at any place."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from penult.errors import ImageError, SourceError
from penult.images.items import ImageFile, Item, Stored, Version
from penult.images.members import Archive
from penult.images.names import ZIPS, as_key, as_key_within, from_key, reason, within
from penult.util.text import quoted

OPEN = 8  # archives whose lists are remembered

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
        return Version(0, os.stat(self.path).st_mtime_ns)  # noqa: PTH116

    def digest(self) -> str | None:
        """It has none."""
        return None

    def read(self, max_bytes: int) -> bytes:
        """Say why it can't be opened."""
        raise ImageError(self.error.code, self.error.detail)


def open_container(path: str) -> Archive:
    """Open a file of many images; those last opened are remembered, until they change.

    Raises:
        ImageError: It can't be opened.
    """
    try:
        status = os.stat(path)  # noqa: PTH116
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("unreadable", "a folder, a device or a pipe, not an archive")
        with _opening:
            return _opened(path, Version(status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise ImageError("unreadable", reason(error)) from error
    except ValueError as error:
        raise ImageError("damaged", str(error)) from error


@lru_cache(OPEN)
def _opened(path: str, version: Version) -> Archive:
    if path.lower().endswith(ZIPS):
        from penult.images.zip_archive import Zip

        return Zip(path, version)
    from penult.images.tar_archive import PackedTar, PlainTar, compression

    with open(path, "rb") as file:  # noqa: PTH123
        how = compression(file.read(4))
    return PackedTar(path, version, how) if how else PlainTar(path, version)


def container_items(key: str, path: str) -> Iterator[Item]:
    """Yield the images of a container, and what it lacks; one that can't be opened is one item.

    Args:
        key: The container's own.
        path: Where it is.
    """
    try:
        container = open_container(path)
    except ImageError as error:
        yield Unopened(as_key_within(key, ""), path, ImageError(error.code, error.detail))
        return
    yield from container.items(key)


def require_images(path: str, source: str) -> None:
    """Refuse a container that is named alone and holds no image.

    Args:
        path: Where it is.
        source: The same as it was named.

    Raises:
        SourceError: It can't be opened, or holds none.
    """
    try:
        container = open_container(path)
    except ImageError as error:
        raise SourceError(f"can't read {quoted(source)}: {error.detail}") from error
    if next(container.items(""), None) is None:
        raise SourceError(
            f"no images in {quoted(source)}: hidden members, links and other extensions are left "
            "alone"
        )


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
    return open_container(from_key(inside.container)).member(inside.name)


def is_gone(place: str) -> bool:
    """Whether there is no image at a place; what can't be looked at is not known to be gone."""
    inside = within(place)
    path = from_key(inside.container if inside else place)
    try:
        os.lstat(path)
        if inside:
            archive = open_container(path)
            return archive.index.is_whole and archive.index.find(inside.name) is None
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError, ImageError):
        pass
    return False
