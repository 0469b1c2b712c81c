"""Files of tables taken over into another one, where they lie, instead of their rows one by one.

A fragment is a list of data files, of which a manifest says which columns they hold, by numbers
that each table gives its columns. So a file serves a table of other numbers, or fewer columns, as
it is. What names rows by the fragment's own number, as marks of removed rows do, doesn't.
"""

import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from penult.store import durable
from penult.store.versions import files, uri

if TYPE_CHECKING:
    from lance import FragmentMetadata, LanceDataset
    from lance.fragment import LanceFragment

BATCH_BYTES = 8 << 20  # of rows that are copied at a time
_UNUSED = -2  # Lance's number for a column of a file that a table hasn't


def adopt(
    path: Path, tables: "Sequence[tuple[Path, LanceDataset]]", row_bytes: int
) -> "LanceDataset":
    """Add all rows of tables to another one, which has no columns that they haven't.

    Args:
        path: The other table, in which nothing was removed.
        tables: Folders of tables, and what is open of them.
        row_bytes: About what a row takes.
    """
    import lance

    dataset = lance.dataset(uri(path))
    rows = max(1, BATCH_BYTES // row_bytes)
    fragments: list[FragmentMetadata] = []
    for folder, table in tables:
        numbers = _numbers(table, dataset)
        for fragment in table.get_fragments():
            if _may_be_taken(folder, fragment.metadata, dataset):
                taken = _renumbered(fragment.metadata, numbers)
                for (file, _), (to, _) in zip(
                    files(folder, taken), files(path, taken), strict=True
                ):
                    _link(file, to)
                fragments.append(taken)
            else:
                fragments += _copied(fragment, dataset, rows)
    append = lance.Transaction(dataset.version, lance.LanceOperation.Append(fragments))
    return durable.committed(path, dataset, append, fragments)


def _numbers(table: "LanceDataset", other: "LanceDataset") -> dict[int, int]:
    """The other table's numbers of columns, by this one's."""
    theirs = {field.name(): field.id() for field in other.lance_schema.fields()}
    return {field.id(): theirs.get(field.name(), _UNUSED) for field in table.lance_schema.fields()}


def _may_be_taken(folder: Path, fragment: "FragmentMetadata", other: "LanceDataset") -> bool:
    """Whether a fragment's files say all about its rows, and are files of its own table."""
    marks = (
        fragment.deletion_file,
        fragment.row_id_meta,
        fragment.created_at_version_meta,
        fragment.last_updated_at_version_meta,
    )
    if any(mark is not None for mark in marks) or fragment.overlays:
        return False
    versions = {f"{file.file_major_version}.{file.file_minor_version}" for file in fragment.files}
    return versions == {other.data_storage_version} and all(
        file.parent == folder / "data" and stat.S_ISREG(file.lstat().st_mode)
        for file, _ in files(folder, fragment)
    )


def _link(file: Path, to: Path) -> None:
    """Give a file a second name, or copy it where that can't be done."""
    to.parent.mkdir(exist_ok=True)
    try:
        os.link(file, to)
    except OSError:
        shutil.copyfile(file, to)


def _renumbered(fragment: "FragmentMetadata", numbers: Mapping[int, int]) -> "FragmentMetadata":
    from lance import FragmentMetadata
    from lance.fragment import DataFile

    held = []
    for file in fragment.files:
        columns = [numbers.get(number, _UNUSED) for number in file.fields]
        if set(columns) != {_UNUSED}:
            held.append(
                DataFile(
                    file.path,
                    columns,
                    file.column_indices,
                    file.file_major_version,
                    file.file_minor_version,
                    file.file_size_bytes,
                )
            )
    return FragmentMetadata(0, held, fragment.physical_rows)  # without a number, Lance gives one


def _copied(
    fragment: "LanceFragment", other: "LanceDataset", rows: int
) -> "Iterator[FragmentMetadata]":
    from lance.fragment import write_fragments

    scanner = fragment.scanner(columns=other.schema.names, batch_size=rows, batch_readahead=2)
    yield from write_fragments(scanner.to_reader(), other)
