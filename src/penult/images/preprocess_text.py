"""A preprocessing in words, as it prints and as `--preprocess` takes it.

    resize 256 bicubic, crop 224, scale 1/255, mean 0.485 0.456 0.406, std 0.229 0.224 0.225

First which pixels, one of

    resize 256 bicubic, crop 224         shorter side to 256, the centre of that
    squash 224 bicubic                   all of the image, the ratio of its sides is lost
    squash 256x128 bicubic               the same, for an input of that height and width
    squash 256 bicubic, crop 224         the centre of that
    central 7/8, squash 224 bicubic      the centre of the image, squashed
    square 224/256 bicubic               7/8 of the shorter side, squared, cut out, resized to 224
    fit 224 bicubic, pad 224 128 128 128 longer side to 224, borders of a colour, by default black
    pad 28                               the centre as it is, with black borders

then what is made of their levels, in any order: `scale`, `mean` and `std` (levels, from 0 to 255,
are multiplied by scale, mean is subtracted, std divided by), for all channels or each of three;
`bgr` swaps the channels before; `grey` makes one of them; `standardise` alone goes by each image's
own mean and deviation. `scale` is 1/255 where mean or std are said, and 1 where neither is.

`crop … floor` rounds the upper left corner down, not to the nearest even; `resize … rounded` rounds
the longer side, not down; `pad … before` puts what is odd of a border before the image.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast, get_args

from penult.errors import UsageError
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
from penult.images.preprocess import Grey, Level, Normalisation, PerImage, Scaled, Transform
from penult.images.preprocess_document import document, read
from penult.images.resampling import Kernel
from penult.util.text import quoted

EXAMPLE = "resize 256 bicubic, crop 224, mean 0.5, std 0.5"
_FORMS: Mapping[str, str] = {
    "resize": "resize 256 bicubic",
    "crop": "crop 224",
    "squash": "squash 224 bicubic",
    "central": "central 7/8",
    "square": "square 224/256 bicubic",
    "fit": "fit 224 bicubic",
    "pad": "pad 224",
    "scale": "scale 1/255",
    "mean": "mean 0.5",
    "std": "std 0.5",
    "bgr": "bgr",
    "grey": "grey",
    "standardise": "standardise",
}
_PLACES = {"resize", "crop", "squash", "central", "square", "fit", "pad"}  # which pixels
_FLAGS = {"bgr", "grey", "standardise"}
_LENGTH = 1000  # characters; the longest that a transform prints has about 200
_DIGITS = 6  # of a whole number

Words = Sequence[str]


def parse(text: str) -> Transform:
    """Read a preprocessing in words; `str` of it gives them back, written out.

    >>> print(parse("squash 224 bilinear, bgr, mean 0.5, std 0.25"))
    squash 224 bilinear, bgr, scale 1/255, mean 0.5, std 0.25

    Raises:
        UsageError: A part isn't understood, or is out of bounds; the message names it.
    """
    if len(text) > _LENGTH:
        raise UsageError(f"preprocess {quoted(text)} is longer than {_LENGTH} characters")
    parts = dict(_parts(text))
    places = {name: words for name, words in parts.items() if name in _PLACES}
    levels = {name: words for name, words in parts.items() if name not in _PLACES}
    transform = Transform(_geometry(places), _normalisation(levels))
    try:
        return read(document(transform))
    except ValueError as exc:
        raise UsageError(f"{exc}, in {quoted(text)}") from exc


def _parts(text: str) -> Iterator[tuple[str, Words]]:
    seen = set()
    for part in text.split(","):
        name, *words = part.split() or [""]
        if name not in _FORMS:
            raise UsageError(
                f"preprocess doesn't know {quoted(part.strip())} of {quoted(text)}: write as in "
                f"'{EXAMPLE}', of {', '.join(_FORMS)}"
            )
        if name in seen:
            raise UsageError(f"preprocess has {name} twice: {quoted(text)}")
        seen.add(name)
        yield name, words


def _geometry(said: Mapping[str, Words]) -> Geometry:
    make = _GEOMETRIES.get(frozenset(said))
    if make is None:
        known = "; ".join(" and ".join(w for w in _FORMS if w in each) for each in _GEOMETRIES)
        found = " and ".join(said) or "nothing"
        raise UsageError(f"preprocess says which pixels by {found}, not by one of {known}")
    return make(said)


def _shorter_side(said: Mapping[str, Words]) -> Geometry:
    side, kernel, *rounded = _take("resize", said, 2, last="rounded")
    size, corner = _cropped(said)
    longer: Rounding = "nearest" if rounded else "down"
    return ShorterSide(size, _whole("resize", side), _kernel("resize", kernel), longer, corner)


def _squash(said: Mapping[str, Words]) -> Geometry:
    size, kernel = _take("squash", said, 2)
    height, by, width = size.partition("x")
    if by and "central" not in said:
        sides = _whole("squash", height), _whole("squash", width)
        return Stretch(*sides, _kernel("squash", kernel))
    over, under = _ratio("central", *_take("central", said, 1)) if "central" in said else (1, 1)
    return Squash(_whole("squash", size), _kernel("squash", kernel), over / under)


def _squash_and_crop(said: Mapping[str, Words]) -> Geometry:
    side, kernel = _take("squash", said, 2)
    size, corner = _cropped(said)
    return SquashAndCrop(size, _whole("squash", side), _kernel("squash", kernel), corner)


def _central_square(said: Mapping[str, Words]) -> Geometry:
    ratio, kernel = _take("square", said, 2)
    size, slash, over = ratio.partition("/")
    if not slash:
        raise _wrong("square", ratio)
    inner, outer = _whole("square", size), _whole("square", over)
    return CentralSquare(inner, outer - inner, _kernel("square", kernel))


def _longer_side(said: Mapping[str, Words]) -> Geometry:
    longer, kernel = _take("fit", said, 2)
    size, *fill = said["pad"] if len(said["pad"]) == 4 else [*_take("pad", said, 1), "0", "0", "0"]
    red, green, blue = (_whole("pad", each) for each in fill)
    return LongerSide(
        _whole("pad", size), _whole("fit", longer), _kernel("fit", kernel), (red, green, blue)
    )


def _crop_or_pad(said: Mapping[str, Words]) -> Geometry:
    size, *before = _take("pad", said, 1, last="before")
    return CropOrPad(_whole("pad", size), "before" if before else "after")


def _cropped(said: Mapping[str, Words]) -> tuple[int, Rounding]:
    size, *floor = _take("crop", said, 1, last="floor")
    return _whole("crop", size), "down" if floor else "nearest"


def _normalisation(said: Mapping[str, Words]) -> Normalisation:
    for name in _FLAGS & said.keys():
        _take(name, said, 0)
    if "standardise" in said:
        _refuse_others("standardise", said)
        return PerImage()
    mean, std = _level("mean", said, 0), _level("std", said, 1)
    divisor = _divisor(said, mean, std)
    if "grey" not in said:
        return Scaled(divisor, mean, std, "bgr" if "bgr" in said else "rgb")
    if isinstance(mean, tuple) or isinstance(std, tuple):
        raise UsageError("preprocess has three numbers in mean or std, but grey makes one channel")
    if "bgr" in said:
        raise UsageError("preprocess can't have bgr with grey, which makes one channel: choose")
    return Grey(mean * divisor, std * divisor)


def _refuse_others(name: str, said: Mapping[str, Words]) -> None:
    others = " and ".join(each for each in said if each != name)
    if others:
        raise UsageError(f"preprocess can't have {name} with {others}: leave one of them out")


def _divisor(said: Mapping[str, Words], mean: Level, std: Level) -> float:
    if "scale" in said:
        (word,) = _take("scale", said, 1)
        over, under = _ratio("scale", word)
        return under / over if "/" in word else inverse(over)
    if not {"mean", "std"} & said.keys():
        return 1
    numbers = [n for each in (mean, std) for n in (each if isinstance(each, tuple) else (each,))]
    if max(map(abs, numbers)) > 1:
        raise UsageError(
            "preprocess has a mean or std above 1: add 'scale 1' if they are of levels from 0 to"
            " 255, 'scale 1/255' if they aren't"
        )
    return 255


def inverse(scale: float) -> float:
    """Return 1 / scale, whole if it is near: 255 of 0.00392156862745098."""
    divisor = 1 / scale
    near = divisor < 2**31 and abs(divisor - round(divisor)) < 1e-9 * divisor
    return round(divisor) if near else divisor


def _level(name: str, said: Mapping[str, Words], default: int) -> Level:
    if name not in said:
        return default
    words = said[name] if len(said[name]) == 3 else _take(name, said, 1)
    numbers = [_number(name, word) for word in words]
    return (numbers[0], numbers[1], numbers[2]) if len(numbers) == 3 else numbers[0]


def _take(name: str, said: Mapping[str, Words], count: int, last: str = "") -> Words:
    """Return what is said of a part, in as many words as it takes, or with a last one."""
    words = said[name]
    if len(words) != count and (len(words) != count + 1 or words[-1] != last):
        raise _wrong(name, " ".join([name, *words]))
    return words


def _whole(name: str, word: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) <= _DIGITS):
        raise _wrong(name, word)
    return int(word)


def _number(name: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise _wrong(name, word) from None


def _ratio(name: str, word: str) -> tuple[float, float]:
    over, slash, under = word.partition("/")
    ratio = _number(name, over), _number(name, under) if slash else 1.0
    if not min(ratio) > 0:
        raise _wrong(name, word)
    return ratio


def _kernel(name: str, word: str) -> Kernel:
    if word not in get_args(Kernel):
        known = ", ".join(get_args(Kernel))
        raise UsageError(f"preprocess {name} must be by one of {known}, not {quoted(word)}")
    return cast("Kernel", word)


def _wrong(name: str, found: str) -> UsageError:
    return UsageError(f"preprocess takes {name} as in '{_FORMS[name]}', not {quoted(found)}")


_GEOMETRIES: Mapping[frozenset[str], Callable[[Mapping[str, Words]], Geometry]] = {
    frozenset({"resize", "crop"}): _shorter_side,
    frozenset({"squash"}): _squash,
    frozenset({"squash", "crop"}): _squash_and_crop,
    frozenset({"central", "squash"}): _squash,
    frozenset({"square"}): _central_square,
    frozenset({"fit", "pad"}): _longer_side,
    frozenset({"pad"}): _crop_or_pad,
}
