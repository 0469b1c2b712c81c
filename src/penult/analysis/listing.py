"""What a command found, as a file for other programs: CSV, JSON or Parquet."""

import csv
import json
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from penult.errors import UsageError
from penult.extraction.changes import is_unchanged
from penult.images import from_key
from penult.store import TableReader
from penult.store.messages import translated
from penult.util.files import replacing
from penult.util.text import quoted

if TYPE_CHECKING:
    import pyarrow as pa

Rows = Sequence[Mapping[str, Any]]


def write_list(rows: Rows, columns: Sequence[str], out: str | Path) -> Path:
    """Write rows in the format that the suffix names; an older file is replaced.

    Args:
        rows: Plain data by column; a column may be missing in a row.
        columns: The columns in their order.
        out: A file that ends in `.csv`, `.json` or `.parquet`.

    Raises:
        UsageError: The suffix is another one.
        StoreError: The file can't be written.
    """
    path = require_list(out)
    with translated(f"can't write {quoted(path)}"), replacing(path) as temporary:
        FORMATS[path.suffix.lower()](rows, columns, temporary)
    return path


def require_list(out: str | Path) -> Path:
    """The path of a list to write.

    Raises:
        UsageError: Its suffix names no format.
    """
    path = Path(out)
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{quoted(path)}: expected a list to end in {', '.join(FORMATS)}")
    return path


def paths(features: TableReader, keys: Sequence[str]) -> list[Path | None]:
    """Where the images of some keys were; None where the table doesn't say."""
    places = np.array([bisect_left(features.keys, key) for key in keys], np.int64)
    pieces = features.tables(["path"], [], places)
    known = (path for piece in pieces for path in piece["path"].to_pylist())
    return [Path(from_key(path)) if path else None for path in known]


def own_files(features: TableReader, keys: Sequence[str]) -> list[Path | None]:
    """The files of some keys, each if it is still the one that the features are of."""
    places = np.array([bisect_left(features.keys, key) for key in keys], np.int64)
    return unchanged(features.facts(["path", "bytes", "mtime"]).take(places))


def unchanged(facts: "pa.Table") -> list[Path | None]:
    """The files of rows, by `path`, `bytes` and `mtime`, but for those that are other ones now.

    A table may come from others, who mustn't choose the files that a page or an export carries on.
    """
    sizes, times = (facts[name].cast("int64").to_pylist() for name in ("bytes", "mtime"))
    paths = [from_key(path or "") for path in facts["path"].to_pylist()]
    same = map(is_unchanged, paths, sizes, times)
    return [Path(path) if path and here else None for path, here in zip(paths, same, strict=True)]


def _csv(rows: Rows, columns: Sequence[str], path: Path) -> None:
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)


def _json(rows: Rows, columns: Sequence[str], path: Path) -> None:
    plain = [{name: row.get(name) for name in columns} for row in rows]
    path.write_text(json.dumps(plain, indent=2), "utf-8")


def _parquet(rows: Rows, columns: Sequence[str], path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({name: [row.get(name) for row in rows] for name in columns}), path)


FORMATS: dict[str, Callable[[Rows, Sequence[str], Path], None]] = {
    ".csv": _csv,
    ".json": _json,
    ".parquet": _parquet,
}
