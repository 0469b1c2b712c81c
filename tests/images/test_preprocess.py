import math

import numpy as np
import pytest
from PIL import Image

from penult.images.geometry import CentralSquare
from penult.images.preprocess import PREPROCESSING, Scaled, Transform, efficientnet


def picture(width, height):
    """Smooth in one channel, fine stripes in the next, blocks in the third; no random numbers."""
    y, x = np.mgrid[:height, :width]
    return np.dstack([x * 255 // width, (x + y) % 2 * 254, (x // 8 + y // 8) % 2 * 200]).astype(
        "u1"
    )


def bicubic(pixels, size):
    """Antialiased bicubic (a = -0.5) along axis 0, in float64, rounded to 8 bits."""
    scale = len(pixels) / size
    stretch = max(scale, 1)
    rows = []
    for target in range(size):
        centre = (target + 0.5) * scale
        first = max(0, int(centre - 2 * stretch + 0.5))
        last = min(len(pixels), int(centre + 2 * stretch + 0.5))
        x = np.abs((np.arange(first, last) + 0.5 - centre) / stretch)
        near = (1.5 * x - 2.5) * x * x + 1
        far = ((-0.5 * x + 2.5) * x - 4) * x + 2
        weights = np.where(x < 1, near, np.where(x < 2, far, 0))
        rows.append(np.tensordot(weights / weights.sum(), pixels[first:last], axes=1))
    return np.clip(np.floor(np.array(rows) + 0.5), 0, 255)


def independently(rgb, size):
    height, width, _ = rgb.shape
    side = max(1, int(size / (size + 32) * min(width, height)))
    top, left = (height - side + 1) // 2, (width - side + 1) // 2
    square = rgb[top : top + side, left : left + side].astype(float)
    across = bicubic(square.transpose(1, 0, 2), size).transpose(1, 0, 2)
    return (bicubic(across, size) - 127) / 128


@pytest.mark.parametrize("size", [224, 240, 260])
@pytest.mark.parametrize("shape", [(500, 375), (375, 501), (256, 256), (97, 30), (1023, 640)])
def test_it_equals_an_independent_computation(shape, size):
    rgb = picture(*shape)
    found = efficientnet(size)(rgb)
    assert found.shape == (size, size, 3)
    assert found.dtype == np.float32
    levels = np.abs(found - independently(rgb, size)) * 128
    assert levels.max() <= 1.001  # Pillow's weights have 22 bits
    assert (levels > 0.5).mean() < 1e-3


def test_it_equals_stored_numbers():
    levels = efficientnet(224)(picture(500, 375)) * 128 + 127
    assert levels.sum(axis=(0, 1)).tolist() == [6359360, 6372352, 5122848]
    assert levels[::100, ::100].tolist() == [
        [[43, 119, 210], [118, 130, 0], [193, 132, 0]],
        [[43, 130, 210], [118, 126, 0], [193, 126, 0]],
        [[43, 132, 210], [118, 126, 0], [193, 124, 0]],
    ]


def test_values_are_exact_in_float32():
    grey = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(256, 1, 1, 3)
    found = [efficientnet(2)(pixel)[0, 0, 0] for pixel in grey]
    assert found == [(value - 127) / 128 for value in range(256)]


@pytest.mark.parametrize("shape", [(500, 375), (375, 501), (31, 31), (1, 9)])
def test_arrays_and_pillow_images_give_the_same(shape):
    rgb = picture(*shape)
    image = Image.fromarray(rgb)
    np.testing.assert_array_equal(efficientnet(224)(image), efficientnet(224)(rgb))
    np.testing.assert_array_equal(np.asarray(image), rgb)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (1, 20000), (20000, 1), (3, 2), (20000, 2)])
def test_tiny_and_thin_images_work(shape):
    found = efficientnet(224)(np.full((shape[1], shape[0], 3), 255, np.uint8))
    assert found.shape == (224, 224, 3)
    assert (found == 1).all()


@pytest.mark.parametrize("width", range(1, 40))
def test_the_square_is_central_and_inside(width):
    rgb = np.zeros((7, width, 3), np.uint8)
    side = max(1, math.floor(224 / 256 * min(7, width)))
    left, top = (width - side + 1) // 2, (7 - side + 1) // 2
    rgb[top : top + side, left : left + side] = 255
    assert (efficientnet(224)(rgb) == 1).all()


def test_other_constants_are_used():
    white = np.full((4, 4, 3), 255, np.uint8)
    other = Transform(CentralSquare(8, 0, "bicubic"), Scaled(1, 5, 1000))
    assert (other(white) == np.float32(0.25)).all()


def test_it_is_a_value_that_prints_as_one_line():
    written_out = Transform(CentralSquare(224, 32, "bicubic"), Scaled(1, 127, 128))
    assert efficientnet(224) == written_out
    assert hash(efficientnet(224)) != hash(efficientnet(240))
    assert str(efficientnet(260)) == "square 260/292 bicubic, scale 1, mean 127, std 128"
    other = Transform(CentralSquare(8, 0, "bicubic"), Scaled(1, 0.5, 2))
    assert str(other) == "square 8/8 bicubic, scale 1, mean 0.5, std 2"


def test_every_registered_kind_prepares_an_image_of_its_size():
    for make in PREPROCESSING.values():
        prepare = make(32)
        assert prepare.size == 32
        assert prepare(picture(50, 40)).shape[:2] == (32, 32)
        assert "\n" not in str(prepare)
