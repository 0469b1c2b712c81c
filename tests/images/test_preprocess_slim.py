"""Against what TensorFlow made of two photos; `reference/preprocess/README.md` says how."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from penult.images.preprocess import PREPROCESSING, cifarnet, inception, lenet, name_of, raw, vgg

REFERENCE = Path(__file__).parent.parent / "reference"
KINDS = [inception, vgg, lenet, cifarnet, raw]


def grey(width, height, level=255):
    return np.full((height, width, 3), level, np.uint8)


def noise(width, height):
    return np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)


def expected(name, photo):
    with np.load(REFERENCE / "preprocess" / f"{name}.npz") as arrays:
        return arrays[photo]


def prepared(kind, size, photo):
    name = {"img1": "chelsea", "img2": "coffee"}[photo]
    with Image.open(REFERENCE / "images" / f"{name}.jpg") as image:
        return PREPROCESSING[kind](size)(image.convert("RGB"))


@pytest.mark.parametrize("photo", ["img1", "img2"])
@pytest.mark.parametrize(
    ("kind", "size"), [("inception", 96), ("inception", 128), ("vgg", 224), ("lenet", 28)]
)
def test_it_equals_tensorflow_to_the_bit(kind, size, photo):
    np.testing.assert_array_equal(
        prepared(kind, size, photo), expected(f"{kind}_{size}", photo), strict=True
    )


@pytest.mark.parametrize("photo", ["img1", "img2"])
@pytest.mark.parametrize(
    ("kind", "size"), [("inception", 224), ("inception", 299), ("inception", 331), ("vgg", 231)]
)
def test_every_fifth_row_and_column_equals_tensorflow_to_the_bit(kind, size, photo):
    found = prepared(kind, size, photo)
    assert found.shape == (size, size, 3)
    np.testing.assert_array_equal(
        found[::5, ::5], expected(f"{kind}_{size}_every_5th", photo), strict=True
    )


@pytest.mark.parametrize("photo", ["img1", "img2"])
def test_cifarnet_equals_tensorflow_but_for_the_rounding_of_the_mean(photo):
    found, wanted = prepared("cifarnet", 32, photo), expected("cifarnet_32", photo)
    assert found.dtype == np.float32
    assert np.linalg.norm(found - wanted) <= 1e-6 * np.linalg.norm(wanted)


@pytest.mark.parametrize(
    "size", [(500, 375), (31, 33), (27, 300), (1, 1), (1, 20000), (1201, 1000)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_arrays_and_pillow_images_give_the_same(kind, size):
    rgb = noise(*size)
    image = Image.fromarray(rgb)
    np.testing.assert_array_equal(kind(32)(image), kind(32)(rgb))
    np.testing.assert_array_equal(np.asarray(image), rgb)


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 20000), (20000, 1), (20000, 2)])
@pytest.mark.parametrize(
    ("kind", "white"), [(inception(224), 1), (vgg(224), 255 - np.float32(123.68)), (raw(224), 255)]
)
def test_tiny_and_thin_images_work(kind, white, size):
    found = kind(grey(*size))
    assert found.shape == (224, 224, 3)
    assert (found[:, :, 0] == white).all()


@pytest.mark.parametrize("side", [1, 15, 16, 17, 31, 32, 47, 100])
def test_inception_crops_a_sixteenth_off_each_edge(side):
    edge = side // 16
    rgb = grey(side, side, 0)
    rgb[edge : side - edge, edge : side - edge] = 255
    assert (inception(40)(rgb) == 1).all()
    inside = rgb[edge : side - edge, edge : side - edge]
    inside[[0, -1]] = inside[:, [0, -1]] = 0
    assert (inception(len(inside))(rgb)[[0, -1]] == -1).all()


def test_vgg_rounds_the_longer_side_half_to_even():
    rgb = noise(512, 513)  # 256.5 rows, which become 256
    found = vgg(256)(rgb)[1] + np.array([123.68, 116.78, 103.94], np.float32)
    above, below = rgb[2, ::2].astype(float), rgb[3, ::2].astype(float)
    np.testing.assert_allclose(found, above + (below - above) * (513 / 256 - 2), atol=1e-4)


def test_vgg_takes_the_centre_rounded_to_the_left():
    rgb = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 256, axis=0).repeat(3, axis=2)
    columns = vgg(231)(rgb)[0, :, 0] + np.float32(123.68)
    np.testing.assert_allclose(columns, np.arange(12, 243), atol=1e-4)


def test_vgg_resizes_further_for_inputs_above_256_pixels():
    rgb = noise(300, 300)
    mean = np.array([123.68, 116.78, 103.94], np.float32)
    np.testing.assert_array_equal(vgg(300)(rgb), rgb.astype(np.float32) - mean)


def test_lenet_gives_one_channel_and_rounds_grey_down():
    primary = np.diag([255, 255, 255]).astype(np.uint8)[None]  # a red, a green, a blue pixel
    levels = lenet(3)(primary)[1, :, 0] * 128 + 128
    assert levels.tolist() == [76, 149, 29]
    assert lenet(3)(grey(3, 3)).shape == (3, 3, 1)


@pytest.mark.parametrize("width", range(1, 9))
@pytest.mark.parametrize("height", [2, 4, 7])
def test_lenet_and_cifarnet_crop_or_pad_about_the_centre(width, height):
    rgb = noise(width, height)
    wide = np.zeros((20, 20, 3), np.uint8)
    top, left = (8 + max(0, 4 - n) // 2 - max(0, n - 4) // 2 for n in (height, width))
    wide[top : top + height, left : left + width] = rgb
    centre = wide[8:12, 8:12]
    np.testing.assert_array_equal(lenet(4)(rgb), lenet(4)(centre))
    np.testing.assert_array_equal(cifarnet(4)(rgb), cifarnet(4)(centre))


def test_lenet_pads_with_black():
    assert lenet(5)(grey(1, 1))[:, :, 0].tolist() == [
        [-1] * 5,
        [-1] * 5,
        [-1, -1, (255 - 128) / 128, -1, -1],
        [-1] * 5,
        [-1] * 5,
    ]


def test_cifarnet_gives_mean_0_and_deviation_1():
    found = cifarnet(32)(noise(40, 50)).astype(float)
    assert abs(found.mean()) < 1e-6
    assert abs(found.std() - 1) < 1e-6


def test_cifarnet_makes_a_plain_image_0():
    assert (cifarnet(32)(grey(40, 32, 77)) == 0).all()


def test_cifarnet_divides_by_no_less_than_one_over_the_root_of_the_count():
    rgb = grey(32, 32, 0)
    rgb[0, 0, 0] = 1  # a deviation of 0.01803, just below 1 / sqrt(3072) = 0.01804
    found = cifarnet(32)(rgb)
    assert found[0, 0, 0] == pytest.approx((1 - 1 / 3072) * 3072**0.5, rel=1e-6)


def test_raw_squashes_the_whole_image_and_keeps_its_levels():
    rgb = np.repeat(np.array([[0, 200]], np.uint8)[:, :, None], 3, axis=2)
    assert raw(4)(rgb)[3, :, 1].tolist() == [0, 50, 150, 200]
    np.testing.assert_array_equal(raw(40)(noise(40, 40)), noise(40, 40).astype(np.float32))


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        (
            inception(299),
            "central 7/8, squash 299 tf1_bilinear, scale 1/255, mean 0.5, std 0.5",
        ),
        (
            vgg(231),
            "resize 256 tf1_bilinear rounded, crop 231 floor, scale 1, mean 123.68 116.78 103.94",
        ),
        (
            vgg(299),
            "resize 299 tf1_bilinear rounded, crop 299 floor, scale 1, mean 123.68 116.78 103.94",
        ),
        (lenet(28), "pad 28, grey, scale 1, mean 128, std 128"),
        (cifarnet(32), "pad 32, standardise"),
        (raw(224), "squash 224 bilinear, scale 1"),
    ],
)
def test_each_is_a_value_that_prints_as_one_line(kind, line):
    assert str(kind) == line
    make = PREPROCESSING[name_of(kind)]
    assert kind == make(kind.size)
    assert hash(kind) != hash(make(kind.size + 1))
