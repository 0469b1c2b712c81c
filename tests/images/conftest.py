"""A bucket of small objects, which the tests of stores share."""

import pytest
from bucket import served

from penult.images import find_images, object_stores, stores

SCHEMES = ["s3", "gs", "az"]
OBJECTS = {
    "p/a.jpg": b"a" * 10,
    "p/b/c.PNG": b"c" * 20,
    "p/b/.hidden.jpg": b"",
    "p/.git/d.jpg": b"",
    "p/notes.txt": b"n",
    "p/b/": b"",
    "pp/e.jpg": b"e",
    "odd/a b#c?d=e%20f\\g.jpg": b"odd",
    "odd/x.tar#1.jpg": b"one",
    "top.jpg": b"top",
}


@pytest.fixture
def bucket(monkeypatch):
    monkeypatch.setattr(object_stores, "RETRIES", 1)
    monkeypatch.setattr(object_stores, "STALL", "700ms")
    monkeypatch.setattr(stores, "_allowed", {(scheme, "b") for scheme in SCHEMES})
    with served(OBJECTS, monkeypatch) as bucket:
        yield bucket


def keys(*args, **kwargs):
    return [item.key for item in find_images(*args, **kwargs)]
