"""Many rows are compared with those near them, which is nearly as good and much less."""

import numpy as np
import pytest

from penult.analysis import kept, stars
from penult.analysis.cells import PROBES, Cells
from penult.analysis.stars import assign


@pytest.fixture(scope="module")
def unit():
    """Eight thousand vectors, every second one a version of the one before."""
    random = np.random.default_rng(0)
    groups = random.standard_normal((50, 32))
    originals = groups[random.integers(50, size=4000)] + random.standard_normal((4000, 32))
    versions = originals + 0.3 * random.standard_normal(originals.shape)
    vectors = np.stack([originals, versions], axis=1).reshape(8000, 32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_each_place_is_in_a_cell_that_its_vector_meets(unit):
    cells = Cells(unit, 0.9)
    cells.add(0, unit[:5000])
    cells.add(5000, unit[5000:])
    met = np.zeros((100, 8000), int)
    for rows, places in cells.meetings(unit[:100]):
        met[np.ix_(rows, places)] += 1
    assert (met[range(100), range(100)] == 1).all()
    assert met.max() == 1
    assert met.mean() < 2 * PROBES / (2 * 8000**0.5)


def test_little_is_missed_among_many(unit, monkeypatch):
    exact = assign(unit.copy(), 0.9)
    monkeypatch.setattr(kept, "MANY", 500)
    monkeypatch.setattr(stars, "STRETCH", 2000)
    found = assign(unit.copy(), 0.9)
    rows = np.arange(8000)
    dropped = exact.kept_for != rows
    assert 2000 < dropped.sum() < 6000
    assert (found.kept_for == exact.kept_for)[dropped].mean() > 0.999
    assert (found.kept_for[found.kept_for] == found.kept_for).all()
    products = (unit * unit[found.kept_for]).sum(axis=1)
    assert found.similarity == pytest.approx(products, abs=1e-5)
    assert products.min() >= 0.9 - stars.ROUNDING


def test_many_copies_of_an_image_have_one_cell(unit, monkeypatch):
    monkeypatch.setattr(kept, "MANY", 500)
    monkeypatch.setattr(stars, "STRETCH", 1000)
    random = np.random.default_rng(1)
    copies = unit[6] + 0.02 * random.standard_normal((4000, 32)).astype(np.float32)
    copies /= np.linalg.norm(copies, axis=1, keepdims=True)
    found = assign(np.concatenate([unit, copies]), 0.9)
    assert (found.kept_for[8000:] == 6).all()
