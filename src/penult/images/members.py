"""Files of many images: how one is read as an item, and which members of an archive are taken.

The rules are a folder's: taken are members with an image's extension; hidden ones, links, devices
and other extensions are left alone. What would be an image and can't be one (encrypted, sparse, or
of a compression that isn't read) is an item that fails. What the archive lacks as a whole, as it is
cut or holds other archives, is one item more, whose name ends in `#`. Names are only names: nothing
is written anywhere, so `..` and `/` in them do no harm.
"""

import os
import stat
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from penult.errors import ImageError, SourceError
from penult.images.items import Stored, Version
from penult.images.limits import DEFAULT
from penult.images.names import as_key, as_key_within, is_container, reason
from penult.util.files import held_time
from penult.util.text import one_line, plural, quoted

IMAGE_SUFFIXES = (
    *(".apng", ".avif", ".avifs", ".bmp", ".gif", ".heic", ".heics", ".heif", ".heifs", ".hif"),
    *(".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"),
)
NAME_BYTES = 4096  # as the longest path of a file has
CHANGED = "the file that holds it was written to since it was listed"
_SHOWN = 3  # names in a complaint


class Index:
    """Where an archive's images are.

    Attributes:
        names: Written like keys, in the order of the archive; empty where a later one is taken.
        at: Where the bytes of each begin, or whatever the archive finds them by.
        sizes: Bytes of each.
        errors: Why some can't be read, by number.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.at = array("q")
        self.sizes = array("q")
        self.errors: dict[int, ImageError] = {}
        self._numbers: dict[str, int] = {}
        self._again: list[tuple[str, int]] = []  # names that came twice: first numbers
        self._nested: list[str] = []
        self._unusable = 0
        self._cut: ImageError | None = None

    def add(self, name: str, at: int, size: int, error: ImageError | None = None) -> None:
        """Take a member, if it is an image; of two of a name the later one, as unpacking would.

        Args:
            name: As `os.fsdecode` gives it.
            at: See `Index`.
            size: Likewise.
            error: Why it can't be read.
        """
        if is_container(name):
            self._nested.append(name)
        if not name.lower().endswith(IMAGE_SUFFIXES) or _is_hidden(name):
            return
        if "\0" in name or len(name) > NAME_BYTES or size < 0:
            self._unusable += 1
            return
        key = as_key(name.removeprefix("./"))
        if key in self._numbers:
            self._again.append((key, self._numbers[key]))
            self.names[self._numbers[key]] = ""
        number = self._numbers[key] = len(self.names)
        self.names.append(key)
        self.at.append(at)
        self.sizes.append(size)
        if error:
            self.errors[number] = error

    def find(self, key: str) -> int | None:
        """The number of a name, written like a key."""
        return self._numbers.get(key)

    def named(self, name: str) -> int | None:
        """The number of a name as `os.fsdecode` gives it."""
        return self.find(as_key(name.removeprefix("./")))

    def close(self, cut: ImageError | None = None) -> None:
        """Note that all is listed, or why the rest isn't."""
        self._cut = cut

    def drop_last(self) -> None:
        """Forget the member that was added last."""
        key, number = self.names.pop(), len(self.names)
        del self._numbers[key], self.at[number], self.sizes[number]
        self.errors.pop(number, None)
        if self._again and self._again[-1][0] == key:
            before = self._again.pop()[1]
            self.names[before], self._numbers[key] = key, before

    @property
    def complaint(self) -> ImageError | None:
        """What the archive lacks as a whole."""
        parts = [self._cut.detail] if self._cut else []
        if self._nested:
            held = plural(len(self._nested), "archive")
            parts.append(f"{held} in it isn't read: {_some(self._nested)}; unpack it and name it")
        if self._again:
            parts.append(_twice([name for name, _ in self._again]))
        if self._unusable:
            parts.append(f"{plural(self._unusable, 'member')} with a name that none can have")
        code = self._cut.code if self._cut else "unsupported_format"
        return ImageError(code, "; ".join(parts)) if parts else None

    @property
    def is_whole(self) -> bool:
        """Whether all members are known."""
        return self._cut is None


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") and part not in {".", ".."} for part in name.split("/"))


def _twice(names: list[str]) -> str:
    count = plural(len(names), "name")
    return f"{count} twice, of which the later member is taken: {_some(names)}"


def _some(names: list[str]) -> str:
    more = ", …" if len(names) > _SHOWN else ""
    return ", ".join(quoted(name) for name in names[:_SHOWN]) + more


def version_of(file: int | str) -> Version:
    """Size and time of change of a container; of a Lance table, a folder, its newest version's.

    Raises:
        OSError: It isn't there, or is a device or a pipe.
    """
    status = os.stat(file)  # noqa: PTH116 -- by text
    if stat.S_ISDIR(status.st_mode):
        return Version(0, held_time(os.stat(f"{file}/_versions").st_mtime_ns))  # noqa: PTH116
    if not stat.S_ISREG(status.st_mode):
        raise OSError("a device or a pipe, not a file")
    return Version(status.st_size, held_time(status.st_mtime_ns))


