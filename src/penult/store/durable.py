"""What Lance leaves to us: commits that outlive a power cut, and the way back from one that didn't.

Lance puts a version's files in place by renaming them and syncs none of them. So each commit here
syncs what a manifest names before the manifest exists, and the manifest before the commit counts.
A newest version that can't be read all the same (tables come from elsewhere, disks lie) is passed
over for the one before.
"""

# ruff: noqa: PLC0415 -- Lance and Arrow cost start-up time: only imported where used

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from penult.errors import StoreError
from penult.store.messages import DamageError, shown, translated

if TYPE_CHECKING:
    import pyarrow as pa
    from lance import FragmentMetadata, LanceDataset, LanceOperation, Transaction

LOCK = "_penult.lock"
_MAGIC = b"LANC"  # ends a manifest and a data file
_ENDED = {".manifest", ".lance"}
_MANIFEST = re.compile(r"(\d{20})\.manifest")
_LAST = 2**64 - 1  # a manifest is named this less its version, so that the newest sorts first
_PARTS = {LOCK, "_versions", "_transactions", "_deletions", "_indices", "data"}

T = TypeVar("T")
_Prepared: TypeAlias = "tuple[Transaction, Iterable[FragmentMetadata]]"


def local(path: str | os.PathLike[str]) -> Path:
    """The path of a table.

    Raises:
        StoreError: If it is a URL: syncing and locking need a file system.
    """
    if "://" in os.fspath(path):
        raise StoreError(f"{shown(path)}: tables live in local folders; copy it there")
    return Path(path)


