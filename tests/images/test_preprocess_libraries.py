"""Against what torchvision, timm, transformers and open_clip made of two photos, to the bit.

`tests/reference/make_preprocess_libraries.py` says how it was made.
"""

import json
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from penult.images.preprocess import torchvision
from penult.images.preprocess_files import from_open_clip, from_timm, from_transformers
from penult.images.preprocess_text import parse

REFERENCE = Path(__file__).parent.parent / "reference"
PHOTOS = {"img1": "chelsea", "img2": "coffee"}
CASES = json.loads((REFERENCE / "preprocess" / "libraries.json").read_text("utf-8"))
CAFFE = "mean 0.48235 0.45882 0.40784, std 0.00392156862745098"  # torchvision's vgg16 features


def photo(name):
    with Image.open(REFERENCE / "images" / f"{name}.jpg") as image:
        return image.convert("RGB")


def transform_of(case):
    if "timm" in case:
        return from_timm(case["timm"], case["size"])
    if "open_clip" in case:
        return from_open_clip(case["open_clip"], {})
    if "transformers" in case:
        return from_transformers(case["transformers"], backend=case["backend"])
    preset = case["torchvision"]
    (shorter,), (crop,) = preset["resize_size"], preset["crop_size"]
    return torchvision(crop, crop=crop, shorter=shorter, kernel=preset["interpolation"])


def digest(x):
    return sha256(x.transpose(2, 0, 1).astype("<f4").tobytes()).hexdigest()


def name_of(case):
    return f"{case['network']}-{case.get('backend', '')}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_it_equals_the_library_to_the_bit(case):
    transform = transform_of(case)
    made = {key: digest(transform(photo(name))) for key, name in PHOTOS.items()}
    assert made == case["sha256"]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_it_is_read_back_from_what_it_prints(case):
    transform = transform_of(case)
    assert parse(str(transform)) == transform


def test_all_libraries_are_compared_with():
    libraries = [case["network"].partition("/")[0] for case in CASES]
    counts = {name: libraries.count(name) for name in libraries}
    assert counts == {"open_clip": 7, "timm": 18, "torchvision": 9, "transformers": 19}


@pytest.mark.parametrize("name", PHOTOS.values())
def test_floats_are_resized_as_dinov3_does(name):
    with np.load(REFERENCE / "preprocess" / "dinov3_224_every_7th.npz") as arrays:
        expected = arrays[name]
    made = from_transformers({"image_processor_type": "DINOv3ViTImageProcessorFast"})
    np.testing.assert_allclose(made(photo(name))[::7, ::7], expected, rtol=0, atol=2e-6)


def test_newer_transformers_is_told_apart_from_older_by_a_level_or_two():
    config = {"image_processor_type": "CLIPImageProcessor", "do_normalize": False}
    pillow, torch = (
        255 * from_transformers(config, backend=backend)(photo("coffee"))
        for backend in ("pillow", "torchvision")
    )
    assert 0 < np.abs(pillow - torch).max() < 2.01
    assert 0 < (np.abs(pillow - torch) > 0.5).mean() < 0.01


def test_presets_may_be_said_in_words():
    vgg = parse(f"resize 256 bilinear, crop 224, {CAFFE}")
    assert digest(vgg(photo("chelsea"))).startswith("020415aeca19f5ec")
    sizes = parse("resize 384 bicubic, crop 384, mean 0.485 0.456 0.406, std 0.229 0.224 0.225")
    assert digest(sizes(photo("coffee"))).startswith("b850960d6da37036")
