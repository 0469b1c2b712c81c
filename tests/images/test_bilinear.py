import tracemalloc

import numpy as np
import pytest
from PIL import Image

from penult.images.bilinear import resize, taps


def noise(width, height):
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


def whole(rgb, width, height):
    rows = taps(range(rgb.shape[0]), height, range(height))
    return resize(rgb, rows, taps(range(rgb.shape[1]), width, range(width)))


def one_by_one(rgb, width, height):
    """The kernel for one pixel at a time, in float32, as its C++ goes."""
    found = np.empty((height, width, 3), np.float32)
    pixels = rgb.astype(np.float32)
    sides = zip(rgb.shape[:2], (height, width), strict=True)
    scales = [np.float32(source) / np.float32(resized) for source, resized in sides]
    for target in np.ndindex(height, width):
        y, x = (np.float32(i) * scale for i, scale in zip(target, scales, strict=True))
        top, left = int(np.floor(y)), int(np.floor(x))
        bottom = min(int(np.ceil(y)), rgb.shape[0] - 1)
        right = min(int(np.ceil(x)), rgb.shape[1] - 1)
        dy, dx = y - np.float32(top), x - np.float32(left)
        above = pixels[top, left] + (pixels[top, right] - pixels[top, left]) * dx
        below = pixels[bottom, left] + (pixels[bottom, right] - pixels[bottom, left]) * dx
        found[target] = above + (below - above) * dy
    return found


@pytest.mark.parametrize("target", [(5, 7), (23, 19), (11, 13), (1, 1), (40, 3)])
def test_it_equals_the_kernel_written_pixel_by_pixel(target):
    rgb = noise(11, 13)
    np.testing.assert_array_equal(whole(rgb, *target), one_by_one(rgb, *target))


def test_pixels_are_not_centred_and_the_last_one_is_repeated():
    rgb = np.repeat(np.array([[0, 100]], np.uint8)[:, :, None], 3, axis=2)
    assert whole(rgb, 4, 1)[0, :, 0].tolist() == [0, 50, 100, 100]


def test_shrinking_skips_pixels():
    rgb = np.repeat(np.arange(9, dtype=np.uint8)[None, :, None], 3, axis=2)
    assert whole(rgb, 3, 1)[0, :, 0].tolist() == [0, 3, 6]


def test_a_part_of_the_target_equals_that_part_of_the_whole():
    rgb = noise(50, 40)
    rows = taps(range(40), 33, range(5, 20))
    columns = taps(range(50), 71, range(30, 60))
    np.testing.assert_array_equal(resize(rgb, rows, columns), whole(rgb, 71, 33)[5:20, 30:60])


def test_a_part_of_the_source_equals_that_part_cut_out():
    rgb = noise(50, 40)
    rows = taps(range(3, 31), 20, range(20))
    columns = taps(range(10, 44), 60, range(60))
    np.testing.assert_array_equal(resize(rgb, rows, columns), whole(rgb[3:31, 10:44], 60, 20))


def test_pixels_are_scaled_before_they_are_interpolated():
    rgb = noise(20, 20)
    every = taps(range(20), 20, range(20))
    found = resize(rgb, every, every, 1 / 255)
    np.testing.assert_array_equal(found, rgb * np.float32(1 / 255))


@pytest.mark.parametrize("shape", [(30, 20), (1300, 1100)])  # in one block; row by row
def test_pillow_images_and_arrays_give_the_same(shape):
    rgb = noise(*shape)
    rows, columns = (taps(range(n), 25, range(25)) for n in rgb.shape[:2])
    np.testing.assert_array_equal(
        resize(Image.fromarray(rgb), rows, columns), resize(rgb, rows, columns)
    )


@pytest.mark.parametrize("of", [np.asarray, Image.fromarray])
def test_a_large_photo_is_never_copied_whole(of):
    photo = np.zeros((3000, 4000, 3), np.uint8)
    rgb = of(photo)
    rows, columns = (taps(range(n), 224, range(224)) for n in photo.shape[:2])
    tracemalloc.start()
    resize(rgb, rows, columns)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < photo.nbytes / 2
