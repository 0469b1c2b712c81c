"""Preprocessings as plain data, and documents that strangers wrote."""

import json
import pickle
import re

import numpy as np
import pytest

from penult.images.geometry import (
    CentralSquare,
    CropOrPad,
    LongerSide,
    ShorterSide,
    Squash,
    SquashAndCrop,
    Stretch,
)
from penult.images.preprocess import PREPROCESSING, Scaled, Transform, name_of
from penult.images.preprocess_document import document, read

CLIP = Transform(  # numbers of another library's preset
    ShorterSide(224, 224, "bicubic", longer="down", corner="down"),
    Scaled(255, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
)
OTHERS = [
    CLIP,
    Transform(Stretch(256, 128, "bicubic"), Scaled(255, 0.5, 0.5)),
    Transform(CentralSquare(96, 0, "tf1_bilinear"), Scaled(127.5, 1)),
    Transform(SquashAndCrop(96, 100, "torch_bicubic", "down"), Scaled(1, 1, 1, "bgr")),
    Transform(LongerSide(96, 100, "lanczos", (1, 2, 3)), Scaled(255)),
    Transform(CropOrPad(28, "before"), Scaled(255)),
]
EVERY = [*(make(size) for make in PREPROCESSING.values() for size in (32, 299)), *OTHERS]


@pytest.mark.parametrize("transform", EVERY, ids=str)
def test_a_document_is_read_back_as_the_same_value(transform):
    again = read(json.loads(json.dumps(document(transform))))
    assert again == transform
    assert (hash(again), str(again)) == (hash(transform), str(transform))


@pytest.mark.parametrize("transform", EVERY, ids=str)
def test_a_value_can_be_pickled(transform):
    assert pickle.loads(pickle.dumps(transform)) == transform


def test_only_values_that_a_name_makes_have_a_name():
    assert [name_of(make(97)) for make in PREPROCESSING.values()] == list(PREPROCESSING)
    assert name_of(CLIP) is None


def test_presets_of_other_libraries_print_as_one_line_with_all_numbers():
    assert str(CLIP) == (
        "resize 224 bicubic, crop 224 floor, scale 1/255, mean 0.48145466 0.4578275 0.40821073, "
        "std 0.26862954 0.26130258 0.27577711"
    )
    assert str(Transform(Squash(96, "bicubic", 0.9), Scaled(255))) == (
        "central 0.9, squash 96 bicubic, scale 1/255"
    )


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "tf1_bilinear"])
def test_an_image_is_stretched_along_the_right_sides(kernel):
    rgb = np.zeros((32, 64, 3), np.uint8)
    rgb[16:] = 255  # the lower half
    halves = Transform(Stretch(8, 2, kernel), Scaled(255))
    assert halves.sides == (8, 2)
    found = halves(rgb)
    assert found.shape == (8, 2, 3)
    assert (found[:3] == 0).all()
    assert (found[5:] == 1).all()


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic"])
def test_a_central_part_is_cut_out_before_it_is_resized(kernel):
    rgb = np.zeros((32, 64, 3), np.uint8)
    rgb[2:30, 4:60] = 255
    white = Transform(Squash(8, kernel, 7 / 8), Scaled(255))(rgb)
    assert (white == 1).all()


@pytest.mark.parametrize(
    ("part", "field", "value", "message"),
    [
        ("geometry", "size", 4097, "geometry.size is 4097, expected a whole number from 1 to 4096"),
        ("geometry", "size", 0, "geometry.size is 0, expected a whole number from 1 to 4096"),
        ("geometry", "size", True, "geometry.size is True, expected a whole number from 1 to 4096"),
        ("geometry", "size", 8.0, "geometry.size is 8.0, expected a whole number from 1 to 4096"),
        ("geometry", "shorter", 8193, "geometry.shorter is 8193, expected a whole number from 1"),
        ("geometry", "shorter", 223, "geometry.shorter is 223, less than its size 224"),
        (
            "geometry",
            "kernel",
            "cubic",
            "geometry.kernel is 'cubic', expected one of tf1_bilinear, ",
        ),
        ("geometry", "longer", None, "geometry.longer is None, expected one of down, nearest"),
        ("geometry", "kind", "blur", "geometry.kind is 'blur', expected one of central_square, "),
        ("geometry", "kind", ["squash"], "geometry.kind is ['squash'], expected one of "),
        ("geometry", "kind", "squash", "geometry must hold fraction, kernel, kind, size, not {"),
        ("geometry", "code", 1, "geometry must hold corner, kernel, kind, longer, shorter, size"),
        ("normalisation", "divisor", 0, "normalisation.divisor is 0, expected a number from 1e-06"),
        ("normalisation", "divisor", float("nan"), "normalisation.divisor is nan, expected "),
        ("normalisation", "mean", [1, 2], "normalisation.mean is [1, 2], expected a number from"),
        ("normalisation", "mean", [1, 2, "3"], "normalisation.mean is [1, 2, '3'], expected "),
        (
            "normalisation",
            "std",
            0,
            "normalisation.std is 0, expected a number from 1e-06 to 1e+06",
        ),
        ("normalisation", "kind", "\n", r"normalisation.kind is '\n', expected one of scaled, "),
    ],
)
def test_a_field_that_cannot_be_is_named(part, field, value, message):
    value_of = document(PREPROCESSING["vgg"](224))
    value_of[part][field] = value
    with pytest.raises(ValueError, match=re.escape(f"preprocessing: {message}")):
        read(value_of)


def test_a_field_with_a_default_may_be_missing():
    lenet = document(PREPROCESSING["lenet"](28))
    del lenet["geometry"]["odd"]
    assert read(lenet) == PREPROCESSING["lenet"](28)


@pytest.mark.parametrize(
    ("kind", "field", "value", "message"),
    [
        ("squash_and_crop", "side", 95, "geometry.side is 95, less than its size 96"),
        ("squash_and_crop", "side", 8193, "geometry.side is 8193, expected a whole number from 1"),
        ("longer_side", "longer", "down", "geometry.longer is 'down', expected a whole number"),
        ("longer_side", "fill", [0, 0], "geometry.fill is [0, 0], expected three, each a whole"),
        ("longer_side", "fill", [0, 0, 256], "geometry.fill is [0, 0, 256], expected three, each"),
    ],
)
def test_a_field_of_a_newer_kind_that_cannot_be_is_named(kind, field, value, message):
    (found,) = (d for d in map(document, OTHERS) if d["geometry"]["kind"] == kind)
    found["geometry"][field] = value
    with pytest.raises(ValueError, match=re.escape(f"preprocessing: {message}")):
        read(found)


@pytest.mark.parametrize("value", [None, [], "vgg", {}, {"geometry": {}}, {"geometry": {}, 1: 2}])
def test_what_is_no_document_is_refused(value):
    with pytest.raises(ValueError, match="preprocessing must hold geometry, normalisation, not "):
        read(value)


@pytest.mark.parametrize("field", ["mean", "std"])
def test_grey_takes_one_number_only(field):
    value = document(PREPROCESSING["lenet"](28))
    value["normalisation"][field] = [1, 2, 3]
    with pytest.raises(
        ValueError, match=re.escape(f"normalisation.{field} is [1, 2, 3], expected")
    ):
        read(value)
