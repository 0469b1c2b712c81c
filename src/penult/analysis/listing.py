"""What a command found, as a file for other programs: CSV, JSON or Parquet."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from penult.errors import UsageError
from penult.store.messages import wrap_errors
from penult.util.files import replacing
from penult.util.text import quoted

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
    with wrap_errors(f"can't write {quoted(path)}"), replacing(path) as temporary:
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
