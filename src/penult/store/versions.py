"""Which versions of a table there are, and the newest that is whole.

Lance makes a version by one manifest that names all its files, and neither can be trusted after a
power cut: tables come from elsewhere, disks lie. A version is taken only if every file is there,
as long as it should be, and ends as it should; otherwise the one before is.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from penult.errors import StoreError
from penult.store.messages import DamageError, wrap_errors
from penult.util.text import quoted

if TYPE_CHECKING:
    from lance import FragmentMetadata, LanceDataset

METADATA_BYTES = 4 << 20  # that Lance may cache: beyond, a run of many commits keeps what it wrote
LOCK = "_penult.lock"
ADDING = "_penult_adding"  # tables of layers that the table is to get
PROBE = "_penult.probe"  # there while other machines write to the table too
_PARTS = {LOCK, ADDING, PROBE, "_versions", "_transactions", "_deletions", "_indices", "data"}
_MANIFEST = re.compile(r"(\d{20})\.manifest")
_LAST = 2**64 - 1  # a manifest is named this less its version, so that the newest sorts first
_MAGIC = b"LANC"  # ends a manifest and a data file
_ENDED = {".manifest", ".lance"}

T = TypeVar("T")


def local(path: str | os.PathLike[str]) -> Path:
    """The path of a table.

    Raises:
        StoreError: If it is a URL: syncing and locking need a file system.
    """
    if "://" in os.fspath(path):
        raise StoreError(f"{quoted(path)}: tables live in local folders; copy it there")
    return Path(path)


def uri(path: Path) -> str:
    """A path that Lance takes for one, whatever is in it."""
    return str(path.resolve())


def manifest(path: Path, version: int) -> Path:
    """The file that makes a version."""
    return path / "_versions" / f"{_LAST - version:020}.manifest"


def versions(path: Path) -> list[int]:
    """Versions of a table that have a manifest, newest first; none if there's no table."""
    with wrap_errors(f"can't read {quoted(path)}"):
        try:
            names = [entry.name for entry in (path / "_versions").iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
    return sorted((_LAST - int(m[1]) for m in map(_MANIFEST.fullmatch, names) if m), reverse=True)


def stamp(path: Path) -> tuple[int, int] | None:
    """What tells the newest version from any other, cheaply; None if there's none to be read."""
    try:
        newest_version = versions(path)[0]
        return newest_version, manifest(path, newest_version).stat().st_mtime_ns
    except (OSError, IndexError, StoreError):
        return None


def is_empty(path: Path) -> bool:
    """Whether no rows were ever stored: a table may have been cut short in the making."""
    return not any((path / "data").glob("*.lance"))


def require_table(path: Path) -> None:
    """Raise a StoreError that says what stands at `path` if it isn't a table."""
    if not versions(path):
        require_free(path)
        what = "an empty folder" if path.exists() else "nothing"
        raise StoreError(f"{quoted(path)}: there is {what}, expected a table: run extract first")


def require_free(path: Path) -> None:
    """Raise a StoreError if something stands at `path` that no table may be made of."""
    with wrap_errors(f"can't read {quoted(path)}"):
        if not path.exists():
            return
        if not path.is_dir():
            raise StoreError(f"{quoted(path)} is a file, expected a folder that `extract` wrote")
        strangers = sorted({entry.name for entry in path.iterdir()} - _PARTS)
    if strangers:
        raise StoreError(
            f"{quoted(path)} is no table of features but a folder with {quoted(strangers[0])}: "
            "give the path of a table"
        )


def newest(path: Path, read: Callable[["LanceDataset"], T]) -> tuple["LanceDataset", T, str | None]:
    """Open the newest version that is whole.

    Args:
        path: Folder of the table.
        read: Reads what the caller needs at once; a DamageError in it counts as not whole.

    Returns:
        The version, what `read` gave, and a line that says so if newer ones were passed over.

    Raises:
        StoreError: If there's no such version.
    """
    damage = None
    for version in versions(path):
        try:
            dataset = _whole(path, version)
            with wrap_errors("its rows"):
                found = read(dataset)
        except DamageError as exc:
            damage = damage or f"{quoted(path)}: version {version} can't be read ({exc})"
        except StoreError as exc:
            raise StoreError(f"{quoted(path)}: {exc}") from exc
        else:
            return dataset, found, damage and f"{damage}, going on from version {version}"
    raise StoreError(f"{damage}, nor any other: delete this table and run again")


def set_aside(path: Path, good: int) -> bool:
    """Rename manifests that are newer than `good` or cut, which Lance would trip over.

    Returns:
        Whether there were any.
    """
    bad = [v for v in versions(path) if v > good or _damage(manifest(path, v))]
    for file in (manifest(path, version) for version in bad):
        file.replace(file.with_name(f"{file.name}.unreadable"))
    return bool(bad)


def files(path: Path, fragment: "FragmentMetadata") -> Iterator[tuple[Path, int | None]]:
    """Files of a fragment, with their sizes where the manifest knows them."""
    for data in fragment.files:
        if data.base_id is not None:
            raise StoreError(f"a data file lies outside of the table: {quoted(data.path)}")
        yield path / "data" / str(data.path), data.file_size_bytes
    if gone := fragment.deletion_file:
        suffix = "arrow" if gone.file_type == "array" else "bin"
        name = f"{fragment.id}-{gone.read_version}-{gone.id}.{suffix}"
        yield path / "_deletions" / name, None


def _whole(path: Path, version: int) -> "LanceDataset":
    """Open one version, all of whose files are there and end as they should."""
    import lance

    require_whole(manifest(path, version))
    with wrap_errors("its manifest"):
        dataset = lance.dataset(
            uri(path), version=version, metadata_cache_size_bytes=METADATA_BYTES
        )
        for base in dataset.base_paths().values():  # which may be in anybody's bucket
            raise StoreError(f"files of it lie outside of the table: {quoted(base.path)}")
        fragments = [fragment.metadata for fragment in dataset.get_fragments()]
    for fragment in fragments:
        for file, size in files(path, fragment):
            require_whole(file, size)
    with wrap_errors("its data"):
        _probe(dataset, [fragment.num_rows for fragment in fragments])
    return dataset


def _probe(dataset: "LanceDataset", rows: Sequence[int]) -> None:
    """Read a row of each fragment.

    Damage within a file is an exception here. A scan would hand it over as a C string, and abort
    the process if there is a NUL in it.
    """
    starts = [0, *accumulate(rows)][:-1]
    if starts:
        dataset.take(starts)


def require_whole(file: Path, size: int | None = None) -> None:
    """Raise a DamageError if a file isn't there, or isn't as long or doesn't end as it should."""
    if damage := _damage(file, size):
        raise DamageError(f"{_name(file)} {damage}")


def _damage(file: Path, size: int | None = None) -> str | None:
    """What is wrong with a file's length or, if Lance marks its end, with that."""
    try:
        with file.open("rb") as stream:
            found = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, found - len(_MAGIC)))
            end = stream.read()
    except FileNotFoundError:
        return "is missing"
    except OSError as exc:
        raise StoreError(f"can't read {_name(file)}: {exc.strerror}") from exc
    if not found or (size and found != size):
        return f"has {found} of {size or 'its'} bytes"
    return "is cut or overwritten" if file.suffix in _ENDED and end != _MAGIC else None


def _name(file: Path) -> str:
    """A file as messages call it: in its folder in the table."""
    return quoted("/".join(file.parts[-2:]))
