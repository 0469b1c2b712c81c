"""Where images come from: folders, files, archives, buckets, patterns and lists of paths.

A folder is walked depth first, each level sorted by name. Taken are regular files with an image's
extension. Hidden entries (`.name`), symbolic links, devices and pipes inside it are left alone, so
no loop is followed and nothing outside is read. A subfolder that can't be listed isn't passed over:
it comes out as an item whose key ends in `/`, and fails when it is read. What the user names (a
single file, a pattern's matches, the lines of a list) is taken whatever its extension.
"""

import math
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeAlias

from penult.errors import SourceError, UsageError
from penult.images.addresses import is_address
from penult.images.containers import (
    ALL,
    DEFAULT_COLUMNS,
    Columns,
    Share,
    container_items,
    require_images,
)
from penult.images.datasets import require_metadata, saved_tables
from penult.images.items import ImageFile, Item, Source, Version
from penult.images.members import IMAGE_SUFFIXES
from penult.images.names import CONTAINERS, as_key, from_key, is_container, reason, within
from penult.images.objects import ObjectItem, Objects, find_objects, looked_at
from penult.images.patterns import ALL_BELOW, MAGIC, fits, is_series, parts, series
from penult.util.lists import names_in
from penult.util.seen import Seen
from penult.util.text import quoted

_LEFT_OUT = "hidden files, links and, in a folder, other extensions are left alone unless named"
_SIGNATURES = {  # of files of many images, at a place
    "zip": (0, b"PK\3\4"),
    "tar": (257, b"ustar"),
    "gzip": (0, b"\x1f\x8b"),
    "zstd": (0, b"\x28\xb5\x2f\xfd"),
    "Parquet": (0, b"PAR1"),
}

StrPath: TypeAlias = str | os.PathLike[str]
Sources: TypeAlias = StrPath | Sequence[StrPath]


_Found: TypeAlias = tuple[str, str, Version | None]  # a key, a path or address, what is known


class _Listing(NamedTuple):
    """The files that one name stands for."""

    start: str  # the folder that they are in or below, as written
    folder: str  # the same, absolute and without links
    names: Iterator[str]  # their paths below it
    wanted: Sequence[str] = ()  # what a folder's or a pattern's paths fit, part by part

    def covers(self, path: str) -> bool:
        return path.startswith(self.folder) and fits(
            path.removeprefix(self.folder).split("/"), self.wanted
        )


def find_images(
    sources: Sources = (),
    *,
    from_file: StrPath | None = None,
    columns: Columns = DEFAULT_COLUMNS,
    share: Share = ALL,
) -> Source:
    """Find the images of all sources, in the order given.

    With one source, keys are relative to it: the path below a folder or below a pattern's fixed
    start, a single file's name. With several, or with a list, every key is the path as written, so
    two files never share one, and a file met twice is taken once, under its first key. The key of
    an object is always its address.

    Args:
        sources: Folders, files, archives and patterns: `*`, `?`, `[…]`, `**` for folders at any
            depth, and `{0000..0127}` for numbered files; addresses of the same in buckets.
        from_file: A list of paths and addresses, one a line, or `-` for standard input.
        columns: Which columns of tables hold the images and their keys.
        share: Which part of all images is listed.

    Raises:
        SourceError: A source doesn't exist, can't be listed or holds no image.
        UsageError: There is no source.
    """
    absolute = cache(_absolute)
    listings = [_listing(os.fspath(source), absolute, columns) for source in as_sequence(sources)]
    relative = len(listings) == 1 and from_file is None
    if from_file is not None:
        listings.append(_lines(os.fspath(from_file), absolute))
    if not listings:
        raise UsageError("no source of images: name a folder, a file, a pattern or a list of paths")
    return _Files(listings, columns, share, relative=relative)


def as_sequence(sources: Sources) -> Sequence[StrPath]:
    """Sources as a sequence, of which a single one may stand without."""
    return [sources] if isinstance(sources, str | os.PathLike) else sources


