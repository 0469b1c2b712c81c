"""Where images come from: folders, files, patterns and lists of paths.

A folder is walked depth first, each level sorted by name. Taken are regular files with an image's
extension. Hidden entries (`.name`), symbolic links, devices and pipes inside it are left alone, so
no loop is followed and nothing outside is read. A subfolder that can't be listed isn't passed over:
it comes out as an item whose key ends in `/`, and fails when it is read. What the user names (a
single file, a pattern's matches, the lines of a list) is taken whatever its extension.
"""

import math
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from itertools import chain, takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias, cast

from penult.errors import SourceError, UsageError
from penult.images.decode import ImageLike
from penult.images.names import as_key, from_key, reason
from penult.util.files import held_time
from penult.util.text import quoted

if TYPE_CHECKING:
    from io import BufferedReader

IMAGE_SUFFIXES = (
    *(".apng", ".avif", ".avifs", ".bmp", ".gif", ".heic", ".heics", ".heif", ".heifs", ".hif"),
    *(".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"),
)
_MAGIC = frozenset("*?[")
_LEFT_OUT = "hidden files, links and, in a folder, other extensions are left alone unless named"
_CONTAINERS = {  # by a signature at a place
    "zip": (0, b"PK\3\4"),
    "tar": (257, b"ustar"),
    "gzip": (0, b"\x1f\x8b"),
    "zstd": (0, b"\x28\xb5\x2f\xfd"),
    "Parquet": (0, b"PAR1"),
}
_LIST_START = 1 << 16  # bytes of a list by which its encoding is told
_ALL_BELOW = ("**", "*")

StrPath: TypeAlias = str | os.PathLike[str]
Sources: TypeAlias = StrPath | Sequence[StrPath]


class Version(NamedTuple):
    """What tells an image from another one in its place, without reading it."""

    bytes: int
    mtime_ns: int


class Item(Protocol):
    """One image of a source; nothing is looked at or read before it is asked for."""

    @property
    def key(self) -> str:
        """The name it is stored under, unique in a run."""

    @property
    def place(self) -> str:
        """Where it is, written like a key: the `path` of a table's row."""

    @property
    def image(self) -> ImageLike:
        """What is decoded: a local file's path, which decoders read themselves, or bytes."""

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

    def covers(self, place: str) -> bool:
        """Whether an image at a place, written like a key, is below its folders or patterns."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image in a file: the key it is stored under, and the file's absolute path.

    The path is text: a `Path` takes longer to make than the file to look at.
    """

    key: str
    path: str

    @property
    def place(self) -> str:
        """The path, written like a key."""
        return as_key(self.path)

    @property
    def image(self) -> str:
        """The path."""
        return self.path

    def version(self) -> Version:
        """The file's size and the time of its last change, as tables hold it."""
        status = os.stat(self.path)  # noqa: PTH116 -- by text
        return Version(status.st_size, held_time(status.st_mtime_ns))

    def digest(self) -> str | None:
        """SHA-256 of a regular file; None for others: to open a pipe would wait for ever."""
        import hashlib  # decoder processes have no use for it

        if not stat.S_ISREG(os.stat(self.path).st_mode):  # noqa: PTH116
            return None
        with open(self.path, "rb") as file:  # noqa: PTH123
            return hashlib.file_digest(file, "sha256").hexdigest()


class _Listing(NamedTuple):
    """The files that one name stands for."""

    start: str  # the folder that they are in or below, as written
    folder: str  # the same, absolute and without links
    names: Iterator[str]  # their paths below it
    wanted: Sequence[str] = ()  # what a folder's or a pattern's paths fit, part by part

    def covers(self, path: str) -> bool:
        return path.startswith(self.folder) and _fits(
            path.removeprefix(self.folder).split("/"), self.wanted
        )


