"""The images of an archive: which of its members are taken, and how one is read as an item.

The rules are a folder's: taken are members with an image's extension; hidden ones, links, devices
and other extensions are left alone. What would be an image and can't be one (encrypted, sparse, or
of a compression that isn't read) is an item that fails. What the archive lacks as a whole, as it is
cut or holds other archives, is one item more, whose name ends in `#`. Names are only names: nothing
is written anywhere, so `..` and `/` in them do no harm.
"""

import os
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from penult.errors import ImageError
from penult.images.items import Stored, Version
from penult.images.limits import DEFAULT
from penult.images.names import as_key, as_key_within, is_container, reason
from penult.util.text import plural, quoted

IMAGE_SUFFIXES = (
    *(".apng", ".avif", ".avifs", ".bmp", ".gif", ".heic", ".heics", ".heif", ".heifs", ".hif"),
    *(".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"),
)
NAME_BYTES = 4096  # as the longest path of a file has
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


class Archive(ABC):
    """An archive that is open for reading, from any thread.

    Attributes:
        path: Its file.
        version: What it was when it was opened; if it is another one, nothing is read.
        index: Its images.
    """

    def __init__(self, path: str, version: Version) -> None:
        self.path = path
        self.version = version
        self.index = Index()

    def items(self, key: str) -> Iterator["Member"]:
        """Yield its images, and what it lacks, under the archive's own key."""
        for number, name in enumerate(self.index.names):
            if name:
                yield Member(as_key_within(key, name), self, number)
        if self.index.complaint:
            yield Member(as_key_within(key, ""), self, -1)

    def member(self, name: str) -> "Member":
        """The image of a name, written like a key; FileNotFoundError if there is none."""
        number = self.index.find(name) if name else -1
        if number is None or (number < 0 and not self.index.complaint):
            raise FileNotFoundError(2, "it isn't in the archive")
        return Member(name, self, number)

    @abstractmethod
    def read(self, number: int, max_bytes: int) -> bytes:
        """Read an image; raises whatever it runs into, OSError and ValueError among it."""

    def require_unchanged(self, file: int | str) -> None:
        """Raise an ImageError if an open file, or one at a path, isn't what was listed."""
        status = os.stat(file)  # noqa: PTH116
        if (status.st_size, status.st_mtime_ns) != self.version:
            raise ImageError("changed", "the archive was written to since it was listed")


@dataclass(frozen=True, slots=True)
class Member(Stored):
    """An image in an archive, as an item of a source.

    Its version is its size and the archive's time of change: the times in archives are often 0.
    """

    key: str
    archive: Archive
    number: int  # in its index; -1 for what the archive lacks

    @property
    def place(self) -> str:
        """The archive's path and the member's name, written like a key."""
        name = self.archive.index.names[self.number] if self.number >= 0 else ""
        return as_key_within(as_key(self.archive.path), name)

    @property
    def image(self) -> Stored:
        """Itself."""
        return self

    @property
    def size(self) -> int:
        """Its bytes; of what the archive lacks none."""
        return self.archive.index.sizes[self.number] if self.number >= 0 else 0

    def version(self) -> Version:
        """Its size, and when the archive was last changed."""
        mtime_ns = os.stat(self.archive.path).st_mtime_ns  # noqa: PTH116 -- by text
        return Version(self.size, mtime_ns)

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
        index = self.archive.index
        known = index.complaint if self.number < 0 else index.errors.get(self.number)
        if known:
            raise ImageError(known.code, known.detail)
        if self.size > max_bytes:
            raise ImageError("too_large", f"{self.size:,} bytes, the limit is {max_bytes:,}")
        try:
            data = self.archive.read(self.number, max_bytes)
        except OSError as error:
            raise ImageError("unreadable", reason(error)) from error
        except ValueError as error:
            raise ImageError("damaged", str(error)) from error
        if len(data) != self.size:
            detail = f"{len(data):,} bytes, {self.size:,} were expected"
            raise ImageError("truncated", f"the archive ends early ({detail})")
        return data
