"""From images to features: decoders and the network at work together, in bounded memory.

Images go in batches through a few blocks of memory. A block is filled by a decoder, each input
written in its place, then a thread runs the network on it, then it is free again: so nothing is
copied, and whichever side is slower makes the other wait. To hand over has its price, so batches
grow where the network is fast, and shrink at the end, where a core would wait for another.

An image that takes long keeps its block and its decoder only: others overtake it, and what came of
them waits for its turn, as outcomes are small where inputs are large.

An image's features are the same to the last bit in any batch from 1 to 8 images, order and number
of threads: seen of EfficientNet-Lite0, ResNet-50 and VGG-16, not promised by ONNX Runtime.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, islice
from math import ceil
from queue import SimpleQueue
from threading import Semaphore
from time import perf_counter, thread_time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.engine import Engine
from penult.errors import ImageError
from penult.images import Decode, ImageLike
from penult.images.limits import Limits
from penult.images.prepare import Prepared
from penult.images.preprocess import Preprocessing
from penult.images.workers import Decoders
from penult.util.progress import Timings

Floats = NDArray[np.float32]

BATCH = 4  # images to a call of the engine
BLOCK = 3 * BATCH  # images to a block of memory at most
QUICK = 0.25  # seconds of a core that a batch may take the network, for the next to be larger
FEW = 16  # images that are done before processes have started
HELD = 32 << 20  # bytes of outcomes that may wait for one before them


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image: its features by layer, or the error that left it without."""

    vectors: Mapping[str, Floats] = field(default_factory=dict)
    width: int | None = None  # pixels, upright
    height: int | None = None
    error: ImageError | None = None


class _Done(NamedTuple):
    outcomes: list[Outcome]
    images: list[Prepared | ImageError]
    network: float  # seconds of a core


class _Batches:
    """Cuts images into batches of up to `most`, small at first and at the end."""

    def __init__(self, images: Iterator[ImageLike], most: int, workers: int) -> None:
        self._images = images
        self._most = most
        self._workers = workers
        self._size = 1

    def __iter__(self) -> Iterator[list[ImageLike]]:
        shares = 2 * self._workers
        ahead = deque(islice(self._images, shares * self._most))
        while ahead:
            size = min(self._size, ceil(len(ahead) / shares))
            yield [ahead.popleft() for _ in range(size)]
            ahead.extend(islice(self._images, size))

    def learn(self, images: int, seconds: float) -> None:
        """Take what a batch took the network: if that was little, the next ones are larger."""
        if images == self._size and (images < BATCH or seconds < QUICK):
            self._size = min(2 * images, self._most)


def stream(
    images: Iterable[ImageLike],
    preprocessing: Preprocessing,
    decode: Decode,
    engine: Engine,
    limits: Limits,
    timings: Timings,
    *,
    workers: int,
    outcome_bytes: int,
) -> Generator[Outcome]:
    """Yield the outcome of each image, in order; see `Model.stream`."""
    waiting: deque[Future[_Done]] = deque()
    images = iter(images)
    first = list(islice(images, FEW))
    few = len(first) < FEW
    size = 1 if few else BLOCK
    blocks = engine.calls + workers + 1  # with the network, and with decoders
    most = max(blocks, HELD // (size * outcome_bytes))
    free: SimpleQueue[int] = SimpleQueue()
    for start in range(0, blocks * size, size):
        free.put(start)
    running = Semaphore(engine.calls)
    with (
        _threads(blocks) as threads,
        closing(
            Decoders(preprocessing, decode, limits, blocks * size, workers, processes=not few)
        ) as decoders,
    ):
        batches = _Batches(chain(first, images), size, workers)
        for batch in batches:
            start = free.get()
            prepared = decoders.submit(batch, start)
            inputs = decoders.inputs[start : start + len(batch)]
            done = threads.submit(_run, engine, running, inputs, prepared)
            done.add_done_callback(partial(_release, free, start))
            waiting.append(done)
            while waiting and (len(waiting) == most or waiting[0].done()):
                yield from _next(waiting, batches, timings)
        while waiting:
            yield from _next(waiting, batches, timings)


def _release(free: SimpleQueue[int], start: int, _: Future[_Done]) -> None:
    free.put(start)


def _next(waiting: deque[Future[_Done]], batches: _Batches, timings: Timings) -> list[Outcome]:
    start = perf_counter()
    done = waiting.popleft().result()
    batches.learn(len(done.images), done.network)
    timings.waiting += perf_counter() - start
    timings.network += done.network
    for image in done.images:
        if isinstance(image, ImageError):
            continue
        timings.reading += image.reading
        timings.decoding += image.decoding
        timings.reducible += image.decoding if image.reducible else 0
        timings.preprocessing += image.preprocessing
    return done.outcomes


def _run(
    engine: Engine,
    running: Semaphore,
    inputs: Floats,
    images: Future[list[Prepared | ImageError]],
) -> _Done:
    """Wait for the inputs of a block and run the network on those there are."""
    prepared = images.result()
    good = [row for row, image in enumerate(prepared) if isinstance(image, Prepared)]
    with running:
        start = thread_time()
        if len(good) < len(prepared):
            inputs = inputs[good]
        starts = range(0, len(inputs), engine.batch)
        outputs = [engine.run(inputs[start : start + engine.batch]) for start in starts]
        network = thread_time() - start
    rows = chain.from_iterable(map(_rows, outputs))
    outcomes = [
        Outcome(error=image) if isinstance(image, ImageError) else _outcome(next(rows), image)
        for image in prepared
    ]
    return _Done(outcomes, prepared, network)


def _rows(outputs: Mapping[str, Floats]) -> Iterator[dict[str, Floats]]:
    return (dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True))


def _outcome(vectors: Mapping[str, Floats], image: Prepared) -> Outcome:
    for name, vector in vectors.items():
        if not np.isfinite(vector).all():
            error = ImageError("nonfinite", f"layer {name} holds values that are not finite")
            return Outcome(width=image.width, height=image.height, error=error)
    return Outcome(vectors, image.width, image.height)


@contextmanager
def _threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that begin nothing more when they are left."""
    pool = ThreadPoolExecutor(number)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
