"""Computing while images are still listed: what comes when, and what a listing that fails costs."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import lance
import numpy as np
import pytest
from PIL import Image

import penult
from penult.errors import SourceError
from penult.extraction import plan
from penult.extraction.run import fill
from penult.images import ImageFile
from penult.store import TableWriter

from ..means import Means


@pytest.fixture
def items(tmp_path):
    """Two hundred images, in an order of their own."""
    found = []
    for n in range(200):
        path = tmp_path / f"{(n * 77) % 200:03}.png"
        Image.new("RGB", (9, 9), (n, 255 - n, 7)).save(path)
        found.append(ImageFile(path.name, str(path)))
    return found


@dataclass
class Given:
    """A source of given images, that calls a function on the way."""

    items: list
    after: int = -1
    then: object = None
    ended: threading.Event = field(default_factory=threading.Event)

    def __iter__(self) -> Iterator[ImageFile]:
        try:
            for number, item in enumerate(self.items):
                if number == self.after:
                    self.then()
                yield item
        finally:
            self.ended.set()

    def covers(self, place):
        return True


@pytest.fixture
def run(tmp_path):
    """Fill a table from a source; return its final counts."""

    def run(source, model=None, progress=None, **how):
        model, seen = model or Means(), []
        how = {"retry_failed": False, "checksum": False, "prune": False} | how

        def show(counts):
            seen.append(counts)
            if progress:
                progress(counts)

        recipe = model.recipe
        with TableWriter.open_or_create(
            tmp_path / "t.lance", model.outputs, recipe.provenance, recipe.notes
        ) as table:
            fill(table, model, source, progress=show, **how)
        return seen[-1]

    return run


def keys_as_stored(tmp_path):
    return lance.dataset(tmp_path / "t.lance").to_table(columns=["key"])["key"].to_pylist()


@pytest.mark.parametrize("network", [False, True])
def test_the_first_image_is_computed_while_others_are_listed(network, model, items, run):
    computed, states = threading.Event(), []

    def progress(counts):
        states.append((counts.done, counts.listed, counts.listing))
        if counts.ok:
            computed.set()

    def wait():
        assert computed.wait(60)

    counts = run(Given(items, 150, wait), model if network else Means(), progress)
    assert (counts.ok, counts.listed, counts.listing) == (200, 200, False)
    assert all(done <= listed for done, listed, _ in states)
    assert [listing for *_, listing in states[:2]] == [True, True]


def test_rows_lie_in_the_order_of_the_listing(items, run, tmp_path):
    run(Given(items))
    assert keys_as_stored(tmp_path) == [item.key for item in items]
    run(Given(items))
    assert keys_as_stored(tmp_path) == [item.key for item in items]


def test_a_listing_that_breaks_off_costs_nothing_that_was_computed(items, run, tmp_path):
    computed = threading.Event()

    def fail():
        assert computed.wait(60)
        raise SourceError("the bucket has gone")

    with pytest.raises(SourceError, match="the bucket has gone"):
        run(Given(items, 100, fail), progress=lambda counts: counts.ok and computed.set())
    begun = len(penult.open(tmp_path / "t.lance"))
    assert 0 < begun <= 100
    counts = run(Given(items))
    assert (counts.skipped, counts.ok) == (begun, 200 - begun)


def test_a_run_that_is_stopped_waits_for_no_source(items, run, monkeypatch):
    monkeypatch.setattr(plan, "STOP_SECONDS", 0.01)
    released = threading.Event()
    source = Given(items, 100, released.wait)

    def stop(counts):
        if counts.ok:
            raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            run(source, progress=stop)
        assert not source.ended.is_set()
    finally:
        released.set()
    assert source.ended.wait(60)
    assert run(Given(items)).listed == 200


def test_what_waits_for_the_end_of_a_listing_comes_in_the_middle_of_a_run(items, run, tmp_path):
    """Renamed, changed and gone files beside a hundred new ones."""
    first = items[:100]
    run(Given(first), checksum=True)
    for item in first[:40]:
        (tmp_path / item.key).rename(tmp_path / f"renamed-{item.key}")
    for item in first[40:60]:  # that swap their names, by a third one
        (tmp_path / item.key).rename(tmp_path / "third")
        other = first[99 - first.index(item)].key
        (tmp_path / other).rename(tmp_path / item.key)
        (tmp_path / "third").rename(tmp_path / other)
    for item in first[90:]:
        (tmp_path / item.key).unlink()
    there = sorted(tmp_path.glob("*.png"))
    given = [ImageFile(path.name, str(path)) for path in there]
    counts = run(Given(given), checksum=True, prune=True)
    assert (counts.listed, counts.ok) == (190, 100)
    assert (counts.skipped, counts.removed) == (90, 10)
    found = penult.open(tmp_path / "t.lance")
    right = penult.extract(tmp_path, Means(), out=tmp_path / "right.lance")
    assert found.keys == right.keys
    np.testing.assert_array_equal(found.numpy(), right.numpy())


def test_no_thread_is_left(items, run):
    before = threading.active_count()
    run(Given(items), checksum=True)
    assert threading.active_count() == before
