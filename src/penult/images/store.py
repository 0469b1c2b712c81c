"""Object stores: what they list, and bytes of their objects; by obstore, else by fsspec.

Memory is bounded by a page of a list and by the bytes that are asked for. Requests that fail for
what may pass are repeated within a minute. Where nothing passes any more, all ends with one line,
rather than object after object.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from threading import Lock
from time import monotonic
from typing import NamedTuple, TypeVar

from penult.errors import ImageError, PenultError, SourceError
from penult.images.addresses import Address
from penult.images.items import Version
from penult.images.store_errors import PassingError
from penult.util.text import quoted

FRESH = 10.0  # seconds for which a look at a file of many images holds
REMEMBERED = 256  # looks
PATIENCE = 16  # requests in a row that fail for what may pass, each several times


T = TypeVar("T")


class Found(NamedTuple):
    """An object in a list."""

    name: str
    version: Version


class Store(ABC):
    """A bucket, or what is like one.

    Args:
        scheme: What its addresses begin with.
        bucket: Its name.
    """

    def __init__(self, scheme: str, bucket: str) -> None:
        self._address = Address(scheme, bucket, "")
        self._failed = 0  # in a row
        self._lock = Lock()
        self._looks: dict[str, tuple[float, Version]] = {}

    @abstractmethod
    def _listed(self, folder: str) -> Iterator[Found]:
        """Yield all objects below a folder, without its slash; the store's own if it's empty."""

    @abstractmethod
    def _look(self, name: str) -> Version:
        """Look at an object."""

    @abstractmethod
    def _read(self, name: str, version: Version, start: int, end: int) -> bytes:
        """Read a part of an object, or all if it ends at its size."""

    @abstractmethod
    def _translated(self, error: BaseException) -> PenultError | OSError:
        """What to raise for an error of the library."""

    def listed(self, folder: str) -> Iterator[Found]:
        """Yield the objects below a folder while they are listed.

        Raises:
            SourceError: The list breaks off.
        """
        places = self._listed(folder.rstrip("/"))
        while (found := self._next(places, folder)) is not None:
            yield found

    def _next(self, places: Iterator[Found], folder: str) -> Found | None:
        try:
            found: Found | None = self._asked(next, places, None)
        except OSError as error:
            place = quoted(f"{self._address}{folder}")
            raise SourceError(f"can't list {place}: {error.strerror}") from error
        return found

    def look(self, name: str) -> Version:
        """Look at an object.

        Raises:
            OSError: It can't be looked at; FileNotFoundError if it isn't there.
            SourceError: Nothing in the store can.
        """
        return self._asked(self._look, name)

    def looked(self, name: str) -> Version:
        """Look at an object as `look` does, unless that was done a few seconds ago."""
        at, version = self._looks.get(name, (0.0, None))
        if version is None or monotonic() - at > FRESH:
            version = self.look(name)
            if len(self._looks) >= REMEMBERED:
                self._looks.clear()
            self._looks[name] = monotonic(), version
        return version

    def read(self, name: str, version: Version, start: int = 0, end: int | None = None) -> bytes:
        """Read a part of an object that is still of a version.

        Raises:
            ImageError: It is another one now.
            OSError: It can't be read.
            SourceError: Nothing in the store can.
        """
        end = version.bytes if end is None else min(end, version.bytes)
        if end <= start:
            return b""
        data = self._asked(self._read, name, version, start, end)
        if len(data) != end - start:
            detail = f"{end - start:,} bytes were expected, {len(data):,} came"
            raise ImageError("changed", f"the object isn't what was listed ({detail})")
        return data

    def _asked(self, request: Callable[..., T], *arguments: object) -> T:
        """Make a request, whose errors are left as `_translated` has them."""
        try:
            answer = request(*arguments)
        except BaseException as error:  # noqa: BLE001 -- obstore's panics are no Exceptions
            settled = self._settled(error)
        else:
            self._failed = 0
            return answer
        try:
            raise settled  # here, where it has no context that could be shown
        finally:
            del settled  # whose traceback knows this frame: they would keep each other

    def _settled(self, error: BaseException) -> BaseException:
        """What to raise; for the last of many failures in a row, what ends everything."""
        if isinstance(error, PenultError | KeyboardInterrupt | SystemExit | MemoryError):
            return error
        settled = self._translated(error)
        if not isinstance(settled, PassingError):
            return settled
        with self._lock:
            self._failed += 1
            if self._failed < PATIENCE:
                return settled
        store = quoted(self._address.store)
        return SourceError(
            f"{store} has stopped answering ({settled.strerror}, {PATIENCE} objects in a row): "
            "run again to continue"
        )


def tagged(size: int, tag: str) -> Version:
    """The version of an object by what its store calls it, its ETag.

    A table has a time in this place; such a number is before 1970, where no object's time is.
    """
    digest = hashlib.blake2b(tag.encode(), digest_size=8).digest()
    return Version(size, -1 - (int.from_bytes(digest) >> 2))
