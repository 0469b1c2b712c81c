"""Preprocessing by the name of a file, of the files that are none, and by words."""

import json
import re
from pathlib import Path

import pytest

from penult.errors import UsageError
from penult.images.preprocess import PREPROCESSING, Scaled
from penult.images.preprocess_files import (
    choose,
    read_file,
)

SQUARE = 32, 32  # the network's input
VIT = {"image_processor_type": "ViTImageProcessor", "image_mean": 0, "image_std": 1}


@pytest.mark.parametrize(
    ("content", "printed"),
    [
        (VIT, "squash 224 bilinear"),
        ({"image_processor": VIT, "processor_class": "CLIPProcessor"}, "squash 224 bilinear"),
        (
            {"architecture": "resnet50", "pretrained_cfg": {"crop_pct": 0.95}},
            "resize 235 bicubic, crop 224",
        ),
        (
            {"architecture": "resnet50", "input_size": [3, 64, 64], "crop_pct": 1},
            "resize 64 bicubic, crop 64",
        ),
        ({"model_cfg": {"vision_cfg": {"image_size": 256}}}, "resize 256 bicubic, crop 256"),
        ({"preprocess_cfg": {"resize_mode": "squash"}, "model_cfg": {}}, "squash 224 bicubic"),
    ],
)
def test_a_file_is_told_by_what_it_holds(content, printed, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(content), "utf-8")
    assert str(read_file(path).geometry) == printed
    assert choose(str(path), SQUARE, None) == choose(path, SQUARE, None) == read_file(path)
    assert choose(path, (96, 96), 96).size == 96


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no JSON: fetch it again"),
        (b"{", "is no JSON: fetch it again"),
        (b"\xff", "is no JSON: fetch it again"),
        (b"[" * 100_000, "is no JSON: fetch it again"),
        (b"[]", "the file is [], expected keys with values"),
        (b" " * (2**20 + 1), "it has more than 1,048,576 bytes, so it is no such file"),
        (b'{"image_processor": [1]}', "the file is [1], expected keys with values"),
        (b'{"pretrained_cfg": 3}', "pretrained_cfg is 3, expected keys with values"),
        (b'{"model_cfg": 3}', "model_cfg is 3, expected keys with values"),
        (b'{"model_type": "vit"}', "image_processor_type is missing"),
        (json.dumps(VIT | {"size": -1}).encode(), "size is -1, expected a whole number"),
    ],
)
def test_a_file_that_is_none_is_refused_by_its_name(content, message, tmp_path):
    path = tmp_path / "preprocessor_config.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        read_file(path)
    assert "preprocessor_config.json'" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read_is_named(name, tmp_path):
    with pytest.raises(UsageError, match=r"' can't be read: (No such file|Is a directory)"):
        choose(tmp_path / name, SQUARE, None)


@pytest.mark.parametrize("name", PREPROCESSING)
def test_names_are_for_the_networks_size(name):
    assert choose(name, SQUARE, None) == PREPROCESSING[name](32)


def test_words_say_their_own_size():
    made = choose("squash 24 box, scale 1/255", SQUARE, 32)
    assert (made.size, made.normalisation) == (24, Scaled(255))


@pytest.mark.parametrize("asked", ["clip", "RAW", "custom"])
def test_a_name_that_there_is_not_is_refused_with_what_there_is(asked):
    with pytest.raises(
        UsageError, match=f"one of .*, raw, words such as .*, or .*, not '{asked}'$"
    ):
        choose(asked, SQUARE, None)
    assert not Path(asked).exists()
