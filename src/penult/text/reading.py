"""Files of tokenizers, which lie beside weights and come from strangers: read within bounds."""

import json
import stat
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from penult.errors import CheckpointError
from penult.util.text import one_line, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 100_000_000  # Gemma's tokenizer.json has 34 MB
MAX_TOKENS = 1_000_000  # the largest published vocabularies have 256,000


def read_bytes(path: Path, most: int = MAX_BYTES) -> bytes:
    """Read a file.

    Raises:
        CheckpointError: It can't be read, or is larger than such files are.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise damaged(path, "not a regular file")
        if status.st_size > most:
            raise damaged(path, f"{status.st_size} bytes, at most {most} expected")
        return path.read_bytes()
    except OSError as exc:
        raise CheckpointError(f"{quoted(path)}: {(exc.strerror or str(exc)).lower()}") from exc


def read_text(path: Path) -> str:
    """Read a file of UTF-8.

    Raises:
        CheckpointError: As of `read_bytes`, or it is no text.
    """
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as exc:
        raise damaged(path, f"not UTF-8 at byte {exc.start}") from exc


def read_object(path: Path) -> Mapping[str, Any]:
    """Read a file that holds one JSON object, in which no key is twice.

    Raises:
        CheckpointError: As of `read_text`, or it is no such file.
    """
    try:
        value = json.loads(
            read_text(path), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError) as exc:
        raise damaged(path, f"no proper JSON ({one_line(str(exc), 80)})") from exc
    if not isinstance(value, dict):
        raise damaged(path, "no JSON object")
    return value


def read_vocabulary(path: Path, value: object) -> dict[str, int]:
    """Check what should be tokens with their ids.

    Raises:
        CheckpointError: It is something else, or larger than vocabularies are.
    """
    if not isinstance(value, dict) or not 0 < len(value) <= MAX_TOKENS:
        raise damaged(path, f"no vocabulary of 1 to {MAX_TOKENS} tokens")
    for token, index in value.items():
        if type(index) is not int or not 0 <= index < MAX_TOKENS:
            raise damaged(path, f"the token {quoted(token)} has the id {quoted(index)}")
    return value


@contextmanager
def refusals(path: Path) -> "Iterator[None]":
    """Wrap what `tokenizers` raises of a file: its panics are no `Exception`."""
    try:
        yield
    except (CheckpointError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as exc:
        reason = one_line(str(exc), 120)
        raise CheckpointError(f"{quoted(path)}: tokenizers can't use it: {reason}") from exc


def damaged(path: Path, reason: str) -> CheckpointError:
    """An error about a file that no publisher would have written, to be raised."""
    return CheckpointError(f"{quoted(path)}: {reason}; damaged or forged: fetch the file again")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("the same key twice")
    return unique


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
