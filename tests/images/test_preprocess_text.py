"""Preprocessings in words."""

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penult.errors import UsageError
from penult.images.geometry import (
    CentralSquare,
    CropOrPad,
    LongerSide,
    ShorterSide,
    Squash,
    SquashAndCrop,
    Stretch,
)
from penult.images.preprocess import PREPROCESSING, Grey, PerImage, Scaled, Transform
from penult.images.preprocess_text import _FORMS, parse
from penult.images.resampling import PILLOW, Kernel

DOCUMENT = (Path(__file__).parents[2] / "docs/concepts/preprocessing.md").read_text("utf-8")
LEVELS = ("scale", "mean", "std", "bgr", "grey", "standardise")
MEAN, STD = (0.48, 0.46, 0.41), (0.27, 0.26, 0.28)
SQUASH = Squash(28, "box")


@pytest.mark.parametrize(
    ("text", "geometry"),
    [
        ("resize 256 bicubic, crop 224", ShorterSide(224, 256, "bicubic", "down", "nearest")),
        ("resize 256 bicubic, crop 224 floor", ShorterSide(224, 256, "bicubic", "down", "down")),
        (
            "resize 9 tf1_bilinear rounded, crop 8",
            ShorterSide(8, 9, "tf1_bilinear", *["nearest"] * 2),
        ),
        ("squash 224 torch_bicubic", Squash(224, "torch_bicubic")),
        ("squash 256x128 bicubic", Stretch(256, 128, "bicubic")),
        ("central 7/8, squash 299 lanczos", Squash(299, "lanczos", 7 / 8)),
        ("central 0.9, squash 299 hamming", Squash(299, "hamming", 0.9)),
        ("squash 213 nearest, crop 192", SquashAndCrop(192, 213, "nearest", "nearest")),
        (
            "squash 256 float_bilinear, crop 224 floor",
            SquashAndCrop(224, 256, "float_bilinear", "down"),
        ),
        ("square 224/256 bicubic", CentralSquare(224, 32, "bicubic")),
        ("fit 224 bilinear, pad 224", LongerSide(224, 224, "bilinear", (0, 0, 0))),
        (
            "fit 240 bilinear, pad 224 124 116 104",
            LongerSide(224, 240, "bilinear", (124, 116, 104)),
        ),
        ("pad 28", CropOrPad(28)),
        ("pad 28 before", CropOrPad(28, "before")),
    ],
)
def test_every_form_of_pixels(text, geometry):
    transform = parse(text)
    assert transform == Transform(geometry, Scaled())
    assert str(transform) == f"{text}, scale 1"
    assert parse(str(transform)) == transform


@pytest.mark.parametrize(
    ("text", "normalisation", "printed"),
    [
        ("scale 1/255", Scaled(255), "scale 1/255"),
        ("scale 0.00392156862745098", Scaled(255), "scale 1/255"),
        ("scale 1/127.5, mean 1", Scaled(127.5, 1), "scale 1/127.5, mean 1"),
        ("scale 2", Scaled(0.5), "scale 1/0.5"),
        ("mean 0.5, std 0.25", Scaled(255, 0.5, 0.25), "scale 1/255, mean 0.5, std 0.25"),
        ("mean 1 1 1", Scaled(255, (1, 1, 1)), "scale 1/255, mean 1 1 1"),
        (
            "std 0.27 0.26 0.28, mean 0.48 0.46 0.41",
            Scaled(255, MEAN, STD),
            "scale 1/255, mean 0.48 0.46 0.41, std 0.27 0.26 0.28",
        ),
        (
            "bgr, scale 1, mean 103.939 116.779 123.68",
            Scaled(1, (103.939, 116.779, 123.68), 1, "bgr"),
            "bgr, scale 1, mean 103.939 116.779 123.68",
        ),
        ("grey, scale 1, mean 128, std 128", Grey(128, 128), "grey, scale 1, mean 128, std 128"),
        ("grey, scale 1/255", Grey(0, 255), "grey, scale 1, std 255"),
        ("grey, mean 0.5, std 0.5", Grey(127.5, 127.5), "grey, scale 1, mean 127.5, std 127.5"),
        ("standardise", PerImage(), "standardise"),
    ],
)
def test_every_form_of_levels(text, normalisation, printed):
    transform = parse(f"squash 28 box, {text}")
    assert transform == parse(f"{text},  squash\n28 box") == Transform(SQUASH, normalisation)
    assert str(transform) == f"squash 28 box, {printed}"
    assert parse(str(transform)) == transform


@pytest.mark.parametrize("name", PREPROCESSING)
@pytest.mark.parametrize("size", [32, 224, 299])
def test_what_a_name_makes_may_be_said_too(name, size):
    transform = PREPROCESSING[name](size)
    assert parse(str(transform)) == transform


@pytest.mark.parametrize("words", re.findall(r"^\| `(.+?)` \|", DOCUMENT, re.MULTILINE))
def test_the_manual_names_what_is_understood(words):
    assert parse(f"squash 8 box, {words}" if words.startswith(LEVELS) else words)


def test_the_manual_names_everything():
    missing = [w for w in [*_FORMS, *get_args(Kernel)] if not re.search(rf"[ `]{w}[ `]", DOCUMENT)]
    assert missing == []


numbers = st.floats(1e-6, 1e6)


@given(
    st.sampled_from([*PILLOW, "torch_bilinear", "float_bicubic"]),
    st.integers(1, 4096),
    st.floats(1 / 16, 1),
    numbers,
    numbers | st.tuples(numbers, numbers, numbers),
)
def test_all_numbers_are_read_back(kernel, size, fraction, divisor, level):
    transform = Transform(Squash(size, kernel, fraction), Scaled(divisor, level, level))
    assert parse(str(transform)) == transform


