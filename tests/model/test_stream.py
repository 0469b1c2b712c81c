import threading
import time
from contextlib import closing
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image

from penult.errors import NetworkError, UsageError
from penult.images import Limits
from penult.images.preprocess import Transform, raw
from penult.images.shared import Setup
from penult.model import stream as module
from penult.model.stream import BLOCK, Pace, stream
from penult.util.progress import Timings

CRASH, HANG = (255, 0, 1), (255, 0, 2)  # colours of marked images
OUTCOME_BYTES = 12
WORKERS = 2


@dataclass(frozen=True)
class Poisoned(Transform):
    def __call__(self, rgb):
        if rgb.getpixel((0, 0)) == CRASH:
            raise SystemExit  # as a library that calls exit()
        if rgb.getpixel((0, 0)) == HANG:
            time.sleep(60)
        return super().__call__(rgb)


class Sums:
    """An engine whose answers can be told in advance."""

    batch, calls, description = 4, WORKERS, MappingProxyType({})

    def run(self, batch):
        if (batch == 13).all(axis=(1, 2, 3)).any():
            raise NetworkError("the network refuses 13")
        return {"sum": batch.sum(axis=(1, 2))}


@pytest.fixture
def outcomes():
    """Stream images through `Sums`."""

    def run(images, timings=None, seconds=1.0):
        preprocessing = Poisoned(raw(4).geometry, raw(4).normalisation)
        return stream(
            images,
            Setup(preprocessing, limits=Limits(seconds=seconds)),
            Sums(),
            Pace(Sums()),
            timings or Timings(),
            decoders=WORKERS,
            outcome_bytes=OUTCOME_BYTES,
        )

    return run


