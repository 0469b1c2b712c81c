"""What a source of images is, and its items; where the bytes of an image are."""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from penult.images.names import as_key, from_key
from penult.util.files import held_time


class Version(NamedTuple):
    """What tells an image from another one in its place, without reading it."""

    bytes: int
    mtime_ns: int


class Stored(ABC):
    """A file's bytes that lie within another file; read when a decoder wants them."""

    __slots__ = ()

    @property
    @abstractmethod
    def place(self) -> str:
        """Where it is, written like a key."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many bytes it has, as far as that is known without reading it."""

    @property
    def is_far(self) -> bool:
        """Whether it takes a request to read it, so that it's better read ahead."""
        return False

    @abstractmethod
    def version(self) -> Version:
        """Look at it; OSError or ValueError if that can't be done."""

    @abstractmethod
    def read(self, max_bytes: int) -> bytes:
        """Read it, from any thread.

        Raises:
            ImageError: It can't be read whole, or is larger than that.
        """


Readable = str | Stored  # a local file's path, which decoders read themselves, or what has bytes


class Origin(Protocol):
    """What items of one kind come from, which can make one again of what a run notes of it."""

    def item(self, key: str, place: str, version: Version) -> "Item":
        """Make an item again that was listed: all three are as it gave them."""


class Item(Protocol):
    """One image of a source; nothing is looked at or read before it is asked for."""

    @property
    def origin(self) -> Origin:
        """What it comes from, one value for many items: a run may hold a million of them."""

    @property
    def key(self) -> str:
        """The name it is stored under, unique in a run."""

    @property
    def place(self) -> str:
        """Where it is, written like a key: the `path` of a table's row."""

    @property
    def image(self) -> Readable:
        """What is decoded."""

    def version(self) -> Version:
        """Look at it; OSError or ValueError if that can't be done."""

    def digest(self) -> str | None:
        """SHA-256 of its bytes, which are read, in hexadecimal digits; None if it has none.

        Raises:
            OSError, ValueError: It can't be read.
        """


class Source(Protocol):
    """Where the images of a run come from."""

    def __iter__(self) -> Iterator[Item]:
        """List the images, in order, while they are found; a source is listed once.

        Raises:
            SourceError: The listing breaks off.
        """

    @property
    def metadata(self) -> Sequence[str]:
        """Paths of lists that say something of its images, if columns are to be kept."""

    def covers(self, place: str) -> bool:
        """Whether an image at a place, written like a key, is in what this source lists."""


class _Files:
    """The files of this machine."""

    def item(self, key: str, place: str, version: Version) -> "ImageFile":
        """Name a file again."""
        return ImageFile(key, from_key(place))


_FILES = _Files()


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image in a file: the key it is stored under, and the file's absolute path.

    The path is text: a `Path` takes longer to make than the file to look at.
    """

    key: str
    path: str

    @property
    def origin(self) -> Origin:
        """This machine."""
        return _FILES

    @property
    def place(self) -> str:
        """The path, written like a key."""
        return as_key(self.path)

    @property
    def image(self) -> str:
        """The path."""
        return self.path

    def version(self) -> Version:
        """The file's size and the time of its last change."""
        status = os.stat(self.path)  # noqa: PTH116 -- by text
        return Version(status.st_size, held_time(status.st_mtime_ns))

    def digest(self) -> str | None:
        """SHA-256 of a regular file; None for others: to open a pipe would wait for ever."""
        import hashlib  # decoder processes have no use for it

        if not stat.S_ISREG(os.stat(self.path).st_mode):  # noqa: PTH116
            return None
        with open(self.path, "rb") as file:  # noqa: PTH123
            return hashlib.file_digest(file, "sha256").hexdigest()
