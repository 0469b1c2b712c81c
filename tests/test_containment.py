"""One hostile image, by each way on which a person gives a single one.

The pixels of this WebP, all of one colour, take no bits: in the process that decodes them they take
2.8 GB.
"""

import struct
import sys
from contextlib import closing
from pathlib import Path

import pytest

import penult
from penult.errors import ImageError
from penult.viewer.content import Content

SIDE = 13_000
HEADER = 0x2F | (SIDE - 1) << 8 | (SIDE - 1) << 22  # no transparency, no transforms, no cache
CODES = sum(1 << bit for bit in (43, 47, 51, 55, 59))  # five, of one symbol each, which is 0
PIXELS = struct.pack("<Q", HEADER | CODES) + bytes(16)
BOMB = b"RIFF" + struct.pack("<I4s4sI", 12 + len(PIXELS), b"WEBP", b"VP8L", len(PIXELS)) + PIXELS

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


def drop(features, bomb):
    with closing(Content(features)) as content:
        content.like(bomb.read_bytes())


@pytest.mark.parametrize(
    "give",
    [
        lambda features, bomb, model: model.features([bomb]),
        lambda features, bomb, model: model.features([bomb.read_bytes()]),
        lambda features, bomb, model: model.logits([bomb]),
        lambda features, bomb, model: features.search(bomb),
        lambda features, bomb, model: drop(features, bomb),
    ],
    ids=["path", "bytes", "logits", "search", "drop"],
)
def test_it_takes_no_memory_here_and_fails_as_in_a_run(give, features, bomb, model):
    (outcome,) = model.stream([bomb])
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before = peak()
    with pytest.raises(ImageError) as raised:
        give(features, bomb, model)
    assert peak() - before < 100e6
    assert raised.value.code == outcome.error.code