def find_images(sources: Sources = (), *, from_file: StrPath | None = None) -> Source:
    """Find the images of all sources, in the order given.

    With one source, keys are relative to it: the path below a folder or below a pattern's fixed
    start, a single file's name. With several, or with a list, every key is the path as written, so
    two files never share one, and a file met twice is taken once, under its first key.

    Args:
        sources: Folders, files and patterns (`*`, `?`, `[…]`, and `**` for folders at any depth).
        from_file: A list of paths, one a line, or `-` for standard input.

    Raises:
        SourceError: A source doesn't exist, can't be listed or holds no image.
        UsageError: There is no source.
    """
    absolute = cache(_absolute)
    listings = [_listing(os.fspath(source), absolute) for source in as_sequence(sources)]
    relative = len(listings) == 1 and from_file is None
    if from_file is not None:
        listings.append(_lines(os.fspath(from_file), absolute))
    if not listings:
        raise UsageError("no source of images: name a folder, a file, a pattern or a list of paths")
    return _LocalFiles(listings, relative=relative)


def as_sequence(sources: Sources) -> Sequence[StrPath]:
    """Sources as a sequence, of which a single one may stand without."""
    return [sources] if isinstance(sources, str | os.PathLike) else sources


class _LocalFiles:
    """Files on this machine, as a source."""

    def __init__(self, listings: Sequence[_Listing], *, relative: bool) -> None:
        self._listings = listings
        self._folders = [listing for listing in listings if listing.wanted]
        self._relative = relative

    def __iter__(self) -> Iterator[ImageFile]:
        if self._relative:
            [(_, folder, names, _)] = self._listings
            return (ImageFile(as_key(name), folder + name) for name in names)
        return self._once_each()

    def _once_each(self) -> Iterator[ImageFile]:
        seen: set[str] = set()
        for start, folder, names, _ in self._listings:
            for name in names:
                path = str(Path(folder, name))  # links in `name` stay: to resolve them costs time
                if path not in seen:
                    seen.add(path)
                    yield ImageFile(as_key(start + name), path)

    def covers(self, place: str) -> bool:
        path = from_key(place)
        return any(listing.covers(path) for listing in self._folders)


def _absolute(folder: str) -> str:
    """A folder as an absolute path without links, ending in a slash."""
    return os.path.realpath(folder).replace(os.sep, "/").rstrip("/") + "/"


def _listing(source: str, absolute: Callable[[str], str]) -> _Listing:
    if "://" in source:
        raise SourceError(f"{quoted(source)} is an address: name files or folders of this machine")
    try:
        mode = os.stat(source).st_mode  # noqa: PTH116 -- to Path, "" is the current folder
    except (OSError, ValueError) as error:
        if not _MAGIC.isdisjoint(source):
            return _pattern(source, absolute)
        missing = f"no source {quoted(source)} (in {quoted(str(Path.cwd()))}): {reason(error)}"
        raise SourceError(f"{missing}; check the path") from error
    if stat.S_ISDIR(mode):
        start = source.replace(os.sep, "/").rstrip("/") + "/"
        folder = absolute(start)
        names = _not_empty(_images(folder), f"no images in {quoted(source)}", _LEFT_OUT)
        return _Listing(start, folder, names, _ALL_BELOW)
    if stat.S_ISREG(mode):
        _require_no_container(source)
        name = Path(source).name
        start = source.removesuffix(name)
        return _Listing(start, absolute(start), iter([name]))
    raise SourceError(f"{quoted(source)} is a device or a pipe: name a file or a folder")


def _require_no_container(source: str) -> None:
    """Refuse a file of many images, of which one would be made that is none."""
    try:
        with Path(source).open("rb") as file:
            start = file.read(512)
    except OSError:
        return  # decoding will say so
    for kind, (place, signature) in _CONTAINERS.items():
        if start[place:].startswith(signature):
            raise SourceError(
                f"{quoted(source)} is a {kind} file, of which no images are read: unpack it, and "
                "name the folder"
            )