def versions(path: Path) -> list[int]:
    """Versions of a table that have a manifest, newest first; none if there's no table."""
    try:
        names = [entry.name for entry in (path / "_versions").iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as exc:
        raise StoreError(f"can't list {shown(path)}: {exc.strerror}") from exc
    return sorted((_LAST - int(m[1]) for m in map(_MANIFEST.fullmatch, names) if m), reverse=True)


def require_table(path: Path) -> None:
    """Raise a StoreError that says what stands at `path` if it isn't a table."""
    if not versions(path):
        require_free(path)
        what = "an empty folder" if path.exists() else "nothing"
        raise StoreError(f"{shown(path)}: there is {what}, expected a table: run extract first")


def require_free(path: Path) -> None:
    """Raise a StoreError if something stands at `path` that no table may be made of."""
    if not path.exists():
        return
    if not path.is_dir():
        raise StoreError(f"{shown(path)} is a file, expected a folder that `extract` wrote")
    strangers = sorted({entry.name for entry in path.iterdir()} - _PARTS)
    if strangers:
        raise StoreError(
            f"{shown(path)} is no table of features but a folder with {shown(strangers[0])}: "
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
            with translated(f"version {version}"):
                found = read(dataset)
        except DamageError as exc:
            damage = damage or f"{shown(path)}: version {version} can't be read ({exc})"
        except StoreError as exc:
            raise StoreError(f"{shown(path)}: {exc}") from exc
        else:
            return dataset, found, damage and f"{damage}, going on from version {version}"
    raise StoreError(f"{damage}, nor any other: delete this table and run again")


def set_aside(path: Path, good: int) -> None:
    """Rename manifests that are newer than `good` or cut; Lance would trip over them."""
    bad = [v for v in versions(path) if v > good or _end_damage(_manifest(path, v))]
    for version in bad:
        manifest = _manifest(path, version)
        manifest.replace(manifest.with_name(f"{manifest.name}.unreadable"))
    if bad:
        sync_all([_manifest(path, good)])


def create(path: Path, schema: "pa.Schema") -> None:
    """Make an empty table."""
    import lance

    lance.write_dataset(schema.empty_table(), _uri(path), mode="create")
    sync_all(file for file in path.rglob("*") if file.is_file())
    _sync(path)
    _sync(path.parent)


def commit(
    path: Path, dataset: "LanceDataset", batch: "pa.Table", *, replace: bool
) -> "LanceDataset":
    """Add rows in one version, on disk when this returns.

    Args:
        path: Folder of the table.
        dataset: Its newest version.
        batch: The rows, each key once.
        replace: Whether keys may be in the table; their old rows go then.
    """
    import lance

    transaction, fragments = (_replacement if replace else _addition)(dataset, batch)
    sync_all(file for fragment in fragments for file, _ in _files(path, fragment))
    after = lance.LanceDataset.commit(dataset, transaction)
    _sync_versions(path, dataset.version, after.version)
    return after


def _addition(dataset: "LanceDataset", batch: "pa.Table") -> _Prepared:
    """Write files that no version names yet."""
    import lance
    from lance.fragment import write_fragments

    fragments = write_fragments(batch, dataset)
    return lance.Transaction(dataset.version, lance.LanceOperation.Append(fragments)), fragments


def _replacement(dataset: "LanceDataset", batch: "pa.Table") -> _Prepared:
    """As `_addition`, with marks on the old rows of the batch's keys."""
    merge = dataset.merge_insert("key").when_matched_update_all().when_not_matched_insert_all()
    transaction, _ = merge.execute_uncommitted(batch)
    operation = cast("LanceOperation.Update", transaction.operation)
    return transaction, [*operation.new_fragments, *operation.updated_fragments]


def compact(
    path: Path, dataset: "LanceDataset", fragment_rows: int, batch_rows: int, keep: int
) -> "LanceDataset":
    """Join fragments to some of `fragment_rows`, then remove all but the last `keep` versions."""
    import lance

    before, old = dataset.version, {fragment.fragment_id for fragment in dataset.get_fragments()}
    dataset.optimize.compact_files(target_rows_per_fragment=fragment_rows, batch_size=batch_rows)
    after = lance.dataset(_uri(path))
    joined = [f.metadata for f in after.get_fragments() if f.fragment_id not in old]
    sync_all(file for fragment in joined for file, _ in _files(path, fragment))
    _sync_versions(path, before, after.version)
    after.cleanup_old_versions(
        retain_versions=keep,
        delete_unverified=True,  # leftovers of killed runs: the lock says that none is alive
        error_if_tagged_old_versions=False,
    )
    return after


def sync_all(files: Iterable[Path]) -> None:
    """Wait until files and their names in their folders are on the disk."""
    files = list(files)
    for file in files:
        _sync(file)
    for folder in dict.fromkeys(file.parent for file in files):
        _sync(folder)


def _whole(path: Path, version: int) -> "LanceDataset":
    """Open one version, all of whose files are there and end as they should."""
    import lance

    _require_whole(_manifest(path, version))
    with translated(f"version {version}"):
        dataset = lance.dataset(_uri(path), version=version)
        fragments = [fragment.metadata for fragment in dataset.get_fragments()]
    if dataset.version != version:
        raise DamageError(f"its manifest calls itself version {dataset.version}")
    for fragment in fragments:
        for file, size in _files(path, fragment):
            _require_whole(file, size)
    with translated(f"version {version}"):
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


def _files(path: Path, fragment: "FragmentMetadata") -> Iterator[tuple[Path, int | None]]:
    """Files of a fragment with their sizes, where the manifest knows them."""
    for data in fragment.files:
        if data.base_id is not None:
            raise StoreError(f"a data file lies outside of the table: {shown(data.path)}")
        yield path / "data" / str(data.path), data.file_size_bytes
    if gone := fragment.deletion_file:
        suffix = "arrow" if gone.file_type == "array" else "bin"
        name = f"{fragment.id}-{gone.read_version}-{gone.id}.{suffix}"
        yield path / "_deletions" / name, None


def _require_whole(file: Path, size: int | None = None) -> None:
    if damage := _end_damage(file, size):
        raise DamageError(f"{shown(file.relative_to(file.parent.parent))} {damage}")


def _end_damage(file: Path, size: int | None = None) -> str | None:
    """What is wrong with a file's length or, if Lance wrote it, with its last bytes."""
    try:
        with file.open("rb") as stream:
            found = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, found - len(_MAGIC)))
            end = stream.read()
    except FileNotFoundError:
        return "is missing"
    except OSError as exc:
        raise StoreError(f"can't read {shown(file)}: {exc.strerror}") from exc
    if found != (size or found) or not found:
        return f"has {found} of {size or 'its'} bytes"
    return "is cut or overwritten" if file.suffix in _ENDED and end != _MAGIC else None


def _uri(path: Path) -> str:
    """A path that Lance takes for one, whatever is in it."""
    return str(path.resolve())


def _manifest(path: Path, version: int) -> Path:
    return path / "_versions" / f"{_LAST - version:020}.manifest"


def _sync_versions(path: Path, before: int, after: int) -> None:
    """Sync manifests and transactions of the versions behind `before`."""
    steps = range(before, after)
    transactions = [t for v in steps for t in (path / "_transactions").glob(f"{v}-*.txn")]
    sync_all(transactions + [_manifest(path, v + 1) for v in steps])
    _sync(path)


def _sync(path: Path) -> None:
    """Sync a file or, where the system knows such a thing, a folder."""
    if os.name == "nt" and path.is_dir():  # pragma: no cover
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