class _Files:
    """Files on this machine and in buckets, and the images in those that hold many, as a source.

    Attributes:
        metadata: Lists in folders that say something of their images, if that is to be kept.
    """

    def __init__(
        self,
        listings: Sequence[_Listing | Objects],
        columns: Columns,
        share: Share,
        *,
        relative: bool,
    ) -> None:
        self._share = share
        self._listings = listings
        self._columns = columns
        self._folders = [listing for listing in listings if listing.wanted]
        self._containers: set[str] = set()  # that were met
        self._keys = Seen()  # that a column has
        self._relative = relative
        self.metadata = [
            path
            for listing in self._listings
            if columns.keep and listing.wanted == ALL_BELOW and isinstance(listing, _Listing)
            for path in _lists(listing.folder, columns.keep)
        ]

    def __iter__(self) -> Iterator[Item]:
        for key, path, version in self._one() if self._relative else self._once_each():
            if is_container(path):
                self._containers.add(path)
                items = container_items(key, path, self._columns, self._share)
                yield from items if self._columns.key is None else self._distinct(items)
            elif self._columns.keep and not self._is_listed(path):
                raise SourceError(f"{quoted(path)} is no table, so has no columns to keep")
            elif self._share.holds(key):
                yield ObjectItem(path, version) if is_address(path) else ImageFile(key, path)

    def _is_listed(self, path: str) -> bool:
        """Whether a list beside images may tell something of a file."""
        return any(path.startswith(each.rpartition("/")[0] + "/") for each in self.metadata)

    def _distinct(self, items: Iterable[Item]) -> Iterator[Item]:
        """Refuse keys that come twice: names of files can't, what a column says can."""
        for item in items:
            if not self._keys.add(item.key):
                raise SourceError(
                    f"column {quoted(self._columns.key)} has {quoted(item.key)} twice, again at "
                    f"{quoted(item.place)}: keys have to differ"
                )
            yield item

    def _one(self) -> Iterator[_Found]:
        [listing] = self._listings
        if isinstance(listing, Objects):
            return _each(listing)
        return ((as_key(name), listing.folder + name, None) for name in listing.names)

    def _once_each(self) -> Iterator[_Found]:
        seen = Seen()
        return (
            found for found in chain.from_iterable(map(_each, self._listings)) if seen.add(found[1])
        )

    def covers(self, place: str) -> bool:
        inside = within(place)
        path = from_key(inside.container if inside else place)
        if inside and path in self._containers:
            return True
        return any(listing.covers(path) for listing in self._folders)


def _each(listing: _Listing | Objects) -> Iterator[_Found]:
    if isinstance(listing, Objects):
        return ((as_key(path), path, version) for path, version in listing.found)
    start, folder, names, wanted = listing
    if start or wanted:
        return ((as_key(start + name), str(Path(folder, name)), None) for name in names)
    return (  # links in `name` stay: to resolve them costs time
        (as_key(name), name if is_address(name) else str(Path(folder, name)), version)
        for name, version in looked_at(names)
    )


def _absolute(folder: str) -> str:
    """A folder as an absolute path without links, ending in a slash."""
    return os.path.realpath(folder).replace(os.sep, "/").rstrip("/") + "/"


def _listing(source: str, absolute: Callable[[str], str], columns: Columns) -> _Listing | Objects:
    if is_address(source):
        return _objects(source, columns)
    try:
        mode = os.stat(source).st_mode  # noqa: PTH116 -- to Path, "" is the current folder
    except (OSError, ValueError) as error:
        if is_series(source):
            return _series(source, absolute)
        if not MAGIC.isdisjoint(source):
            return _pattern(source, absolute)
        missing = f"no source {quoted(source)} (in {quoted(str(Path.cwd()))}): {reason(error)}"
        raise SourceError(f"{missing}; check the path") from error
    if stat.S_ISDIR(mode) and not source.rstrip("/").lower().endswith(".lance"):
        start = source.replace(os.sep, "/").rstrip("/") + "/"
        folder = absolute(start)
        names = _not_empty(_of_folder(folder), f"no images in {quoted(source)}", _LEFT_OUT)
        return _Listing(start, folder, names, ALL_BELOW)
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        source = source.rstrip("/")
        name = Path(source).name
        start = source.removesuffix(name)
        folder = absolute(start)
        if is_container(source):
            require_images(folder + name, source, columns)
        else:
            _require_no_container(source)
        return _Listing(start, folder, iter([name]))
    raise SourceError(f"{quoted(source)} is a device or a pipe: name a file or a folder")


