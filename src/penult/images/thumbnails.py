"""Pictures of bounded size for people to look at, made within the pipeline's limits.

An image is decoded and reduced in a decoder process, which it may take down. What arrives here are
pixels, and only they are written: a JPEG without a word of the file's metadata.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from queue import LifoQueue
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.errors import ImageError
from penult.images import ImageFile, Limits, Readable, Stored, Version
from penult.images.bilinear import RGB
from penult.images.names import reason
from penult.images.shared import Setup
from penult.images.workers import Decoders

SIDE = 320  # pixels of a thumbnail's longer side
CACHE_BYTES = 96 << 20  # some 5000 thumbnails
QUALITY = 85  # of JPEG


@dataclass(frozen=True, slots=True)
class Fitted:
    """Reduces an image to fit a square, in whose upper left it comes to lie; none is enlarged.

    A preprocessing, so that the pipeline's decoders can be told to do it.
    """

    size: int

    @property
    def shorter(self) -> int:
        """The whole image's shorter side, at most."""
        return self.size

    def __call__(self, rgb: RGB) -> NDArray[np.float32]:
        """Make the square, (size, size, 3), black where the image doesn't reach."""
        image = rgb if isinstance(rgb, Image.Image) else Image.fromarray(rgb)
        width, height = fitted(*image.size, self.size)
        square = np.zeros((self.size, self.size, 3), np.float32)
        square[:height, :width] = np.asarray(image.resize((width, height), reducing_gap=2))
        return square

    def __str__(self) -> str:
        return f"fitted into {self.size} x {self.size}"


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """The size of an image that is reduced until no side is longer than `side`.

    >>> fitted(1000, 500, 256), fitted(10, 20, 256)
    ((256, 128), (10, 20))
    """
    scale = min(1, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


class Thumbnails:
    """Makes JPEGs of images that can't be trusted, as many at a time as there are cores.

    >>> from contextlib import closing
    >>> with closing(Thumbnails(side=64)) as thumbnails:
    ...     jpeg = thumbnails.of("examples/photos/cat_chelsea.jpg")
    >>> Image.open(BytesIO(jpeg)).size
    (64, 64)

    Args:
        side: Pixels of the longer side at most.
        limits: What an image may take; a decoder that takes more is killed.
        count: How many are made at a time, each by a process of its own.
        cache_bytes: What the JPEGs last asked for may take in memory.
    """

    def __init__(
        self,
        side: int = SIDE,
        limits: Limits | None = None,
        *,
        count: int | None = None,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        from penult.util.machine import cores  # not above: decoder processes import this module

        self._side = side
        self._count = count or cores()
        self._cache = _Cache(cache_bytes)
        self._decoders = Decoders(
            Setup(Fitted(side), "fast", limits or Limits()), self._count, self._count
        )
        self._free: LifoQueue[int] = LifoQueue()  # slots of the decoders' memory
        for slot in range(self._count):
            self._free.put(slot)

    def of(self, source: Readable) -> bytes:
        """Make the picture of an image, or take it from memory if that hasn't changed.

        Raises:
            ImageError: It gives none; `code` and `detail` say why.
        """
        state = _state(source)
        jpeg = self._cache.get(state)
        if jpeg is None:
            jpeg = self.made(source)
            self._cache.put(state, jpeg)
        return jpeg

    def made(self, source: Readable | bytes) -> bytes:
        """Make the picture of a file, or of a file's bytes; waits while others are made.

        Raises:
            ImageError: It gives none.
        """
        return _jpeg(self.pixels(source))

    def pixels(self, source: Readable | bytes) -> NDArray[np.uint8]:
        """Decode and reduce, as `made`, to RGB (height, width, 3)."""
        slot = self._free.get()
        try:
            [image] = self._decoders.submit([source], slot).result()
            if isinstance(image, ImageError):
                raise image
            width, height = fitted(image.width, image.height, self._side)
            return self._decoders.inputs[slot, :height, :width].astype(np.uint8)
        finally:
            self._free.put(slot)

    def each(self, sources: Iterable[Readable]) -> Iterator[bytes | ImageError]:
        """Yield the picture of each, or why there is none, in order; several are made at once.

        All sources are taken at the beginning.
        """
        with ThreadPoolExecutor(self._count) as threads:
            yield from threads.map(self._tried, sources)

    def _tried(self, source: Readable) -> bytes | ImageError:
        try:
            return self.of(source)
        except ImageError as error:
            return ImageError(error.code, error.detail)  # its frames would keep the pixels

    def close(self) -> None:
        """End the processes at once."""
        self._decoders.close()


class _Cache:
    """The JPEGs last asked for, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = 0
        self._held: OrderedDict[object, bytes] = OrderedDict()  # longest unused first
        self._lock = Lock()

    def get(self, name: object) -> bytes | None:
        with self._lock:
            if name in self._held:
                self._held.move_to_end(name)
            return self._held.get(name)

    def put(self, name: object, jpeg: bytes) -> None:
        with self._lock:
            self._bytes += len(jpeg) - len(self._held.pop(name, b""))
            self._held[name] = jpeg
            while self._bytes > self._limit:
                self._bytes -= len(self._held.popitem(last=False)[1])


def _state(source: Readable) -> tuple[str, Version]:
    """What tells an image from the one that it was."""
    try:
        if isinstance(source, Stored):
            return source.place, source.version()
        return source, ImageFile("", source).version()
    except (OSError, ValueError) as error:
        raise ImageError("unreadable", reason(error)) from error


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