def test_levels_are_what_is_said():
    pixel = np.array([[[255, 51, 0]]], np.uint8)
    assert parse("squash 1 box")(pixel).tolist() == [[[255, 51, 0]]]
    assert parse("squash 1 box, scale 1/51")(pixel).tolist() == [[[5, 1, 0]]]
    assert parse("squash 1 box, std 0.5")(pixel)[0, 0].tolist() == pytest.approx([2, 0.4, 0])
    swapped = parse("squash 1 box, bgr, scale 1/51, mean 0 1 3, std 1 1 2")(pixel)
    assert swapped.tolist() == [[[0, 0, 1]]]
    assert parse("squash 1 box, grey")(pixel).shape == (1, 1, 1)


PIXELS = "preprocess says which pixels by "


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "preprocess doesn't know '' of '': write as in 'resize 256 bicubic, crop 224, mean"),
        ("blur 3, squash 9 box", "preprocess doesn't know 'blur 3' of "),
        ("squash 9 box,", "preprocess doesn't know '' of "),
        ("squash 9 box, \x1b[2J", r"preprocess doesn't know '\x1b[2J' of "),
        ("scale 1", f"{PIXELS}nothing, not by one of resize and crop; squash; "),
        ("resize 256 bicubic", f"{PIXELS}resize, not by one of resize and crop; "),
        ("squash 9 box, pad 9", f"{PIXELS}squash and pad, not by one of "),
        ("squash 9 box, squash 9 box", "preprocess has squash twice"),
        ("squash 9", "preprocess takes squash as in 'squash 224 bicubic', not 'squash 9'"),
        ("squash 9 box big", "preprocess takes squash as in "),
        ("squash 9 cubic", "preprocess squash must be by one of tf1_bilinear, bilinear, "),
        ("squash 9.5 box", "preprocess takes squash as in 'squash 224 bicubic', not '9.5'"),
        ("squash -9 box", "preprocess takes squash as in "),
        ("squash ٣ box", "preprocess takes squash as in "),
        ("squash 0 box", "preprocessing: geometry.size is 0, expected a whole number from 1 to"),
        ("squash 4097 box", "preprocessing: geometry.size is 4097, expected a whole number"),
        ("squash 9999999 box", "preprocess takes squash as in "),
        ("resize 9 box, crop 10", "preprocessing: geometry.shorter is 9, less than its size 10"),
        ("squash 9 box, crop 10", "preprocessing: geometry.side is 9, less than its size 10"),
        ("resize 9 box, crop 8 ceil", "preprocess takes crop as in 'crop 224', not 'crop 8 ceil'"),
        (
            "fit 9 box, pad 9 256 0 0",
            "preprocessing: geometry.fill is [256, 0, 0], expected three, each",
        ),
        ("fit 9 box, pad 9 1 1", "preprocess takes pad as in 'pad 224', not 'pad 9 1 1'"),
        ("square 256/224 box", "preprocessing: geometry.margin is -32, expected a whole number"),
        ("square 256 box", "preprocess takes square as in 'square 224/256 bicubic', not '256'"),
        ("central 2, squash 9 box", "preprocessing: geometry.fraction is 2.0, expected a number"),
        ("central 1/0, squash 9 box", "preprocess takes central as in 'central 7/8', not '1/0'"),
        ("squash 9 box, scale 0", "preprocess takes scale as in 'scale 1/255', not '0'"),
        ("squash 9 box, scale x", "preprocess takes scale as in 'scale 1/255', not 'x'"),
        ("squash 9 box, scale nan", "preprocess takes scale as in 'scale 1/255', not 'nan'"),
        ("squash 9 box, scale 1/1e9", "preprocessing: normalisation.divisor is 1000000000.0, exp"),
        ("squash 9 box, scale 1/inf", "preprocessing: normalisation.divisor is inf, expected a "),
        ("squash 9 box, scale 1e-320", "preprocessing: normalisation.divisor is "),
        ("squash 9 box, mean nan", "preprocessing: normalisation.mean is nan, expected a number"),
        ("squash 9 box, std 0", "preprocessing: normalisation.std is 0.0, expected a number from"),
        ("squash 9 box, mean 1 2", "preprocess takes mean as in 'mean 0.5', not 'mean 1 2'"),
        ("squash 9 box, bgr yes", "preprocess takes bgr as in 'bgr', not 'bgr yes'"),
        ("squash 9 box, mean 123.68", "preprocess has a mean or std above 1: add 'scale 1' if "),
        ("squash 9 box, std 1 1 58", "preprocess has a mean or std above 1: add 'scale 1' if "),
        ("squash 9 box, grey, bgr", "preprocess can't have bgr with grey, which makes one channel"),
        ("squash 9 box, grey, mean 0 0 1", "preprocess has three numbers in mean or std, but grey"),
        ("squash 9 box, standardise, std 1", "preprocess can't have standardise with std: leave"),
        ("squash 9 box, " * 100, "is longer than 1000 characters"),
    ],
)
def test_what_is_not_understood_is_named_in_one_line(text, message):
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        parse(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@given(
    st.lists(st.sampled_from(["squash", "resize", "crop", "pad", "9", "box", ",", "é", "1/2", "/"]))
)
def test_nonsense_gets_nothing_but_an_error_of_ours(words):
    try:
        transform = parse(" ".join(words))
    except UsageError:
        return
    assert parse(str(transform)) == transform
