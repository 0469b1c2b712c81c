"""Images in buckets, fetched before they are decoded: a request takes longer than an image does.

As many are asked for at once as there are to be decoded soon, within a number of requests and of
bytes. What a decoder wants is asked for at once, so nothing waits for room; and when all is over,
nobody waits for what is still under way.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
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
        self._under_way: set[Future[bytes]] = set()
        self._count = self._bytes = 0
        self._closed = False

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
            if not fetched.is_read:
                self._fetch(fetched)

    def _has_room(self, fetched: "_Fetched") -> bool:
        if fetched.coming or fetched.is_read or self._count == 0:
            return True
        return self._count < HELD and self._bytes + fetched.size <= HELD_BYTES

    def _fetch(self, fetched: "_Fetched") -> Future[bytes]:
        """Ask for an image, unless that was done."""
        if fetched.coming:
            return fetched.coming
        if self._closed:
            raise CancelledError
        fetched.coming = Future()
        self._count += 1
        self._bytes += fetched.size
        self._under_way.add(fetched.coming)
        self._threads.submit(self._bring, fetched.source, fetched.coming)
        return fetched.coming

    def _bring(self, source: Stored, coming: Future[bytes]) -> None:
        data, error = b"", None
        try:
            data = source.read(self._max_bytes)
        except BaseException as raised:  # noqa: BLE001 -- is raised where the image is wanted
            error = raised
        with self._lock:
            if coming in self._under_way:
                self._under_way.remove(coming)
                coming.set_exception(error) if error else coming.set_result(data)

    def wanted(self, fetched: "_Fetched") -> bytes:
        """Wait for an image, which isn't held then any more."""
        with self._lock:
            coming = self._fetch(fetched)
            fetched.is_read = True
        try:
            return coming.result()
        finally:
            fetched.coming = None
            with self._lock:
                self._count -= 1
                self._bytes -= fetched.size
                if not self._closed:
                    self._fill()

    def close(self) -> None:
        """Stop: who waits is told, and requests under way end by themselves."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            for coming in self._under_way:
                coming.set_exception(CancelledError())
            self._under_way.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Fetched(Stored):
    """An image that is on its way."""

    __slots__ = ("_ahead", "coming", "is_read", "source")

    def __init__(self, source: Stored, ahead: ReadAhead) -> None:
        self.source = source
        self.coming: Future[bytes] | None = None
        self._ahead = ahead
        self.is_read = False

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
        """Wait for it; once only, as it isn't kept."""
        return self._ahead.wanted(self)
