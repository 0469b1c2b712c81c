"""Against what torchvision made of two photos; `make_preprocess_torchvision.py` says how."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from penult.images.preprocess import PREPROCESSING

REFERENCE = Path(__file__).parent.parent / "reference"
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
prepare = PREPROCESSING["torchvision"]
EVERY = {224: 3, 299: 5, 64: 1}  # row and column of the levels that are stored


@pytest.fixture(scope="module")
def torchvision():
    with np.load(REFERENCE / "preprocess" / "torchvision.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("photo", ["chelsea", "chelsea_turned", "coffee", "coffee_turned"])
@pytest.mark.parametrize("size", EVERY)
def test_it_equals_torchvision_to_the_bit(photo, size, torchvision):
    name, _, turned = photo.partition("_")
    with Image.open(REFERENCE / "images" / f"{name}.jpg") as image:
        rgb = image.convert("RGB")
    if turned:
        rgb = rgb.transpose(Image.Transpose.ROTATE_90)
    found = prepare(size)(rgb)
    expected = torchvision[f"{photo}_{size}_values"]
    np.testing.assert_array_equal(found[::37, ::37], expected, strict=True)
    levels = np.rint((found * STD + MEAN) * 255)[:: EVERY[size], :: EVERY[size]]
    np.testing.assert_array_equal(levels, torchvision[f"{photo}_{size}_levels"])


def noise(width, height):
    return np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize("shape", [(50, 40), (31, 33), (20, 330), (330, 20), (1, 1)])
def test_arrays_and_pillow_images_give_the_same(shape):
    rgb = noise(*shape)
    image = Image.fromarray(rgb)
    np.testing.assert_array_equal(prepare(32)(image), prepare(32)(rgb))
    np.testing.assert_array_equal(np.asarray(image), rgb)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (1, 20_000), (20_000, 1), (20_000, 2)])
def test_tiny_and_thin_images_work(shape):
    width, height = shape
    found = prepare(224)(np.full((height, width, 3), 255, np.uint8))
    assert found.shape == (224, 224, 3)
    white = np.broadcast_to((1 - MEAN) / STD, found.shape)
    np.testing.assert_allclose(found, white, rtol=1e-6)


@pytest.mark.parametrize("shape", [(17, 320), (320, 17), (20, 335)])
def test_the_middle_of_a_long_image_is_off_by_one_level_at_most(shape):
    rgb = noise(*shape)
    resized = tuple(37 * side // min(shape) for side in shape)
    whole = Image.fromarray(rgb).resize(resized, Image.Resampling.BILINEAR)
    left, top = (round((side - 32) / 2) for side in resized)
    expected = np.asarray(whole.crop((left, top, left + 32, top + 32)), float)
    found = np.rint((prepare(32)(rgb) * STD + MEAN) * 255)
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize(("size", "shorter"), [(224, 256), (299, 342), (64, 73)])
def test_the_shorter_side_grows_with_the_input(size, shorter):
    assert prepare(size).shorter == shorter