class Container(ABC):
    """A file of many images, open for reading from any thread; its images have numbers.

    Attributes:
        path: Its file.
        version: What it was when it was opened; if it is another one, nothing is read.
    """

    def __init__(self, path: str, version: Version) -> None:
        self.path = path
        self.version = version

    @abstractmethod
    def items(self, key: str) -> Iterator["Member"]:
        """Yield its images, and what it lacks, under the container's own key."""

    def named_items(self, column: str) -> Iterator["Member"]:
        """Yield its images under the keys that a column of a table has.

        Raises:
            SourceError: It isn't a table, or its column holds no keys.
        """
        raise SourceError(f"{quoted(self.path)} has no column {quoted(column)}")

    def require_values(self, columns: Sequence[str]) -> None:
        """Raise a SourceError unless it is a table with columns of numbers or texts."""
        for column in columns:
            raise SourceError(
                f"{quoted(self.path)} is no table, so has no {quoted(column)} to keep"
            )

    def values(self, column: str, numbers: Sequence[int]) -> list[Any]:
        """What a column of a table says of images; SourceError as of `require_values`."""
        self.require_values([column])
        return []

    @abstractmethod
    def find(self, name: str) -> int | None:
        """The number of an image by its name, written like a key."""

    @abstractmethod
    def name(self, number: int) -> str:
        """The name of an image, written like a key; that of what the container lacks is empty."""

    @abstractmethod
    def size(self, number: int) -> int:
        """Bytes of an image; 0 if that isn't known without reading it."""

    @abstractmethod
    def complaint(self, number: int) -> ImageError | None:
        """Why an image can't be read; of -1, what the container lacks as a whole."""

    @property
    @abstractmethod
    def is_whole(self) -> bool:
        """Whether all of its images are known."""

    @abstractmethod
    def read(self, number: int, max_bytes: int) -> bytes:
        """Read an image; raises ImageError, OSError and ValueError."""

    def member(self, name: str) -> "Member":
        """The image of a name, written like a key; FileNotFoundError if there is none."""
        number = self.find(name) if name else -1
        if number is None or (number < 0 and not self.complaint(number)):
            raise FileNotFoundError(2, "it isn't in there")
        return Member(name, self, number)

    def require_unchanged(self, file: int | None = None) -> None:
        """Raise an ImageError if the file, which may be open, isn't what was listed."""
        if version_of(self.path if file is None else file) != self.version:
            raise ImageError("changed", CHANGED)


class Archive(Container):
    """An archive whose images are in an index.

    Attributes:
        index: Its images.
    """

    def __init__(self, path: str, version: Version) -> None:
        super().__init__(path, version)
        self.index = Index()

    def items(self, key: str) -> Iterator["Member"]:
        """Yield its images, and what it lacks, under the archive's own key."""
        for number, name in enumerate(self.index.names):
            if name:
                yield Member(as_key_within(key, name), self, number)
        if self.index.complaint:
            yield Member(as_key_within(key, ""), self, -1)

    def find(self, name: str) -> int | None:
        """The number of a member by its name, written like a key."""
        return self.index.find(name)

    def name(self, number: int) -> str:
        """The name of a member, written like a key."""
        return self.index.names[number] if number >= 0 else ""

    def size(self, number: int) -> int:
        """Bytes of a member."""
        return self.index.sizes[number] if number >= 0 else 0

    def complaint(self, number: int) -> ImageError | None:
        """Why a member can't be read."""
        return self.index.complaint if number < 0 else self.index.errors.get(number)

    @property
    def is_whole(self) -> bool:
        """Whether all of its members are known."""
        return self.index.is_whole


@dataclass(frozen=True, slots=True)
class Member(Stored):
    """An image in a container, as an item of a source.

    Its version is its size and the container's time of change: the times in archives are often 0.
    """

    key: str
    container: Container
    number: int  # -1 for what the container lacks

    @property
    def place(self) -> str:
        """The container's path and the image's name, written like a key."""
        name = self.container.name(self.number)
        return as_key_within(as_key(self.container.path), name)

    @property
    def image(self) -> Stored:
        """Itself."""
        return self

    @property
    def size(self) -> int:
        """Its bytes; 0 if that isn't known."""
        return self.container.size(self.number)

    def version(self) -> Version:
        """Its size, and when the container was last changed."""
        return Version(self.size, version_of(self.container.path).mtime_ns)

    def digest(self) -> str | None:
        """SHA-256 of its bytes; None if it has none, or more than an image may have."""
        import hashlib

        if self.number < 0 or self.size > DEFAULT.bytes:
            return None
        try:
            return hashlib.sha256(self.read(DEFAULT.bytes)).hexdigest()
        except ImageError as error:
            raise ValueError(str(error)) from error

    def read(self, max_bytes: int) -> bytes:
        """Its bytes."""
        known = self.container.complaint(self.number)
        if known:
            raise ImageError(known.code, known.detail)
        if self.size > max_bytes:
            raise _too_large(self.size, max_bytes)
        try:
            data = self.container.read(self.number, max_bytes)
        except OSError as error:
            raise ImageError("unreadable", reason(error)) from error
        except ValueError as error:
            raise ImageError("damaged", one_line(str(error))) from error
        if self.size and len(data) != self.size:
            detail = f"{len(data):,} bytes, {self.size:,} were expected"
            raise ImageError("truncated", f"the archive ends early ({detail})")
        if len(data) > max_bytes:
            raise _too_large(len(data), max_bytes)
        return data


def _too_large(size: int, max_bytes: int) -> ImageError:
    return ImageError("too_large", f"{size:,} bytes, the limit is {max_bytes:,}")
