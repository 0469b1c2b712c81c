"""Texts that were met before."""

import random
import tracemalloc

from penult.util import seen
from penult.util.seen import Seen


def test_each_text_is_new_once():
    chance, met, texts = random.Random(0), Seen(), set()
    for _ in range(20_000):
        text = f"folder/{chance.randrange(9_000)}.jpg"
        assert met.add(text) == (text not in texts)
        texts.add(text)
        assert len(met) == len(texts)


def test_names_that_are_no_unicode_are_told_apart():
    met = Seen()
    assert all(map(met.add, ["", "\udcff", "\udcfe", "ÿ", "\0"]))
    assert not any(map(met.add, ["", "\udcff", "\udcfe", "ÿ", "\0"]))


def test_texts_whose_places_are_taken_find_others(monkeypatch):
    digests = {b"%d" % n: bytes([1, *[0] * 14, n]) for n in range(200)} | {b"zero": bytes(16)}
    monkeypatch.setattr(
        seen, "blake2b", lambda data, **_: type("_", (), {"digest": lambda _: digests[data]})()
    )
    met = Seen()
    assert all(met.add(data.decode()) for data in digests)
    assert not any(met.add(data.decode()) for data in digests)


def test_its_memory_is_bounded():
    tracemalloc.start()
    try:
        met = Seen()
        for n in range(25_000):
            met.add(f"a folder with a rather long name/{n:09}.jpg")
        assert tracemalloc.get_traced_memory()[1] < 70 * 25_000
    finally:
        tracemalloc.stop()