def _pattern(source: str, absolute: Callable[[str], str]) -> _Listing:
    start, wanted = _parts(source)
    complaint = f"nothing matches {quoted(source)}"
    with _refused(complaint):
        folder = absolute(start)
    names = _not_empty(_matches(folder, wanted), complaint, _LEFT_OUT)
    return _Listing(start, folder, names, wanted)


def _lines(source: str, absolute: Callable[[str], str]) -> _Listing:
    names = _not_empty(_paths(source), f"no paths in the list {quoted(source)}", "one a line")
    return _Listing("", absolute(""), names)


def _not_empty(names: Iterator[str], complaint: str, hint: str) -> Iterator[str]:
    """Find the first now, so that a source without any is refused before anything else is done."""
    names = _all(names, complaint)
    first = next(names, None)
    if first is None:
        raise SourceError(f"{complaint}: {hint}")
    return chain([first], names)


def _all(names: Iterator[str], complaint: str) -> Iterator[str]:
    with _refused(complaint):
        yield from names


@contextmanager
def _refused(complaint: str) -> Iterator[None]:
    """Say what the system's refusal is about."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise SourceError(f"{complaint}: {reason(error)}") from error


def _images(folder: str) -> Iterator[str]:
    taken = (*IMAGE_SUFFIXES, "/")
    return (name for name in _walk(folder) if name.lower().endswith(taken))


def _matches(folder: str, wanted: Sequence[str]) -> Iterator[str]:
    levels = math.inf if "**" in wanted else len(wanted)
    for name in _walk(folder, levels):
        if name.endswith("/") or _fits(name.split("/"), wanted):
            yield name


def _parts(pattern: str) -> tuple[str, list[str]]:
    """Split a pattern into its fixed start, a folder, and what is wanted below it."""
    parts = pattern.replace(os.sep, "/").split("/")
    fixed = list(takewhile(_MAGIC.isdisjoint, parts))
    return "".join(part + "/" for part in fixed), parts[len(fixed) :]


def _fits(parts: list[str], wanted: Sequence[str]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_fits(parts[skipped:], wanted[1:]) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _fits(parts[1:], wanted[1:])


def _walk(root: str, levels: float = math.inf) -> Iterator[str]:
    """The regular files below `root/`, sorted; a folder that can't be listed, with a `/` added."""
    pending = _entries(root)
    while pending:
        entry = pending.pop()
        rest = entry.path.removeprefix(root).replace(os.sep, "/")
        if entry.is_file(follow_symlinks=False):
            yield rest
        elif entry.is_dir(follow_symlinks=False) and rest.count("/") + 1 < levels:
            try:
                pending += _entries(entry.path)
            except OSError:
                yield rest + "/"


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder and not hidden, last name first: the walk takes from the end."""
    with os.scandir(folder) as entries:
        visible = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(visible, key=lambda entry: entry.name, reverse=True)


def _paths(source: str) -> Iterator[str]:
    """The lines of a list in UTF-8, or what stands between NULs, as `find -print0` writes it."""
    stdin = cast("BufferedReader", sys.stdin.buffer)
    with nullcontext(stdin) if source == "-" else Path(source).open("rb") as file:
        start = file.read1(_LIST_START)
        nulls = max(start[::2].count(0), start[1::2].count(0))  # every second byte of Latin text
        if start.startswith((b"\xff\xfe", b"\xfe\xff")) or 5 * nulls > 2 * len(start):
            raise SourceError(
                f"the list {quoted(source)} is UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"
            )
        rest = iter(lambda: file.read1(_LIST_START), b"")
        pieces = chain([start.removeprefix(b"\xef\xbb\xbf")], rest)
        for line in _split(pieces, b"\0" if b"\0" in start else b"\n"):
            path = line.removesuffix(b"\r")
            if path.strip():
                yield os.fsdecode(path)


def _split(pieces: Iterable[bytes], separator: bytes) -> Iterator[bytes]:
    before = b""
    for piece in pieces:
        *whole, before = (before + piece).split(separator)
        yield from whole
    yield before
