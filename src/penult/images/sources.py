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
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from itertools import chain, takewhile
from pathlib import Path
from typing import TypeAlias

from penult.errors import SourceError, UsageError
from penult.images.names import as_key, reason
from penult.util.text import quoted

IMAGE_SUFFIXES = (
    *(".apng", ".avif", ".avifs", ".bmp", ".gif", ".heic", ".heics", ".heif", ".heifs", ".hif"),
    *(".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"),
)
_MAGIC = frozenset("*?[")
_LEFT_OUT = "hidden files, links and, in a folder, other extensions are left alone unless named"

StrPath: TypeAlias = str | os.PathLike[str]
_Found: TypeAlias = Iterable[tuple[str, str]]  # a source's fixed start, as written; a path below it


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image to read: the key it is stored under, and the file, absolute.

    The path is text: a `Path` takes longer to make than the file to look at.
    """

    key: str
    path: str


def find_images(
    sources: StrPath | Iterable[StrPath] = (), *, from_file: StrPath | None = None
) -> list[ImageFile]:
    """List the images of all sources, in the order given.

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
    named = _several(sources)
    place = cache(_place)
    found = [_listed(os.fspath(source)) for source in named]
    if from_file is not None:
        found.append(_lines(os.fspath(from_file)))
    if not found:
        raise UsageError("no source of images: name a folder, a file, a pattern or a list of paths")
    if len(named) == 1 and from_file is None:
        return [ImageFile(as_key(rest), place(start) + rest) for start, rest in found[0]]
    files: dict[str, ImageFile] = {}
    for start, rest in chain.from_iterable(found):
        path = str(Path(place(start), rest))  # links in `rest` stay: to resolve them costs time
        files.setdefault(path, ImageFile(as_key(start + rest), path))
    return list(files.values())


def scope(sources: StrPath | Iterable[StrPath]) -> Callable[[str], bool]:
    """Return what tells whether a path, absolute, is one that folders or patterns may list."""
    named = [os.fspath(source).replace(os.sep, "/") for source in _several(sources)]
    patterns = [_parts(each) for each in named if not Path(each).exists()]
    parts = [(each.rstrip("/") + "/", ["**", "*"]) for each in named if Path(each).is_dir()]
    starts = [(_place(start), wanted) for start, wanted in parts + patterns]

    def covers(path: str) -> bool:
        return any(
            path.startswith(start) and _fits(path.removeprefix(start).split("/"), wanted)
            for start, wanted in starts
        )

    return covers


def _several(sources: StrPath | Iterable[StrPath]) -> list[StrPath]:
    return [sources] if isinstance(sources, str | os.PathLike) else list(sources)


def _place(start: str) -> str:
    """A source's fixed start, which is a folder, as an absolute path without links."""
    return os.path.realpath(start).replace(os.sep, "/").rstrip("/") + "/"


def _listed(source: str) -> _Found:
    try:
        mode = os.stat(source).st_mode  # noqa: PTH116 -- to Path, "" is the current folder
    except (OSError, ValueError) as error:
        if not _MAGIC.isdisjoint(source):
            return _not_empty(_matched(source), f"nothing matches {quoted(source)}", _LEFT_OUT)
        missing = f"no source {quoted(source)} (in {quoted(str(Path.cwd()))}): {reason(error)}"
        raise SourceError(f"{missing}; check the path") from error
    if stat.S_ISDIR(mode):
        return _not_empty(_folder(source), f"no images in {quoted(source)}", _LEFT_OUT)
    if stat.S_ISREG(mode):
        name = Path(source).name
        return [(source.removesuffix(name), name)]
    raise SourceError(f"{quoted(source)} is a device or a pipe: name a file or a folder")


def _not_empty(found: _Found, complaint: str, hint: str) -> _Found:
    try:
        files = list(found)
    except (OSError, ValueError) as error:
        raise SourceError(f"{complaint}: {reason(error)}") from error
    if not files:
        raise SourceError(f"{complaint}: {hint}")
    return files


def _folder(source: str) -> _Found:
    start = source.replace(os.sep, "/").rstrip("/") + "/"
    taken = (*IMAGE_SUFFIXES, "/")
    return ((start, rest) for rest in _walk(start) if rest.lower().endswith(taken))


def _matched(pattern: str) -> _Found:
    start, wanted = _parts(pattern)
    levels = math.inf if "**" in wanted else len(wanted)
    for rest in _walk(start or "./", levels):
        if rest.endswith("/") or _fits(rest.split("/"), wanted):
            yield start, rest


def _parts(pattern: str) -> tuple[str, list[str]]:
    """Split a pattern into its fixed start, a folder, and what is wanted below it."""
    parts = pattern.replace(os.sep, "/").split("/")
    fixed = list(takewhile(_MAGIC.isdisjoint, parts))
    return "".join(part + "/" for part in fixed), parts[len(fixed) :]


def _fits(parts: list[str], wanted: list[str]) -> bool:
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
    with os.scandir(folder) as found:
        visible = [entry for entry in found if not entry.name.startswith(".")]
    return sorted(visible, key=lambda entry: entry.name, reverse=True)


def _lines(source: str) -> _Found:
    return _not_empty(_paths(source), f"no paths in the list {quoted(source)}", "one a line")


def _paths(source: str) -> _Found:
    with nullcontext(sys.stdin.buffer) if source == "-" else Path(source).open("rb") as lines:
        for line in lines:
            path = line.removesuffix(b"\n").removesuffix(b"\r")
            if path.strip():
                yield "", os.fsdecode(path)
