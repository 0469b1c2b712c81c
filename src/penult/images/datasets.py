"""Folders as Hugging Face's datasets keep them: tables of their own, and lists beside images.

`save_to_disk` writes `state.json`, which names the Arrow files of a split, and `dataset_dict.json`,
which names the splits. A folder of images has `metadata.csv` or `metadata.jsonl`, whose `file_name`
is a path from there. Names lead nowhere else: what isn't below its folder is of no image.
"""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from penult.errors import SourceError
from penult.images.names import as_key, reason
from penult.util.text import one_line, quoted

METADATA = ("metadata.csv", "metadata.jsonl")
LINE_BYTES = 1 << 20  # of a list
LIST_BYTES = 64 << 20  # of `state.json` and the like
_NUMBERS: dict[re.Pattern[str], type] = {  # 007 is a name
    re.compile(r"-?(0|[1-9][0-9]{0,18})"): int,
    re.compile(r"-?(0|[1-9][0-9]{0,300})(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?"): float,
}
_STATE, _SPLITS = "state.json", "dataset_dict.json"


def saved_tables(folder: str) -> list[str]:
    """The Arrow files of a dataset that was saved, by their paths below it; none if it's none.

    Raises:
        SourceError: What says so can't be read.
    """
    if Path(folder, _SPLITS).is_file():
        splits = _names(_document(folder, _SPLITS).get("splits"), folder, _SPLITS)
        return [f"{split}/{name}" for split in splits for name in _tables(f"{folder}{split}/")]
    return _tables(folder) if Path(folder, _STATE).is_file() else []


def _tables(folder: str) -> list[str]:
    files = _document(folder, _STATE).get("_data_files")
    every = files if isinstance(files, list) else [None]
    names = [each.get("filename") if isinstance(each, dict) else None for each in every]
    return _names(names, folder, _STATE)


def _document(folder: str, name: str) -> dict[str, Any]:
    path = Path(folder, name)
    try:
        if path.stat().st_size > LIST_BYTES:
            raise SourceError(f"{quoted(path)} has more than {LIST_BYTES:,} bytes")
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{quoted(path)} can't be read: {one_line(reason(error))}") from error
    if not isinstance(found, dict):
        raise SourceError(f"{quoted(path)} isn't what datasets write: expected an object")
    return found


def _names(found: object, folder: str, name: str) -> list[str]:
    """Names of files or folders in a folder."""
    names: list[str] = []
    for each in found if isinstance(found, list) else [found]:
        if not isinstance(each, str) or each in {"", ".", ".."} or {"/", "\\", "\0"} & {*each}:
            about = f"{quoted(Path(folder, name))} names {quoted(each)}"
            raise SourceError(f"{about}: expected a name in its folder")
        names.append(each)
    return names


def require_metadata(folder: str, names: Iterator[str], columns: Sequence[str]) -> list[str]:
    """The lists in a folder, by absolute path.

    Args:
        folder: Ends in a slash.
        names: The files below it.
        columns: What each list has to have.

    Raises:
        SourceError: There is none, or it hasn't these columns.
    """
    paths = [folder + name for name in names if name.rpartition("/")[2] in METADATA]
    if not paths:
        raise SourceError(
            f"{quoted(Path(folder))} has neither {' nor '.join(METADATA)}, so no columns to keep"
        )
    for path in paths:
        first = next(_rows(path), (0, {}))[1]
        for name in ("file_name", *columns):
            if name not in first:
                raise SourceError(
                    f"{quoted(Path(path))} has no {quoted(name)}: {one_line(', '.join(first))}"
                )
    return paths


def said(path: str, column: str) -> dict[str, Any]:
    """What a column of a list says of images, by their places, written like keys.

    Numbers are numbers if all are, of a CSV too; what is empty says nothing.

    Raises:
        SourceError: It can't be read.
    """
    folder = path.rpartition("/")[0]
    found: dict[str, Any] = {}
    for line, row in _rows(path):
        name, value = row.get("file_name"), row.get(column)
        if not isinstance(name, str) or ".." in name.split("/") or name.startswith("/"):
            raise SourceError(f"{quoted(Path(path))}, line {line}: {quoted(name)} is no file below")
        if value is not None and value != "":
            found[as_key(f"{folder}/{name.removeprefix('./')}")] = _simple(value)
    return _as_numbers(found, from_text=path.endswith(".csv"))


def _simple(value: Any) -> Any:  # noqa: ANN401 -- of JSON
    return value if isinstance(value, str | int | float) else json.dumps(value, ensure_ascii=False)


def _as_numbers(found: dict[str, Any], *, from_text: bool) -> dict[str, Any]:
    for form, kind in _NUMBERS.items() if from_text else ():
        if all(form.fullmatch(value) for value in found.values()):
            return {name: kind(value) for name, value in found.items()}
    return found


def _rows(path: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a list, with the number of the line that each ends on."""
    read = _csv_rows if path.endswith(".csv") else _json_rows
    line = 0
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            for line, row in read(_lines(file)):
                yield line, row
    except (OSError, ValueError, OverflowError, RecursionError, csv.Error) as error:
        about = f"{quoted(Path(path))}, after line {line}"
        raise SourceError(f"{about}: {one_line(reason(error))}") from error


def _lines(file: Any) -> Iterator[str]:  # noqa: ANN401 -- a text file
    while line := file.readline(LINE_BYTES):
        if len(line) == LINE_BYTES:
            raise ValueError(f"a line of {LINE_BYTES:,} characters or more")
        yield line


def _csv_rows(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(lines)
    for row in reader:
        yield reader.line_num, row


def _json_rows(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("expected an object")
            yield number, row
