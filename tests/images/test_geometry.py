"""Which pixels a network sees, told from what Pillow does step by step."""

from typing import get_args

import numpy as np
import pytest
from PIL import Image, ImageOps

from penult.images.antialias import fixed_taps
from penult.images.geometry import CropOrPad, LongerSide, ShorterSide, Squash, SquashAndCrop
from penult.images.preprocess import Scaled, Transform, torchvision
from penult.images.resampling import PILLOW, Kernel

SHAPES = [(50, 40), (40, 51), (33, 33), (90, 7), (7, 91), (3, 2), (1, 1)]


def noise(width, height):
    rgb = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(rgb)


def levels(geometry, image):
    return geometry(image, 1)


def bordered(image, size, fill):
    """Pillow's own borders, then a crop: timm's and open_clip's `CenterCropOrPad`."""
    width, height = image.size
    missing = [max(0, size - side) for side in (width, height)]
    left, top = (each // 2 for each in missing)
    right, bottom = ((each + 1) // 2 for each in missing)
    image = ImageOps.expand(image, (left, top, right, bottom), fill)
    left, top = (round((side - size) / 2) for side in image.size)
    return image.crop((left, top, left + size, top + size))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("longer", [31, 32, 37])
def test_the_longer_side_fits_and_borders_have_their_colour(shape, longer):
    image, fill = noise(*shape), (200, 100, 50)
    ratio = max(shape) / longer
    resized = image.resize(
        [max(1, round(side / ratio)) for side in shape], Image.Resampling.BICUBIC
    )
    expected = np.asarray(bordered(resized, 32, fill))
    made = levels(LongerSide(32, longer, "bicubic", fill), image)
    np.testing.assert_array_equal(made, expected)
    halved = LongerSide(32, longer, "bicubic", fill)(image, 2)
    np.testing.assert_array_equal(halved, expected / np.float32(2))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("corner", "edge"), [("down", 2), ("nearest", 2)])
@pytest.mark.parametrize("kernel", PILLOW)
def test_a_square_is_cropped_after_squashing(shape, corner, edge, kernel):
    image = noise(*shape)
    squashed = image.resize((37, 37), PILLOW[kernel]).crop((edge, edge, edge + 32, edge + 32))
    made = levels(SquashAndCrop(32, 37, kernel, corner), image)
    np.testing.assert_array_equal(made, np.asarray(squashed))


@pytest.mark.parametrize(("side", "corner", "edge"), [(35, "down", 1), (35, "nearest", 2)])
def test_a_half_goes_down_or_to_the_even_pixel(side, corner, edge):
    image = noise(50, 40)
    squashed = image.resize((side, side), PILLOW["box"])
    made = levels(SquashAndCrop(32, side, "box", corner), image)
    np.testing.assert_array_equal(made, np.asarray(squashed)[edge : edge + 32, edge : edge + 32])
    shorter = levels(ShorterSide(32, side, "box", "down", corner), noise(40, 40))
    np.testing.assert_array_equal(
        shorter, levels(SquashAndCrop(32, side, "box", corner), noise(40, 40))
    )


@pytest.mark.parametrize(("odd", "edge"), [("after", 2), ("before", 3)])
def test_an_odd_border_is_after_or_before_the_image(odd, edge):
    made = levels(CropOrPad(8, odd), Image.new("RGB", (3, 13), "white"))
    assert (made[:, edge : edge + 3] == 255).all()
    assert made.sum() == 8 * 3 * 3 * 255


@pytest.mark.parametrize("kernel", get_args(Kernel))
@pytest.mark.parametrize("shape", [*SHAPES, (1, 20_000), (20_000, 2)])
def test_every_kernel_takes_arrays_images_and_thin_ones(kernel, shape):
    image = noise(*shape)
    for geometry in (
        Squash(32, kernel, 7 / 8),
        SquashAndCrop(32, 37, kernel, "down"),
        ShorterSide(32, 37, kernel, "down", "nearest"),
        LongerSide(32, 32, kernel, (1, 2, 3)),
    ):
        made = geometry(image, 255)
        assert made.shape == (32, 32, 3)
        assert made.dtype == np.float32
        assert -0.5 < made.min() <= made.max() < 1.5  # floats may overshoot
        np.testing.assert_array_equal(geometry(np.asarray(image), 255), made)


@pytest.mark.parametrize("kernel", ["torch_bilinear", "torch_bicubic", "float_bilinear"])
@pytest.mark.parametrize("shape", SHAPES)
def test_torchvisions_kernels_are_pillows_but_for_rounding(kernel, shape):
    image, name = noise(*shape), kernel.partition("_")[2]
    made = levels(ShorterSide(32, 37, kernel, "down", "nearest"), image)
    pillow = levels(ShorterSide(32, 37, name, "down", "nearest"), image)
    assert np.abs(made - pillow).max() <= 2
    assert np.abs(made - pillow).mean() < 0.5
    if kernel.startswith("torch"):
        np.testing.assert_array_equal(made, np.rint(made))


def test_a_window_of_torchvisions_kernel_is_cut_out_of_the_whole():
    image = noise(90, 70)
    whole = levels(Squash(64, "torch_bicubic"), image)
    part = levels(SquashAndCrop(20, 64, "torch_bicubic", "down"), image)
    np.testing.assert_array_equal(part, whole[22:42, 22:42])


@pytest.mark.parametrize("shape", [(4, 2), (64, 2), (7, 5), (2, 9)])
def test_weights_have_as_many_bits_as_fit(shape):
    taps = fixed_taps(range(shape[0]), shape[1], range(shape[1]), "bilinear")
    np.testing.assert_allclose(taps.weights.sum(axis=1), 2**taps.bits, rtol=1e-3)
    assert 2**14 <= taps.weights.max() < 2**15
    np.testing.assert_array_equal(taps.weights, np.trunc(taps.weights))


def test_channels_may_be_swapped():
    image = noise(8, 8)
    rgb = Transform(Squash(8, "box"), Scaled(255))(image)
    bgr = Transform(Squash(8, "box"), Scaled(255, (0, 0, 0.5), (1, 1, 2), "bgr"))(image)
    np.testing.assert_array_equal(bgr, (rgb[:, :, ::-1] - np.float32([0, 0, 0.5])) / [1, 1, 2])


@pytest.mark.parametrize(("size", "shorter"), [(224, 232), (288, 298), (384, 398)])
def test_torchvisions_presets_scale_with_the_input(size, shorter):
    made = torchvision(size, shorter=232, kernel="bicubic").geometry
    assert made == ShorterSide(size, shorter, "bicubic", "down", "nearest")
