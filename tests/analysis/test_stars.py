"""Each row is dropped for the nearest kept row that it is like, whatever the blocks."""

import numpy as np
import pytest

from penult.analysis import cells, kept, stars
from penult.analysis.pixels import DIFFERENT, SAME, UNREAD
from penult.analysis.stars import assign

BLOCKS = pytest.mark.parametrize("block", [1, 7, 1024])


@pytest.fixture(autouse=True, params=["each with each", "all in cells"])
def way(request, monkeypatch):
    """Where all cells are looked into they make no difference."""
    if request.param == "all in cells":
        monkeypatch.setattr(kept, "MANY", 0)
        monkeypatch.setattr(cells, "PROBES", 1000)
        monkeypatch.setattr(stars, "STRETCH", 16)


class Seen:
    """Pictures by a function that compares pairs; sketches are the same by name, if there are."""

    def __init__(self, compare, names=None):
        self.compare, self.names = compare, names

    def seen(self, rows):
        return rows if self.names is not None else rows[:0]

    def likeness(self, some, others):
        return (self.names[some][:, None] == self.names[others]).astype(np.float32)


def turned(degrees):
    return [np.cos(np.radians(degrees)), np.sin(np.radians(degrees))]


def clustered(rows=100):
    random = np.random.default_rng(0)
    centres = random.standard_normal((20, 8))
    vectors = centres[random.integers(20, size=rows)] + 0.3 * random.standard_normal((rows, 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def one_by_one(unit, like):
    """For each row the nearest before it that is kept and like it."""
    result, kept = [], []
    for row in range(len(unit)):
        near = {k: float(unit[row] @ unit[k]) for k in kept}
        near = {k: product for k, product in near.items() if like(row, k, product)}
        result.append(max(near, key=near.get, default=row))
        if result[-1] == row:
            kept.append(row)
    return result


@BLOCKS
def test_blocks_make_no_difference(monkeypatch, block):
    monkeypatch.setattr(stars, "BLOCK", block)
    unit = clustered()
    found = assign(unit.copy(), 0.9)
    assert found.kept_for.tolist() == one_by_one(unit, lambda _, __, product: product >= 0.9)
    assert found.similarity == pytest.approx((unit * unit[found.kept_for]).sum(axis=1), abs=1e-5)
    assert (found.features_alone == (found.kept_for != np.arange(100))).all()


@BLOCKS
def test_pictures_decide_and_features_only_without_them(monkeypatch, block):
    monkeypatch.setattr(stars, "BLOCK", block)
    monkeypatch.setattr(stars, "CANDIDATES", 100)
    unit = clustered()
    verdicts = np.random.default_rng(1).choice([DIFFERENT, SAME, UNREAD], (100, 100)).astype("i1")
    known = (verdicts == SAME) | (verdicts == UNREAD)

    def like(row, other, product):
        return known[row, other] and product >= (0.5 if verdicts[row, other] == SAME else 0.9)

    found = assign(unit.copy(), 0.9, Seen(lambda some, others: verdicts[some, others]))
    assert found.kept_for.tolist() == one_by_one(unit, like)
    rows = np.arange(100)
    unread = (verdicts[rows, found.kept_for] == UNREAD) & (found.kept_for != rows)
    assert found.features_alone.tolist() == unread.tolist()
    assert 5 < unread.sum() < (found.kept_for != rows).sum() - 5


@BLOCKS
def test_pictures_are_asked_of_what_is_somewhat_alike(monkeypatch, block):
    monkeypatch.setattr(stars, "BLOCK", block)
    asked = set()

    def compare(rows, others):
        asked.update(zip(rows.tolist(), others.tolist(), strict=True))
        return np.where(others == 0, SAME, DIFFERENT).astype(np.int8)

    unit = np.array([turned(0), turned(40), turned(41), turned(80), turned(170)], np.float32)
    assert assign(unit, 0.9, Seen(compare)).kept_for.tolist() == [0, 0, 0, 3, 4]
    assert {(1, 0), (2, 0)} <= asked <= {(1, 0), (2, 0), (2, 1), (3, 1), (3, 2)}


@BLOCKS
def test_of_many_copies_one_is_kept(monkeypatch, block):
    monkeypatch.setattr(stars, "BLOCK", block)
    unit = np.tile(np.array([turned(0)], np.float32), (300, 1))
    found = assign(unit, 0.9, Seen(lambda rows, _: np.full(len(rows), SAME, np.int8)))
    assert found.kept_for.tolist() == [0] * 300
    assert not found.features_alone.any()


@BLOCKS
def test_of_many_that_only_look_alike_few_pairs_are_compared(monkeypatch, block):
    monkeypatch.setattr(stars, "BLOCK", block)
    pairs = []

    def compare(rows, _):
        pairs.append(len(rows))
        return np.full(len(rows), DIFFERENT, np.int8)

    unit = np.tile(np.array([turned(0)], np.float32), (300, 1))
    assert assign(unit, 0.9, Seen(compare)).kept_for.tolist() == list(range(300))
    assert sum(pairs) <= 300 * 2 * stars.CANDIDATES


@BLOCKS
def test_of_many_that_are_about_as_near_the_likest_sketches_are_compared(monkeypatch, block):
    monkeypatch.setattr(stars, "BLOCK", block)
    names = np.tile(np.arange(150), 2)  # each of 150 pages, and a copy that is farther than all
    degrees = np.concatenate([np.linspace(0, 1, 150), np.linspace(30, 29, 150)])
    unit = np.array([*map(turned, degrees)], np.float32)

    def compare(rows, others):
        return np.where(names[rows] == names[others], SAME, DIFFERENT).astype(np.int8)

    found = assign(unit, 0.9, Seen(compare, names))
    assert found.kept_for.tolist() == [*range(150), *range(150)]
