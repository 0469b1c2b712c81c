"""What is asked of a library's configuration, which strangers wrote: each value by its key.

A missing key and null are the same: what the library's code does without it.
"""

from collections.abc import Mapping
from reprlib import repr as short
from typing import Any, cast

from penult.errors import UsageError
from penult.images.geometry import Geometry
from penult.images.preprocess import Scaled, Transform
from penult.images.preprocess_document import (
    FIELDS,
    MAX_RESIZED,
    Check,
    document,
    read,
    whole_number,
)
from penult.util.text import printable

Three = tuple[float, float, float]

CLIP_MEAN: Three = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Three = (0.26862954, 0.26130258, 0.27577711)
INSTEAD = "say the preprocessing (--preprocess)"  # what to try
_OBJECT = Check("keys with values", lambda x: isinstance(x, Mapping))
_FLAG = Check("true or false", lambda x: type(x) is bool)
_SIDE = whole_number(1, MAX_RESIZED)


class Config:
    """The keys and values of a parsed file, or of a part of it.

    Args:
        name: What messages call it.
        values: It, whatever it is; UsageError if it has no keys.
    """

    def __init__(self, name: str, values: object) -> None:
        if not isinstance(values, Mapping):
            raise refusal(name, values, _OBJECT.expected)
        self._values = values

    def has(self, key: str) -> bool:
        """Say whether a key has a value."""
        return self._values.get(key) is not None

    def get(self, key: str, check: Check | None, default: Any) -> Any:  # noqa: ANN401
        """Return a key's value, or the default; UsageError if a check says no."""
        if not self.has(key):
            return default
        value = self._values[key]
        if check and not check.holds(value):
            raise refusal(key, value, check.expected)
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Return whether something is to be done."""
        return bool(self.get(key, _FLAG, default))

    def part(self, key: str) -> "Config":
        """Return what lies under a key, nothing if it is missing."""
        return Config(key, self.get(key, _OBJECT, {}))

    def three(self, key: str, default: Three) -> Three:
        """Return means or deviations of three channels."""
        field = "std" if key.endswith("std") else "mean"
        found = self.get(key, FIELDS[field], default)
        red, green, blue = found if isinstance(found, list | tuple) else (found,) * 3
        return red, green, blue

    def side(self, key: str, default: int) -> int:
        """Return a square's side, which is said as one number or as height and width."""
        return square_side(key, self.get(key, None, default))


def square_side(key: str, value: object) -> int:
    """Return a square's side; UsageError if it is none."""
    sides = [value]
    if isinstance(value, Mapping) and value.keys() == {"height", "width"}:
        sides = [value["height"], value["width"]]
    elif isinstance(value, list | tuple) and len(value) == 2:
        sides = list(value)
    if not all(map(_SIDE.holds, sides)):
        raise refusal(key, value, f"{_SIDE.expected}, or height and width")
    if sides[0] != sides[-1]:
        raise UsageError(f"{key} is {shown(value)}, which is no square: {INSTEAD}")
    return cast("int", sides[0])


def checked(geometry: Geometry, normalisation: Scaled) -> Transform:
    """Hold all numbers to the bounds that a stored preprocessing has; UsageError beyond them."""
    try:
        return read(document(Transform(geometry, normalisation)))
    except ValueError as exc:
        raise UsageError(f"{exc}: {INSTEAD}") from exc


def refusal(key: str, value: object, expected: str) -> UsageError:
    """Make the error that says what a key should have held."""
    return UsageError(f"{key} is {shown(value)}, expected {expected}: {INSTEAD}")


def shown(value: object) -> str:
    """Make a foreign value fit for a message."""
    return printable(short(value))
