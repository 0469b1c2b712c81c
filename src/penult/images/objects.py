"""Objects of buckets as images of a source: listed while they are found, read when they are wanted.

The rules are a folder's: what begins with a prefix is taken by its extension, hidden parts of names
are left alone, and what is named alone is taken whatever it is called.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

from penult.errors import ImageError, PenultError, SourceError
from penult.images.addresses import Address, is_address, named, parse, without_secrets
from penult.images.items import Stored, Version
from penult.images.limits import DEFAULT
from penult.images.members import IMAGE_SUFFIXES
from penult.images.names import as_key, from_key, is_container, reason
from penult.images.patterns import ALL_BELOW, MAGIC, fits, is_series, parts, series
from penult.images.stores import allow, look, store_of, store_to_read
from penult.util.text import quoted

LOOKED_AT = 256  # objects of a list that are looked at together
AT_ONCE = 32  # requests


class _Buckets:
    """What objects come from, which can name one again."""

    def item(self, key: str, place: str, version: Version) -> "ObjectItem":
        """Name an object again; no time of change stands for one that couldn't be looked at."""
        return ObjectItem(from_key(place), version if version.mtime_ns else None)


_BUCKETS = _Buckets()


@dataclass(frozen=True, slots=True)
class ObjectItem(Stored):
    """An object as an item of a source: its address, and its version if that was listed."""

    path: str
    listed: Version | None = None

    @property
    def origin(self) -> "_Buckets":
        """All buckets."""
        return _BUCKETS

    @property
    def key(self) -> str:
        """The address, written like a key."""
        return as_key(self.path)

    @property
    def place(self) -> str:
        """The same."""
        return as_key(self.path)

    @property
    def image(self) -> Stored:
        """Itself."""
        return self

    @property
    def is_far(self) -> bool:
        """It is: it takes a request to read it."""
        return True

    @property
    def size(self) -> int:
        """Its bytes; 0 if it wasn't listed."""
        return self.listed.bytes if self.listed else 0

    def version(self) -> Version:
        """Its size and what stands for its ETag, as it was listed, or else as it is."""
        return self.listed or look(self.path)

    def digest(self) -> str | None:
        """SHA-256 of its bytes; None if it has more than an image may have."""
        import hashlib

        if self.version().bytes > DEFAULT.bytes:
            return None
        try:
            return hashlib.sha256(self.read(DEFAULT.bytes)).hexdigest()
        except ImageError as error:
            raise ValueError(str(error)) from error

    def read(self, max_bytes: int) -> bytes:
        """Its bytes, if it still has the version that was listed."""
        try:
            version = self.version()
            if version.bytes > max_bytes:
                detail = f"{version.bytes:,} bytes, the limit is {max_bytes:,}"
                raise ImageError("too_large", detail)
            address = parse(self.path)
            return store_to_read(address).read(address.name, version)
        except OSError as error:
            raise ImageError("unreadable", reason(error)) from error


class ObjectFile(NamedTuple):
    """An image or a file of many, by its address."""

    path: str
    version: Version | None


class Objects(NamedTuple):
    """The objects that one address stands for."""

    found: Iterator[ObjectFile]
    start: str  # the address that those of a prefix or a pattern begin with
    wanted: Sequence[str] = ()  # what the rest of them fits, part by part

    def covers(self, path: str) -> bool:
        """Whether an object is one of these."""
        return bool(self.wanted) and path.startswith(self.start) and self._fits(path)

    def _fits(self, path: str) -> bool:
        rest = path.removeprefix(self.start).split("/")
        return not any(part.startswith(".") for part in rest) and fits(rest, self.wanted)


def find_objects(source: str) -> Objects:
    """Find what an address stands for: an object, all below a prefix, or a pattern's matches.

    Raises:
        SourceError: There is none, its bucket can't be read, or the address is of no kind that is.
    """
    address = named(source)
    allow(address)
    if is_series(source):
        start, rest = series(address.name)
        every = (str(address._replace(name=start + name)) for name in rest)
        return Objects(looked_at(every), "")
    if not MAGIC.isdisjoint(address.name):
        start, wanted = parts(address.name)
        hint = f"nothing matches {quoted(source)}: hidden names are left alone"
        return _matches(address._replace(name=start), wanted, hint)
    path = str(address)
    if is_container(path) and not path.endswith("/"):
        return Objects(iter([ObjectFile(path, None)]), path)
    if address.name and not path.endswith("/"):
        version = _version(path)
        if version is not None:
            return Objects(iter([ObjectFile(path, version)]), path)
    folder = address._replace(name=f"{address.name.rstrip('/')}/" if address.name else "")
    what = "images" if source.endswith("/") else "object, nor images"
    hint = (
        f"no {what} in {quoted(source)}: taken are names with an image's extension, archives and "
        f"tables by a pattern ({folder}*.tar)"
    )
    return _matches(folder, ALL_BELOW, hint, IMAGE_SUFFIXES)


def _version(path: str) -> Version | None:
    """An object's version; None if there is no such object."""
    try:
        return look(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SourceError(f"can't read {quoted(path)}: {reason(error)}") from error


def _matches(
    folder: Address, wanted: Sequence[str], complaint: str, suffixes: tuple[str, ...] = ("",)
) -> Objects:
    listed = Objects(iter(()), str(folder), wanted)
    names = _below(folder, listed, suffixes)
    first = next(names, None)  # now, so that a source without any is refused before all else
    if first is None:
        raise SourceError(complaint)
    return listed._replace(found=chain([first], names))


def _below(folder: Address, listed: Objects, suffixes: tuple[str, ...]) -> Iterator[ObjectFile]:
    for name, version in store_of(folder).listed(folder.name):
        path = str(folder._replace(name=name))
        is_marker = not version.bytes and not name.lower().endswith(IMAGE_SUFFIXES)  # of a folder
        if name.lower().endswith(suffixes) and not is_marker and listed.covers(path):
            yield ObjectFile(path, version)


def looked_at(paths: Iterable[str]) -> Iterator[ObjectFile]:
    """Look at the objects among files, many at a time; what can't be will fail when it is read."""
    paths = iter(paths)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        while some := list(islice(paths, LOOKED_AT)):
            yield from (
                threads.map(_looked_at, some)
                if any(map(is_address, some))
                else (ObjectFile(path, None) for path in some)
            )


def _looked_at(path: str) -> ObjectFile:
    if not is_address(path):
        return ObjectFile(path, None)
    try:
        address = named(path)
        allow(address)
        path = str(address)
        version = None if is_container(path) else look(path)
    except OSError:
        version = None
    except PenultError as error:
        raise type(error)(f"{quoted(without_secrets(path))} in a list: {error}") from None
    return ObjectFile(path, version)
