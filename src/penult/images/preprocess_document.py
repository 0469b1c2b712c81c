"""A preprocessing as plain data, for tables and files, and read back with every field checked.

    {"geometry": {"kind": "squash", "size": 224, "kernel": "bilinear", "fraction": 1},
     "normalisation": {"kind": "scaled", "divisor": 255, "mean": [0.5, 0.5, 0.5], "std": 0.5}}

Documents come from strangers' tables. So nothing but the kinds and fields named here is taken, and
sizes are bounded, as an image of that size will be made.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from reprlib import repr as short
from typing import Any, NamedTuple, cast, get_args

from penult.images.geometry import (
    CentralSquare,
    CropOrPad,
    Geometry,
    Kernel,
    Rounding,
    ShorterSide,
    Squash,
    Stretch,
)
from penult.images.preprocess import Grey, Normalisation, PerImage, Scaled, Transform
from penult.util.text import printable

MAX_SIZE = 4096  # pixels of a network's input
MAX_SHORTER = 2 * MAX_SIZE

GEOMETRIES: Mapping[str, type] = {
    "central_square": CentralSquare,
    "squash": Squash,
    "shorter_side": ShorterSide,
    "crop_or_pad": CropOrPad,
    "stretch": Stretch,
}
NORMALISATIONS: Mapping[str, type] = {"scaled": Scaled, "grey": Grey, "per_image": PerImage}


class Check(NamedTuple):
    """What a field may hold."""

    expected: str
    holds: Callable[[Any], bool]


def _whole(low: int, high: int) -> Check:
    return Check(
        f"a whole number from {low} to {high}", lambda x: type(x) is int and low <= x <= high
    )


def _number(low: float, high: float) -> Check:
    return Check(
        f"a number from {low:g} to {high:g}", lambda x: type(x) in {int, float} and low <= x <= high
    )


def _level(low: float, high: float) -> Check:
    expected, is_one = _number(low, high)
    return Check(
        f"{expected}, or three",
        lambda x: is_one(x) or (type(x) in {list, tuple} and len(x) == 3 and all(map(is_one, x))),
    )


def _one_of(names: tuple[str, ...]) -> Check:
    return Check(f"one of {', '.join(names)}", lambda x: type(x) is str and x in names)


FIELDS: Mapping[str, Check] = {  # a field's name means the same in all classes
    "size": _whole(1, MAX_SIZE),
    "height": _whole(1, MAX_SIZE),
    "width": _whole(1, MAX_SIZE),
    "margin": _whole(0, MAX_SIZE),
    "shorter": _whole(1, MAX_SHORTER),
    "fraction": _number(1 / 16, 1),
    "kernel": _one_of(get_args(Kernel)),
    "longer": _one_of(get_args(Rounding)),
    "corner": _one_of(get_args(Rounding)),
    "divisor": _number(1e-6, 1e6),
    "mean": _level(-1e6, 1e6),
    "std": _level(1e-6, 1e6),
}
ONE_CHANNEL = {"mean": _number(-1e6, 1e6), "std": _number(1e-6, 1e6)}


def document(transform: Transform) -> dict[str, Any]:
    """Write a preprocessing as plain data, which JSON keeps as it is.

    >>> from penult.images.preprocess import PREPROCESSING
    >>> document(PREPROCESSING["lenet"](28))["geometry"]
    {'kind': 'crop_or_pad', 'size': 28}
    """
    return {
        "geometry": _written(transform.geometry, GEOMETRIES),
        "normalisation": _written(transform.normalisation, NORMALISATIONS),
    }


def read(value: object) -> Transform:
    """Read it back.

    Raises:
        ValueError: It is no such document; the message is one line that names the field.
    """
    parts = _mapping("preprocessing", value, {"geometry", "normalisation"})
    geometry = cast("Geometry", _read("geometry", parts["geometry"], GEOMETRIES))
    normalisation = _read("normalisation", parts["normalisation"], NORMALISATIONS)
    if isinstance(geometry, ShorterSide) and geometry.shorter < geometry.size:
        raise ValueError(
            f"preprocessing: geometry.shorter is {geometry.shorter}, less than its size"
            f" {geometry.size}"
        )
    return Transform(geometry, cast("Normalisation", normalisation))


def _written(part: Geometry | Normalisation, kinds: Mapping[str, type]) -> dict[str, Any]:
    (kind,) = (name for name, each in kinds.items() if each is type(part))
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(part).items()}
    return {"kind": kind, **values}


def _read(name: str, value: object, kinds: Mapping[str, type]) -> object:
    kind = value.get("kind") if isinstance(value, dict) else None
    _check(f"{name}.kind", kind, _one_of(tuple(kinds)))
    made = kinds[cast("str", kind)]
    names = [field.name for field in fields(made)]
    values = _mapping(name, value, {"kind", *names})
    for field in names:
        check = ONE_CHANNEL.get(field, FIELDS[field]) if made is Grey else FIELDS[field]
        _check(f"{name}.{field}", values[field], check)
    return made(**{n: tuple(v) if isinstance(v := values[n], list) else v for n in names})


def _mapping(name: str, value: object, keys: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != keys:
        raise ValueError(
            f"preprocessing: {name} must hold {', '.join(sorted(keys))}, not {_shown(value)}"
        )
    return value


def _check(name: str, value: object, check: Check) -> None:
    if not check.holds(value):
        raise ValueError(f"preprocessing: {name} is {_shown(value)}, expected {check.expected}")


def _shown(value: object) -> str:
    return printable(short(value))
