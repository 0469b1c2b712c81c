"""Weights of torchvision, whose files' names end with the first digits of their digests."""

import hashlib
from dataclasses import replace

import pytest
from modern import write_safetensors
from tiny import tensors

import penult
from penult.errors import DownloadError
from penult.nets import torchvision

from .weights_server import serve

OF_TORCHVISION = {"library": "torchvision", "dialect": "torchvision", "resampling": "corners"}
NAME = "torchvision/vit_b_16"


@pytest.fixture
def content(server, tmp_path):
    file = write_safetensors(tmp_path / "made", tensors(**OF_TORCHVISION))
    server.always = serve(file.read_bytes())
    return file.read_bytes()


def test_a_name_is_enough(server, content, monkeypatch):
    begin = hashlib.sha256(content).hexdigest()[:8]
    row = replace(torchvision.find(NAME), file=f"vit_b_16-{begin}.pth")
    monkeypatch.setattr(torchvision, "find", lambda name: row if name.startswith(NAME) else None)
    for _ in range(2):
        with penult.load_model(NAME) as model:
            assert model.network.name == NAME
            assert model.features(["examples/photos/cat_chelsea.jpg"]).shape == (1, 64)
    assert len(server.asked) == 1


def test_what_comes_must_have_the_digest_that_its_name_ends_with(content):
    with pytest.raises(DownloadError, match="should begin with sha256:c867db91"):
        penult.load_model(NAME)
