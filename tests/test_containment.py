"""One hostile image, by each way on which a person gives a single one.

The large ones of all kinds are in benchmarks/hostile_images.py. The pixels of the WebP here, all of
one colour, take no bits: in the process that decodes them they take 2.8 GB.
"""

import struct
import sys
from contextlib import closing
from pathlib import Path
from runpy import run_path

import pytest

import penult
from penult.errors import ImageError
from penult.viewer.content import Content

SIDE = 13_000
HEADER = 0x2F | (SIDE - 1) << 8 | (SIDE - 1) << 22  # no transparency, no transforms, no cache
CODES = sum(1 << bit for bit in (43, 47, 51, 55, 59))  # five, of one symbol each, which is 0
PIXELS = struct.pack("<Q", HEADER | CODES) + bytes(16)
BOMB = b"RIFF" + struct.pack("<I4s4sI", 12 + len(PIXELS), b"WEBP", b"VP8L", len(PIXELS)) + PIXELS

BENCHMARK = Path(__file__).parents[1] / "benchmarks/hostile_images.py"
NAMES = list(run_path(str(BENCHMARK))["IMAGES"])

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak of memory")


def peak():
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise AssertionError


@pytest.fixture(scope="module")
def features(model, photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("contained") / "t.lance"
    features = penult.extract(photos / "hens.jpg", model, out=out)
    features.search(photos / "cat_chelsea.jpg")  # the model is loaded
    return features


@pytest.fixture
def bomb(tmp_path):
    (tmp_path / "bomb.webp").write_bytes(BOMB)
    return tmp_path / "bomb.webp"


def classify(image, model):
    [found] = penult.classify(image, model)
    if found.error:
        code, _, detail = found.error.partition(": ")
        raise ImageError(code, detail)


def drop(features, image):
    with closing(Content(features)) as content:
        content.like(image.read_bytes())


WAYS = {
    "path": lambda features, image, model: model.features([image]),
    "bytes": lambda features, image, model: model.features([image.read_bytes()]),
    "logits": lambda features, image, model: model.logits([image]),
    "search": lambda features, image, model: features.search(image),
    "classify": lambda features, image, model: classify(image, model),
    "drop": lambda features, image, model: drop(features, image),
}


@pytest.mark.parametrize("give", WAYS.values(), ids=WAYS)
def test_it_takes_no_memory_here_and_fails_as_in_a_run(give, features, bomb, model):
    (outcome,) = model.stream([bomb])
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before = peak()
    with pytest.raises(ImageError) as raised:
        give(features, bomb, model)
    assert peak() - before < 100e6
    assert raised.value.code == outcome.error.code


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The images of the benchmark, of few pixels."""
    folder = tmp_path_factory.mktemp("hostile")
    run_path(str(BENCHMARK))["write"](folder, 40)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_image_is_decoded_apart_and_ends_as_in_a_run(
    name, hostile, features, model, monkeypatch
):
    (outcome,) = model.stream([hostile / name])
    here = sys.modules["penult.images.decode"]  # the package has a function of that name
    monkeypatch.setattr(here, "open_lazily", lambda _: pytest.fail("it is opened here"))
    codes = {way: code(give, features, hostile / name, model) for way, give in WAYS.items()}
    assert codes == dict.fromkeys(WAYS, outcome.error.code if outcome.error else None)


def code(give, *arguments):
    try:
        give(*arguments)
    except ImageError as error:
        return error.code


def test_those_who_know_their_images_have_them_decoded_here(hostile, model, children):
    paths = [hostile / name for name in NAMES if name != "scans.jpg"]
    here = model.features(paths, contained=False)
    assert children() == set()
    assert here.tobytes() == model.features(paths).tobytes()
    assert children() != set()
    logits = model.logits(paths[:1], contained=False)
    assert logits.tobytes() == model.logits(paths[:1]).tobytes()


@pytest.mark.parametrize("limit", [{"max_pixels": 1599}, {"max_bytes": 9}])
def test_what_a_header_tells_is_refused_here_too(limit, hostile):
    with (
        penult.load_model(**limit) as model,
        pytest.raises(ImageError, match="too_large"),
    ):
        model.features([hostile / "bits.png"], contained=False)


def test_too_many_scans_are_refused_here_too(hostile, model):
    with pytest.raises(ImageError, match="too_large"):
        model.features([hostile / "scans.jpg"], contained=False)
