"""JSON that came with weights, from strangers: read within bounds, errors naming file and key."""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penult.errors import CheckpointError
from penult.util.text import one_line, quoted

Document = Mapping[str, Any]

MAX_BYTES = 10_000_000  # the index of 600 GB of shards has 4 MB
MAX_DEPTH = 32  # of lists and objects; published files have 5


def read_document(path: Path) -> Document:
    """Read a file that holds one JSON object.

    Args:
        path: The file.

    Raises:
        CheckpointError: It can't be read, is larger or deeper than such files are, or isn't JSON.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise damaged(path, "not a regular file")
        if status.st_size > MAX_BYTES:
            raise damaged(path, f"{status.st_size} bytes, at most {MAX_BYTES} expected")
        value = json.loads(path.read_bytes())
    except RecursionError as exc:
        raise damaged(path, f"deeper than {MAX_DEPTH} levels") from exc
    except OSError as exc:
        raise CheckpointError(f"{quoted(path)}: {(exc.strerror or str(exc)).lower()}") from exc
    except ValueError as exc:
        raise damaged(path, f"no proper JSON ({one_line(str(exc), 80)})") from exc
    if not isinstance(value, dict):
        raise damaged(path, f"holds a JSON {_kind(value)}, expected an object")
    if _is_deeper(value, MAX_DEPTH):
        raise damaged(path, f"deeper than {MAX_DEPTH} levels")
    return value


def text_at(document: Document, path: Path, key: str) -> str | None:
    """The text under a key of a file's document, None if there is none or null.

    Raises:
        CheckpointError: Something else is there.
    """
    value = document.get(key)
    if value is not None and not isinstance(value, str):
        raise damaged(path, f"{one_line(key, 60)} is a JSON {_kind(value)}, expected a text")
    return value


def object_at(document: Document, path: Path, key: str) -> Document | None:
    """The object under a key of a file's document, None if there is none or null.

    Raises:
        CheckpointError: Something else is there.
    """
    value = document.get(key)
    if value is not None and not isinstance(value, dict):
        raise damaged(path, f"{one_line(key, 60)} is a JSON {_kind(value)}, expected an object")
    return value


def damaged(path: Path, reason: str) -> CheckpointError:
    """An error about a file that no publisher would have written, to be raised."""
    return CheckpointError(f"{quoted(path)}: {reason}; damaged or forged: fetch the file again")


def _is_deeper(value: object, most: int) -> bool:
    """Whether lists and objects are nested in more levels, without recursion."""
    level = [value]
    for _ in range(most):
        level = [inner for each in level for inner in _inside(each)]
    return any(isinstance(each, dict | list) for each in level)


def _inside(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _kind(value: object) -> str:
    names = {dict: "object", list: "list", str: "text", bool: "truth value", type(None): "null"}
    return names.get(type(value), "number")
