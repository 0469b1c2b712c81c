"""What images are labelled as: by their folders, by a CSV file, or by a mapping."""

import csv
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from penult.errors import UsageError
from penult.images.names import is_table, within
from penult.util.text import one_line, quoted

Labels: TypeAlias = str | Path | Mapping[str, str] | Mapping[str, int]

PARENT = "parent"
MAX_LABEL = 1024  # characters


def labels_of(labels: Labels, known: Collection[str]) -> dict[str, str]:
    """Labels by key, of those images that have one.

    Args:
        labels: `parent`, which is the name of the folder that an image lies in; a CSV file with
            the columns `key` and `label`; or a mapping, whose labels may be numbers. An empty label
            is none.
        known: The keys that there are.

    Raises:
        UsageError: The file can't be read, or says something else of an image than before, or
            there is no such image.
    """
    if isinstance(labels, Mapping):
        return _check(((key, str(label), "labels") for key, label in labels.items()), known)
    if str(labels) == PARENT:
        folders = {key: _folder(key) for key in known}
        return {key: folder for key, folder in folders.items() if folder}
    return _check(_rows(Path(labels)), known)


def _folder(key: str) -> str:
    """The folder that an image lies in, within its archive if it's in one; rows lie in none."""
    inside = within(key)
    if inside and is_table(inside.container):
        return ""
    return PurePosixPath(inside.name if inside else key).parent.name


def _check(rows: Iterator[tuple[str, str, str]], known: Collection[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for key, label, where in rows:
        if key not in known:
            example = f", which are such as {quoted(min(known))}" if known else ""
            raise UsageError(f"{where}: {quoted(key)} is no key of the table{example}")
        if key in labels:
            raise UsageError(f"{where}: a second label for {quoted(key)}: leave one")
        if len(label) > MAX_LABEL:
            raise UsageError(f"{where}: a label of more than {MAX_LABEL} characters: shorten it")
        labels[key] = label.strip()
    return {key: label for key, label in labels.items() if label}


def _rows(path: Path) -> Iterator[tuple[str, str, str]]:
    """Key, label and place of each line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [name for name in ("key", "label") if name not in (reader.fieldnames or ())]
            if missing:
                raise UsageError(
                    f"{quoted(path)}, line 1: no column {' or '.join(missing)}: "
                    "begin with a line key,label"
                )
            for row in reader:
                where = f"{quoted(path)}, line {reader.line_num}"
                if row["label"] is None:
                    raise UsageError(f"{where}: expected a key and a label, separated by a comma")
                yield row["key"], row["label"], where
    except OSError as exc:
        hint = "labels are 'parent' or a CSV file with the columns key and label"
        raise UsageError(
            f"{quoted(path)}: {(exc.strerror or 'unreadable').lower()}; {hint}"
        ) from exc
    except (csv.Error, UnicodeDecodeError) as exc:
        reason = one_line(str(exc), 80)
        raise UsageError(f"{quoted(path)}: no CSV in UTF-8 ({reason}): save it as such") from exc
