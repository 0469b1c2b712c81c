"""Images that are read before they are wanted."""

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from penult.images.ahead import ReadAhead
from penult.images.items import Stored, Version


class _Image(Stored):
    __slots__ = ("ahead", "number", "size")
    place, is_far = "", True

    def __init__(self, number, size, ahead):
        self.number, self.size, self.ahead = number, size, ahead

    def version(self):
        return Version(self.size, 0)

    def read(self, max_bytes):
        self.ahead.append(self.number)
        return bytes(4)


def test_reading_ahead_is_bounded_in_number_and_bytes(monkeypatch):
    for size, most in ((1, 64), (1 << 20, 64), (40 << 20, 1)):
        begun = []
        ahead = ReadAhead(99)
        images = [*ahead.over(_Image(n, size, begun) for n in range(100))]
        ahead._threads.submit(int).result()
        while len(begun) < most:
            pass
        assert len(begun) == most
        assert [image.read(9) for image in images] == [bytes(4)] * 100
        assert sorted(begun) == [*range(100)]
        ahead.close()


def test_what_is_not_begun_is_fetched_when_it_is_wanted():
    begun = []
    ahead = ReadAhead(99)
    images = [*ahead.over(_Image(n, 40 << 20, begun) for n in range(4))]
    assert images[2].read(9) == bytes(4)
    assert sorted(begun) == [0, 2]
    assert images[0].read(9) == images[1].read(9) == bytes(4)
    assert begun.count(2) == 1
    ahead.close()


class _Stalled(_Image):
    __slots__ = ()

    def read(self, max_bytes):
        self.ahead.wait()
        return b""


def test_who_waits_is_told_of_the_end():
    answered = threading.Event()
    ahead = ReadAhead(99)
    images = [*ahead.over(_Stalled(n, 1, answered) for n in range(99))]
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(images[0].read, 9)
        while not waiting.running():
            pass
        ahead.close()
        with pytest.raises(CancelledError):
            waiting.result(timeout=10)
    with pytest.raises(CancelledError):
        images[98].read(9)
    answered.set()
