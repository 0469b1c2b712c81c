"""A preprocessing as plain data, for tables and files, and read back with every field checked.

    {"geometry": {"kind": "squash", "size": 224, "kernel": "bilinear", "fraction": 1},
     "normalisation": {"kind": "scaled", "divisor": 255, "mean": [0.5, 0.5, 0.5], "std": 0.5}}

Documents come from strangers' tables. So nothing but the kinds and fields named here is taken, and
sizes are bounded, as an image of that size will be made. A field that has a default may be missing.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import MISSING, asdict, fields
from reprlib import repr as short
from typing import Any, NamedTuple, cast, get_args

from penult.images.geometry import (
    CentralSquare,
    CropOrPad,
    Geometry,
    LongerSide,
    Rounding,
    ShorterSide,
    Squash,
    SquashAndCrop,
    Stretch,
)
from penult.images.preprocess import Grey, Normalisation, Order, PerImage, Scaled, Transform
from penult.images.resampling import Kernel
from penult.util.text import printable

MAX_SIZE = 4096  # pixels of a network's input
MAX_RESIZED = 2 * MAX_SIZE  # of a side, before it is cropped

GEOMETRIES: Mapping[str, type] = {
    "central_square": CentralSquare,
    "squash": Squash,
    "squash_and_crop": SquashAndCrop,
    "shorter_side": ShorterSide,
    "longer_side": LongerSide,
    "crop_or_pad": CropOrPad,
    "stretch": Stretch,
}
NORMALISATIONS: Mapping[str, type] = {"scaled": Scaled, "grey": Grey, "per_image": PerImage}


class Check(NamedTuple):
    """What a field may hold."""

    expected: str
    holds: Callable[[Any], bool]


def whole_number(low: int, high: int) -> Check:
    """Check for a whole number within bounds."""
    return Check(
        f"a whole number from {low} to {high}", lambda x: type(x) is int and low <= x <= high
    )


def number(low: float, high: float) -> Check:
    """Check for a number within bounds."""
    return Check(
        f"a number from {low:g} to {high:g}", lambda x: type(x) in {int, float} and low <= x <= high
    )


def one_of(names: Iterable[str]) -> Check:
    """Check for one of some words."""
    known = tuple(names)
    return Check(f"one of {', '.join(known)}", lambda x: type(x) is str and x in known)


def three(each: Check) -> Check:
    """Check for a list of three, each of which another check takes."""
    return Check(
        f"three, each {each.expected}",
        lambda x: type(x) in {list, tuple} and len(x) == 3 and all(map(each.holds, x)),
    )


def one_or_three(each: Check) -> Check:
    """Check for what another check takes, or a list of three of it."""
    return Check(f"{each.expected}, or three", lambda x: each.holds(x) or three(each).holds(x))


FIELDS: Mapping[str, Check] = {  # a field's name means the same in all classes but some
    "size": whole_number(1, MAX_SIZE),
    "height": whole_number(1, MAX_SIZE),
    "width": whole_number(1, MAX_SIZE),
    "margin": whole_number(0, MAX_SIZE),
    "shorter": whole_number(1, MAX_RESIZED),
    "side": whole_number(1, MAX_RESIZED),
    "fraction": number(1 / 16, 1),
    "kernel": one_of(get_args(Kernel)),
    "longer": one_of(get_args(Rounding)),
    "corner": one_of(get_args(Rounding)),
    "odd": one_of(("after", "before")),
    "fill": three(whole_number(0, 255)),
    "divisor": number(1e-6, 1e6),
    "mean": one_or_three(number(-1e6, 1e6)),
    "std": one_or_three(number(1e-6, 1e6)),
    "order": one_of(get_args(Order)),
}
EXCEPTIONS: Mapping[type, Mapping[str, Check]] = {
    LongerSide: {"longer": whole_number(1, MAX_RESIZED)},
    Grey: {"mean": number(-1e6, 1e6), "std": number(1e-6, 1e6)},
}


def document(transform: Transform) -> dict[str, Any]:
    """Write a preprocessing as plain data, which JSON keeps as it is.

    >>> from penult.images.preprocess import PREPROCESSING
    >>> document(PREPROCESSING["lenet"](28))["geometry"]
    {'kind': 'crop_or_pad', 'size': 28, 'odd': 'after'}
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
    resized = {ShorterSide: "shorter", SquashAndCrop: "side"}.get(type(geometry))
    if resized and getattr(geometry, resized) < geometry.size:
        raise ValueError(
            f"preprocessing: geometry.{resized} is {getattr(geometry, resized)}, less than its size"
            f" {geometry.size}"
        )
    return Transform(geometry, cast("Normalisation", normalisation))


def _written(part: Geometry | Normalisation, kinds: Mapping[str, type]) -> dict[str, Any]:
    (kind,) = (name for name, each in kinds.items() if each is type(part))
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(part).items()}
    return {"kind": kind, **values}


def _read(name: str, value: object, kinds: Mapping[str, type]) -> object:
    kind = value.get("kind") if isinstance(value, dict) else None
    _check(f"{name}.kind", kind, one_of(kinds))
    made = kinds[cast("str", kind)]
    checks = {**FIELDS, **EXCEPTIONS.get(made, {})}
    known = {field.name: checks[field.name] for field in fields(made)}
    optional = {field.name for field in fields(made) if field.default is not MISSING}
    values = _mapping(name, value, {"kind", *known}, optional)
    del values["kind"]
    for field, given in values.items():
        _check(f"{name}.{field}", given, known[field])
    return made(**{n: tuple(v) if isinstance(v, list) else v for n, v in values.items()})


def _mapping(
    name: str, value: object, keys: set[str], optional: Set[str] = frozenset()
) -> dict[str, Any]:
    if not isinstance(value, dict) or not keys - optional <= value.keys() <= keys:
        raise ValueError(
            f"preprocessing: {name} must hold {', '.join(sorted(keys))}, not {_shown(value)}"
        )
    return dict(value)


def _check(name: str, value: object, check: Check) -> None:
    if not check.holds(value):
        raise ValueError(f"preprocessing: {name} is {_shown(value)}, expected {check.expected}")


def _shown(value: object) -> str:
    return printable(short(value))
