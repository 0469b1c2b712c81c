"""`decode="fast"`: JPEGs decoded to fewer pixels, and nothing else changed."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import penult
from penult.cli import show
from penult.errors import ImageError, StoreError, UsageError
from penult.images import Limits
from penult.images.decode import load_for
from penult.images.preprocess import PREPROCESSING, efficientnet, inception
from penult.model.loading import load_classifier
from penult.util.progress import Counts, Timings

LIMITS = Limits()
PHOTO = Path(__file__).parents[2] / "examples/photos/castle_chambord.jpg"
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,  # how it is stored: the inverse of how it is turned upright
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encoded(image, kind="JPEG", orientation=1):
    tags = Image.Exif()
    tags[274] = orientation
    file = io.BytesIO()
    image.save(file, kind, quality=95, exif=tags)
    return file.getvalue()


def stored(image, orientation):
    turn = TURNS[orientation]
    return encoded(image if turn is None else image.transpose(turn), orientation=orientation)


def plain(width, height, mode="RGB"):
    return Image.new(mode, (width, height), 77 if mode == "L" else (40, 90, 140, 20)[: len(mode)])


@pytest.fixture(scope="module")
def large():
    """A photo of 2048 × 1536 pixels, four times what the default network needs."""
    with Image.open(PHOTO) as photo:
        return photo.resize((2048, 1536), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def fast():
    return penult.load_model(decode="fast")


def cosine(a, b):
    return float(np.vdot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b)))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((63, 500), (63, 500)),
        ((64, 500), (32, 250)),
        ((127, 128), (64, 64)),
        ((128, 129), (32, 33)),
        ((255, 300), (64, 75)),
        ((256, 300), (32, 38)),
        ((1000, 600), (125, 75)),
    ],
)
def test_the_smallest_scale_that_leaves_twice_the_pixels(size, expected):
    loaded = load_for(encoded(plain(*size)), 16, "fast", LIMITS)
    assert loaded.rgb.size == expected
    assert (loaded.width, loaded.height, loaded.reducible) == (*size, False)


@pytest.mark.parametrize(("width", "reducible"), [(63, False), (64, True)])
def test_exact_decoding_is_unchanged_but_says_what_fast_could_do(width, reducible):
    loaded = load_for(encoded(plain(width, 100)), 16, "exact", LIMITS)
    assert (loaded.rgb.size, loaded.reducible) == ((width, 100), reducible)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF"])
def test_other_formats_are_never_reduced(kind):
    data = encoded(plain(200, 100), kind)
    fast, exact = (load_for(data, 4, how, LIMITS) for how in ("fast", "exact"))
    np.testing.assert_array_equal(np.asarray(fast.rgb), np.asarray(exact.rgb))
    assert (fast.width, fast.height, exact.reducible) == (200, 100, False)


def test_a_pillow_image_is_left_as_it_is():
    with Image.open(io.BytesIO(encoded(plain(200, 100)))) as image:
        assert load_for(image, 4, "fast", LIMITS).rgb.size == (200, 100)
        assert image.size == (200, 100)


@pytest.mark.parametrize(("mode", "colour"), [("L", (77, 77, 77)), ("CMYK", (198, 152, 106))])
def test_colours_are_those_of_exact_decoding(mode, colour):
    data = encoded(plain(256, 128, mode))
    fast, exact = (np.asarray(load_for(data, 8, how, LIMITS).rgb) for how in ("fast", "exact"))
    assert (fast.shape, exact.shape) == ((16, 32, 3), (128, 256, 3))
    assert np.abs(exact[0, 0].astype(int) - colour).max() <= 2
    assert np.abs(fast.astype(int) - exact[::8, ::8]).max() <= 1


def test_the_pixel_limit_is_that_of_the_file():
    with pytest.raises(ImageError, match="too_large: 200 × 100 pixels, the limit is 19,999"):
        load_for(encoded(plain(200, 100)), 4, "fast", Limits(pixels=19_999))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize(("orientation", "size"), [(3, (96, 64)), (6, (64, 96))])
def test_width_and_height_are_upright(kind, orientation, size):
    loaded = load_for(encoded(plain(96, 64), kind, orientation), 16, "fast", LIMITS)
    assert (loaded.width, loaded.height) == size


@pytest.mark.parametrize("name", ["lenet", "cifarnet"])
def test_what_crops_without_resizing_needs_every_pixel(name):
    shorter = PREPROCESSING[name](32).shorter
    assert shorter is None
    assert load_for(encoded(plain(900, 900)), shorter, "fast", LIMITS).rgb.size == (900, 900)


def test_what_is_kept_of_a_crop_has_twice_the_pixels():
    for size in range(32, 600):
        side = 2 * efficientnet(size).shorter
        columns, _ = efficientnet(size).geometry._square(side, side)
        assert len(columns) >= 2 * size - 1  # rounded down
        side = 2 * inception(size).shorter
        assert side - 2 * (side // 16) >= 2 * size


@pytest.mark.parametrize("name", ["efficientnet", "vgg", "torchvision", "raw", "inception"])
def test_inputs_are_nearly_those_of_exact_decoding(name, large):
    preprocessing = PREPROCESSING[name](96)
    data = encoded(large)
    exact, fast = (
        preprocessing(load_for(data, preprocessing.shorter, how, LIMITS).rgb)
        for how in ("exact", "fast")
    )
    assert not np.array_equal(exact, fast)
    assert cosine(exact - exact.mean(), fast - exact.mean()) > 0.98


@pytest.mark.parametrize("orientation", TURNS)
def test_features_of_turned_photos_are_nearly_exact(orientation, large, model, fast):
    data = stored(large, orientation)
    assert cosine(fast.features([data]), model.features([encoded(large)])) >= 0.999


def test_a_classifier_decodes_like_its_model(fast):
    assert fast.classifier.decode == "fast"
    assert load_classifier(decode="fast").decode == "fast"


def test_other_ways_are_refused():
    with pytest.raises(UsageError, match="decode must be exact or fast, not 'quick'"):
        penult.load_model(decode="quick")


@pytest.fixture
def folder(tmp_path, large):
    """More photos than are decoded without processes, one of them large."""
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "large.jpg").write_bytes(encoded(large))
    for index in range(16):
        (folder / f"{index}.jpg").write_bytes(encoded(plain(64 + index, 64)))
    return folder


def test_a_fast_table_holds_the_size_of_the_file_and_verifies(fast, folder, tmp_path):
    features = penult.extract(folder, fast, out=tmp_path / "t.lance")
    assert features.provenance["decode"] == "fast"
    large = features.to_pandas().loc["large.jpg"]
    assert (large.width, large.height) == (2048, 1536)
    found = penult.verify(features.path)
    assert (found.compared, found.largest) == (17, pytest.approx(0, abs=1e-6))


def test_exact_and_fast_features_share_no_table(model, fast, folder, tmp_path):
    penult.extract(folder, model, out=tmp_path / "t.lance")
    with pytest.raises(StoreError, match="decode is 'exact', asked was 'fast'"):
        penult.extract(folder, fast, out=tmp_path / "t.lance")


def test_timings_tell_what_fast_would_have_saved(model, fast, large):
    images = [encoded(large), encoded(plain(300, 300))]
    exact_timings, fast_timings = Timings(), Timings()
    list(model.stream(images, exact_timings))
    list(fast.stream(images, fast_timings))
    assert 0 < exact_timings.reducible < exact_timings.decoding
    assert fast_timings.reducible == 0


@pytest.mark.parametrize(
    ("reducible", "seconds", "hinted"),
    [(6, 11, True), (5, 11, False), (6, 9, False), (0, 11, False)],
)
def test_long_runs_of_mostly_decoding_are_told_of_the_option(
    monkeypatch, capsys, reducible, seconds, hinted
):
    monkeypatch.setattr("penult.util.progress.monotonic", lambda: 100.0)
    timings = Timings(decoding=6, reducible=reducible, preprocessing=1, network=3)
    counts = Counts(listed=1, ok=1, started=100.0 - seconds, timings=timings)
    features = SimpleNamespace(path=Path("t.lance"), failures={})
    show.extracted(features, counts, as_json=False)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 + hinted
    if hinted:
        assert lines[1] == (
            "penult: 60% of the work was decoding large JPEGs: --decode fast is quicker and "
            "changes features a little, so it takes a new table"
        )
