"""JSON in files that may come from anywhere: text that all readers read alike, or an error."""

import json
from typing import NoReturn

from penult.checkpoints.base import WeightsFile
from penult.util.text import one_line

MAX_STRUCTURE = 500_000  # of `,:[{`; 20,000 tensors of four dimensions have 320,000


def parse_object(file: WeightsFile, what: str, start: int, end: int) -> dict[str, object]:
    """Parse the JSON object between two offsets of a file.

    Raises:
        CheckpointError: It isn't UTF-8, isn't JSON, has a key twice or NaN for a number, is no
            object, is nested deeper than Python recurses, or has more values than `MAX_STRUCTURE`
            makes; these are counted before any is built.
    """
    raw = file.data[start:end]
    if sum(map(raw.count, b",:[{")) > MAX_STRUCTURE:
        raise file.damaged(f"{what} of more than {MAX_STRUCTURE} values", start)
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
        )
        if not isinstance(value, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError) as exc:
        reason = f"{what} that isn't proper JSON ({one_line(str(exc), 80)})"
        raise file.damaged(reason, start) from exc
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    unique = dict(pairs)
    if len(unique) < len(pairs):
        raise ValueError("the same key twice")
    return unique


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
