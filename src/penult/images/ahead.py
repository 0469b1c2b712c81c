"""Images in buckets, fetched before they are decoded: a request takes longer than an image does.

As many are asked for at once as there are to be decoded soon, within a number of requests and of
bytes. What isn't fetched yet when a decoder wants it, its thread fetches itself, so nothing waits
for room.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from penult.images.items import Stored, Version

AT_ONCE = 32  # requests
HELD = 64  # images that are fetched or under way
HELD_BYTES = 64 << 20  # of these; one alone may have more

T = TypeVar("T")


class ReadAhead:
    """Fetches images that are about to be decoded.

    Args:
        max_bytes: Of an image at most.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._threads = ThreadPoolExecutor(AT_ONCE, "fetch")
        self._lock = Lock()
        self._waiting: deque[_Fetched] = deque()  # for room
        self._count = self._bytes = 0

    def over(self, images: Iterable[T]) -> "Iterator[T | Stored]":
        """Yield images, with those that are far away replaced by what fetches them from now on."""
        for image in images:
            yield self._begin(image) if isinstance(image, Stored) and image.is_far else image

    def _begin(self, image: Stored) -> "_Fetched":
        fetched = _Fetched(image, self)
        with self._lock:
            self._waiting.append(fetched)
            self._fill()
        return fetched

    def _fill(self) -> None:
        while self._waiting and self._has_room(self._waiting[0]):
            fetched = self._waiting.popleft()
            if not fetched.is_taken:
                self._count += 1
                self._bytes += fetched.size
                fetched.coming = self._threads.submit(fetched.source.read, self._max_bytes)

    def _has_room(self, fetched: "_Fetched") -> bool:
        return (
            fetched.is_taken
            or self._count == 0
            or (self._count < HELD and self._bytes + fetched.size <= HELD_BYTES)
        )

    def take(self, fetched: "_Fetched") -> Future[bytes] | None:
        """What an image comes as, if that has begun; it won't begin later."""
        with self._lock:
            coming, fetched.coming = fetched.coming, None
            fetched.is_taken = True
            return coming

    def free(self, size: int) -> None:
        """Note that an image isn't held any more."""
        with self._lock:
            self._count -= 1
            self._bytes -= size
            self._fill()

    def close(self) -> None:
        """Stop; requests under way end by themselves, and nobody waits for them."""
        with self._lock:
            self._waiting.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Fetched(Stored):
    """An image that is on its way."""

    __slots__ = ("_ahead", "coming", "is_taken", "source")

    def __init__(self, source: Stored, ahead: ReadAhead) -> None:
        self.source = source
        self.coming: Future[bytes] | None = None
        self.is_taken = False
        self._ahead = ahead

    @property
    def place(self) -> str:
        """Where it is."""
        return self.source.place

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.source.size

    def version(self) -> Version:
        """Look at it."""
        return self.source.version()

    def read(self, max_bytes: int) -> bytes:
        """Wait for it, or fetch it."""
        coming = self._ahead.take(self)
        if coming is None:
            return self.source.read(max_bytes)
        try:
            return coming.result()
        finally:
            self._ahead.free(self.size)
