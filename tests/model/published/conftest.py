"""What the tests of downloads share."""

from dataclasses import replace

import pytest

from penult.nets import get, inception_v3
from penult.nets.spec import PublishedWeights
from penult.util import http

from .weights_server import GOOD, NAME, PLACE, SHA256, Server


@pytest.fixture
def server():
    with Server() as server:
        yield server


@pytest.fixture(autouse=True)
def cache(server, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("PENULT_CACHE", str(tmp_path))
    monkeypatch.setenv("PENULT_MIRROR", server.url)
    monkeypatch.setattr(http, "PAUSES", (0, 0))
    monkeypatch.setattr(http, "CONNECT", 1)
    monkeypatch.setattr(http, "STALL", 0.2)
    monkeypatch.setattr(http, "_PIECE", 500)
    return tmp_path / NAME


@pytest.fixture
def publish(monkeypatch):
    """Make the network's weights be published with these facts."""

    def set_weights(**facts):
        weights = PublishedWeights(f"https://storage.googleapis.com{PLACE}", "Apache-2.0", **facts)
        monkeypatch.setattr(inception_v3, "PRETRAINED", [replace(get(NAME), weights=weights)])

    set_weights(digest=SHA256, bytes=len(GOOD))
    return set_weights
