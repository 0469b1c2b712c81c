"""A small table to read, and rows whose vectors can be told from their number."""

from datetime import timedelta

import numpy as np
import pytest

from penult.store import File, Reassignment, Row, TableWriter

LAYERS = {"pool": (4,)}
PROVENANCE = {
    "network": "tiny_net",
    "weights": "tiny.ckpt",
    "weights_sha256": "ab" * 32,
    "pool": "avg",
    "preprocessing": "resize 8x8",
    "versions": {"penult": "0.1.0"},
}
MTIME = 1_700_000_000_123_456_789


@pytest.fixture(autouse=True)
def _no_grace(monkeypatch):
    """Old versions go at once, as they would a minute later."""
    monkeypatch.setattr("penult.store.writer.GRACE", timedelta(0))


@pytest.fixture
def layers():
    return dict(LAYERS)


@pytest.fixture
def provenance():
    return dict(PROVENANCE)


@pytest.fixture
def make_row():
    def make(number, key=None, layers=LAYERS, **changes):
        vectors = {name: np.full(shape, number, np.float32) for name, shape in layers.items()}
        known = {
            "key": key or f"{number:03}.jpg",
            "bytes": 1000 + number,
            "mtime_ns": MTIME + number,
            "width": 640,
            "height": 480,
            "vectors": vectors,
        }
        return Row(**(known | changes))

    return make


@pytest.fixture
def make_failure():
    def make(number, reason="truncated: 3 of 9 bytes"):
        return Row(f"{number:03}.jpg", 1000 + number, MTIME + number, error=reason)

    return make


@pytest.fixture
def begin(tmp_path):
    """Begin or continue a table, by default always the same."""

    def begin(name="photos.lance", layers=LAYERS, **changes):
        return TableWriter.open_or_create(tmp_path / name, layers, PROVENANCE | changes)

    return begin


@pytest.fixture
def refreshed():
    """Moves files of rows to another folder; returns the keys that were renewed."""

    def refresh(writer, *numbers):
        files = [File(f"{i:03}.jpg", 1000 + i, 7, f"/new/{i:03}.jpg", f"d{i}") for i in numbers]
        return writer.reassign([Reassignment(file.key, file) for file in files])

    return refresh


@pytest.fixture
def photos(begin, make_row, make_failure):
    """A table of rows 5 … 0, written in that order in three commits; 3 has failed."""
    with begin() as table:
        table.append([make_row(5), make_row(4)])
        table.append([make_failure(3), make_row(2)])
        table.append([make_row(1), make_row(0)])
    return table.path
