"""Images that were passed over on the way to another one, kept for a while.

What can only be read forward is so read once, although several threads read ahead of each other.
"""

from collections import OrderedDict
from threading import Lock

from penult.images.members import Container

KEPT_BYTES = 128 << 20  # of the images of all containers
_ENTRY = 300  # bytes that one takes without its own


class Kept:
    """The images passed over last, up to a number of bytes."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._limit = limit
        self._bytes = 0
        self._held: OrderedDict[tuple[Container, int], bytes] = OrderedDict()
        self._lock = Lock()

    def put(self, container: Container, number: int, data: bytes) -> None:
        """Keep an image; those kept longest may go for it."""
        with self._lock:
            self._drop(self._held.pop((container, number), None))
            self._held[container, number] = data
            self._bytes += len(data) + _ENTRY
            while self._bytes > self._limit:
                self._drop(self._held.popitem(last=False)[1])

    def pop(self, container: Container, number: int) -> bytes | None:
        """Take an image, if it's still there."""
        with self._lock:
            data = self._held.pop((container, number), None)
            self._drop(data)
            return data

    def _drop(self, data: bytes | None) -> None:
        if data is not None:
            self._bytes -= len(data) + _ENTRY


KEPT = Kept()