def _objects(source: str, columns: Columns) -> Objects:
    objects = find_objects(source)
    if objects.start == source and not objects.wanted and is_container(source):
        require_images(source, source, columns)
    return objects


def _require_no_container(source: str) -> None:
    """Refuse a file of many images by another name, of which one would be made that is none."""
    try:
        with Path(source).open("rb") as file:
            start = file.read(512)
    except OSError:
        return  # decoding will say so
    for kind, (place, signature) in _SIGNATURES.items():
        if start[place:].startswith(signature):
            raise SourceError(
                f"{quoted(source)} is a {kind} file: give it a name that ends in one of "
                f"{', '.join(CONTAINERS)}"
            )


def _pattern(source: str, absolute: Callable[[str], str]) -> _Listing:
    start, wanted = parts(source)
    complaint = f"nothing matches {quoted(source)}"
    with _refused(complaint):
        folder = absolute(start)
    names = _not_empty(_matches(folder, wanted), complaint, _LEFT_OUT)
    return _Listing(start, folder, names, wanted)


def _series(source: str, absolute: Callable[[str], str]) -> _Listing:
    """Files that are numbered, as WebDataset writes them; those that aren't there will fail."""
    start, names = series(source)
    return _Listing(start, absolute(start), names)


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


def _of_folder(folder: str) -> Iterator[str]:
    """The images of a folder; where there are none, its tables, as datasets are kept."""
    found = False
    for name in saved_tables(folder) or _ending(folder, (*IMAGE_SUFFIXES, "/")):
        found = True
        yield name
    if not found:
        yield from _ending(folder, (".parquet",))


def _ending(folder: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    return (name for name in _walk(folder) if name.lower().endswith(suffixes))


def _matches(folder: str, wanted: Sequence[str]) -> Iterator[str]:
    levels = math.inf if "**" in wanted else len(wanted)
    for name in _walk(folder, levels):
        if name.endswith("/") or fits(name.split("/"), wanted):
            yield name


def _lists(folder: str, columns: Sequence[str]) -> list[str]:
    """The lists beside images that say something of them; none where there are tables."""
    if saved_tables(folder) or next(_ending(folder, IMAGE_SUFFIXES), None) is None:
        return []
    return require_metadata(folder, _walk(folder), columns)


def _walk(root: str, levels: float = math.inf) -> Iterator[str]:
    """The regular files below `root/`, sorted; a folder that can't be listed, with a `/` added."""
    pending = [("", _entries(root))]  # folders on the way down, and what is left in each
    while pending:
        folder, names = pending[-1]
        if not names:
            pending.pop()
            continue
        path = folder + names.pop()
        if not path.endswith("/"):
            yield path
        elif path.count("/") < levels:
            try:
                pending.append((path, _entries(root + path)))
            except OSError:
                yield path


def _entries(folder: str) -> list[str]:
    """Files and, with a `/` added, folders that aren't hidden, last name first, for `list.pop`."""
    with os.scandir(folder) as entries:
        visible = (entry for entry in entries if not entry.name.startswith("."))
        names = [
            f"{entry.name}/" if is_folder else entry.name
            for entry in visible
            if (is_folder := entry.is_dir(follow_symlinks=False))
            or entry.is_file(follow_symlinks=False)
        ]
    names.sort(key=lambda name: name.removesuffix("/"), reverse=True)
    return names


def _paths(source: str) -> Iterator[str]:
    """The paths in a list."""
    return (os.fsdecode(name) for name in names_in(source) if name.strip())