@pytest.fixture
def photos(tmp_path):
    """Write as many small images as asked, all different; return their paths."""

    def write(count, **marked):
        colours = {int(index[1:]): colour for index, colour in marked.items()}
        paths = [tmp_path / f"{i}.png" for i in range(count)]
        for i, path in enumerate(paths):
            Image.new("RGB", (5, 6), colours.get(i, (i % 250, i // 250, 7))).save(path)
        return paths

    return write


def vectors(outcomes):
    return [None if outcome.error else outcome.vectors["sum"].tolist() for outcome in outcomes]


@pytest.mark.parametrize("count", [0, 1, 15, 16, 33])
def test_outcomes_come_in_order_however_many(outcomes, photos, count):
    found = vectors(outcomes(photos(count)))
    assert found == [[16.0 * i, 0, 112] for i in range(count)]


@pytest.mark.parametrize("poison", [range(100, 101), range(3, 200, 20)])
def test_poison_costs_its_own_images_only(outcomes, photos, poison, children):
    kinds = {i: "timeout" if i % 100 == 3 else "decoder_crash" for i in poison}
    colours = {"timeout": HANG, "decoder_crash": CRASH}
    marked = {f"i{i}": colours[kind] for i, kind in kinds.items()}
    expected = [[16.0 * i, 0, 112] for i in range(200)]
    for i in poison:
        expected[i] = None
    found = list(outcomes(photos(200, **marked), seconds=4))  # a busy machine stops for seconds
    assert vectors(found) == expected
    assert {i: outcome.error.code for i, outcome in enumerate(found) if outcome.error} == kinds
    assert len(children()) <= WORKERS


def test_only_so_many_images_are_taken_ahead(outcomes, photos, monkeypatch):
    monkeypatch.setattr(module, "OUTCOME_BYTES", 0)
    taken = []
    paths = photos(300, i100=HANG)
    with closing(outcomes(taken.append(path) or path for path in paths)) as found:
        for index, _ in enumerate(found):
            assert len(taken) - index <= BLOCK * (4 * WORKERS + 2)


def sizes(count, seconds=0.0, pace=None):
    """Sizes of batches where every second time all before have been learned from."""
    pace = pace or Pace(Sums())
    batches = module._Batches(range(count), pace, decoders=2)
    found = []
    for number, batch in enumerate(batches):
        assert batch == [*range(sum(found), sum(found) + len(batch))]
        found.append(len(batch))
        if number % 2:
            pace.learn(len(batch), seconds * len(batch))
    assert sum(found) == count
    return found


def test_batches_grow_and_shrink():
    assert sizes(0) == []
    assert sizes(3) == [1, 1, 1]
    assert sizes(18) == [1, 1, 2, 2, 3, 3, 2, 1, 1, 1, 1]
    assert sizes(100) == [1, 1, 2, 2, 4, 4, 8, 8, 12, 12, 12, 9, 7, 5, 4, 3, 2, 1, 1, 1, 1]


def test_batches_of_a_slow_network_stay_small():
    assert max(sizes(100, seconds=module.FAST_SECONDS)) == Sums.batch
    assert max(sizes(100, seconds=module.FAST_SECONDS / Sums.batch / 1.5)) == 2 * Sums.batch


def test_the_next_call_begins_at_the_pace_of_the_last():
    pace = Pace(Sums())
    sizes(100, pace=pace)
    assert sizes(100, pace=pace)[:2] == [12, 12]
    assert sizes(4, pace=pace) == [1, 1, 1, 1]


def test_images_overtake_one_that_hangs(outcomes, photos):
    taken = []
    paths = photos(300, i20=HANG)
    found = outcomes(taken.append(path) or path for path in paths)
    before = [next(found) for _ in range(20)]
    assert not any(outcome.error for outcome in before)
    assert next(found).error.code == "timeout"
    assert len(taken) == 300
    found.close()


def test_outcomes_that_wait_for_one_before_them_are_bounded(outcomes, photos, monkeypatch):
    monkeypatch.setattr(module, "OUTCOME_BYTES", 100 * OUTCOME_BYTES)
    taken = []
    found = outcomes(taken.append(path) or path for path in photos(300, i20=HANG))
    for _ in range(20):
        next(found)
    assert next(found).error.code == "timeout"
    looked_ahead_at = 2 * WORKERS * BLOCK
    assert 20 < len(taken) - looked_ahead_at <= 20 + 100
    found.close()


def test_to_close_it_stops_what_hangs(outcomes, photos):
    images = outcomes(photos(100, i20=HANG, i21=HANG), seconds=60)
    next(images)
    start = time.monotonic()
    images.close()
    assert time.monotonic() - start < 10
    assert vectors(outcomes(photos(1))) == [[0, 0, 112]]
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("count", [2, 40])
def test_errors_that_are_no_images_end_it(outcomes, photos, count, children):
    with pytest.raises(NetworkError, match="refuses 13"):
        list(outcomes([*photos(count), Image.new("RGB", (5, 6), (13, 13, 13))]))
    with pytest.raises(UsageError, match="a float isn't an image"):
        list(outcomes([*photos(count), 1.5]))
    assert len(children()) <= WORKERS


def test_threads_end_with_it(outcomes, photos):
    before = set(threading.enumerate())
    list(outcomes(photos(40)))
    assert all(thread.daemon for thread in {*threading.enumerate()} - before)  # of the processes


def test_timings_say_where_the_time_went(outcomes, photos):
    timings = Timings()
    list(outcomes(photos(40), timings))
    assert timings.reading > 0
    assert timings.decoding > 0
    assert timings.preprocessing > 0
    assert timings.network > 0
    assert timings.waiting > 0


@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (3, 2), (8, 3)])
def test_features_are_the_same_to_the_bit_in_any_batch(model, photos, monkeypatch, batch, threads):
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (40, 50, 3), np.uint8) for _ in range(19)]
    expected = model.features(images)
    monkeypatch.setattr(model.engine, "batch", batch)
    monkeypatch.setattr(model.engine, "calls", threads)
    monkeypatch.setattr(model, "_decoders", threads)
    np.testing.assert_array_equal(model.features(images), expected)
    np.testing.assert_array_equal(model.features(images[::-1])[::-1], expected)
    np.testing.assert_array_equal(model.features(images[:2]), expected[:2])


def test_processes_and_threads_give_the_same_bits(model, photos):
    paths = photos(16)
    together = model.features(paths)
    alone = [model.features([path])[0] for path in paths[:3]]
    np.testing.assert_array_equal(together[:3], alone)
