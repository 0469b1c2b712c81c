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
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice
from math import ceil
from pathlib import Path
from queue import SimpleQueue
from threading import Semaphore
from time import perf_counter, thread_time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.engine import Engine
from penult.errors import ImageError, UsageError
from penult.images import ImageLike
from penult.images.ahead import ReadAhead
from penult.images.prepare import Prepared
from penult.images.shared import Setup
from penult.images.workers import STORED_BYTES, Decoders
from penult.util.progress import Timings

Floats = NDArray[np.float32]

BLOCK = 12  # images to a block of memory, and to a batch, at most; more if the engine is for more
FAST_SECONDS = 0.25  # of a core that a batch may take the network, for the next to be larger
OUTCOME_BYTES = 32 << 20  # of outcomes that may wait for one before them


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image: its features by layer, or the error that left it without."""

    vectors: Mapping[str, Floats] = field(default_factory=dict)
    width: int | None = None  # pixels, upright
    height: int | None = None
    error: ImageError | None = None


class Pace:
    """How much goes to an engine at a time, for all streams that share it.

    Attributes:
        calls: Held while the engine runs, by as many as it takes.
        images: Images to a batch at most; what is learned holds for the next stream too.
        most: How many it may learn to be.
    """

    def __init__(self, engine: Engine) -> None:
        self._least = engine.batch
        self.most = max(BLOCK, engine.batch)
        self.calls = Semaphore(engine.calls)
        self.images = 1

    def learn(self, images: int, seconds: float) -> None:
        """Take what a batch took the network: if that was little, the next ones are larger."""
        if images == self.images and (images < self._least or seconds < FAST_SECONDS):
            self.images = min(2 * images, self.most)


class _Batches:
    """Cuts images into batches: as large as the pace allows, and smaller at the end.

    Args:
        images: Some of them are taken ahead.
        pace: How large.
        decoders: How many batches are decoded at a time.

    Attributes:
        most: Images to a batch at most.
    """

    def __init__(self, images: Iterable[ImageLike], pace: Pace, decoders: int) -> None:
        self._images = iter(images)
        self._pace = pace
        self._shares = 2 * decoders  # of what is left, lest a core wait for another in the end
        self._ahead = deque(islice(self._images, self._shares * pace.most))
        self.most = max(1, min(pace.most, ceil(len(self._ahead) / self._shares)))

    def __iter__(self) -> Iterator[list[ImageLike]]:
        while self._ahead:
            size = min(self._pace.images, ceil(len(self._ahead) / self._shares))
            batch = [self._ahead.popleft() for _ in range(size)]
            self._ahead.extend(islice(self._images, size))
            yield batch

    @property
    def are_over(self) -> bool:
        """Whether the last one has been taken."""
        return not self._ahead


class _Finished(NamedTuple):
    """A batch that the network has done."""

    outcomes: list[Outcome]
    images: list[Prepared | ImageError]
    network: float  # seconds of a core


class _Flow:
    """Batches on their way from images to outcomes, in order.

    Its rule of back-pressure: a batch starts once a block of memory is free for it, which is when
    the network has read what was there; and while no more batches are on their way than there is
    memory for the outcomes of. Otherwise whoever brings images waits.

    Args:
        setup: What decoders make of images.
        engine: Runs the network.
        calls: Is held while it runs.
        decoders: How many batches are decoded at a time.
        block: Images to a batch at most.
        outcome_bytes: What the outcome of one image takes.
        contained: Whether images are decoded in processes.
    """

    def __init__(
        self,
        setup: Setup,
        engine: Engine,
        calls: Semaphore,
        decoders: int,
        block: int,
        outcome_bytes: int,
        *,
        contained: bool,
    ) -> None:
        blocks = engine.calls + decoders + 1
        self._engine = engine
        self._calls = calls
        self._decoders = Decoders(setup, blocks * block, decoders, contained=contained)
        self._threads = ThreadPoolExecutor(blocks)
        self._free: SimpleQueue[int] = SimpleQueue()  # where free blocks begin
        for start in range(0, blocks * block, block):
            self._free.put(start)
        self._under_way: deque[Future[_Finished]] = deque()
        self._most = max(blocks, OUTCOME_BYTES // (block * outcome_bytes))

    def start(self, batch: list[ImageLike]) -> None:
        """Decode a batch and run the network on it, in the background, once a block is free."""
        start = self._free.get()
        prepared = self._decoders.submit(batch, start)
        inputs = self._decoders.inputs[start : start + len(batch)]
        finished = self._threads.submit(self._run, inputs, prepared)
        finished.add_done_callback(lambda _: self._free.put(start))
        self._under_way.append(finished)

    def take(self, *, every: bool) -> Iterator[_Finished]:
        """Yield the batches that are done, and wait for more where too many are under way.

        Args:
            every: Whether all are waited for, as no further one comes.
        """
        while self._under_way and (every or self._is_full or self._under_way[0].done()):
            yield self._under_way.popleft().result()

    @property
    def _is_full(self) -> bool:
        return len(self._under_way) == self._most

    def _run(self, inputs: Floats, images: Future[list[Prepared | ImageError]]) -> _Finished:
        """Wait for the inputs of a block and run the network on those there are."""
        prepared = images.result()
        rows = [row for row, image in enumerate(prepared) if isinstance(image, Prepared)]
        with self._calls:
            started = thread_time()
            good = inputs if len(rows) == len(prepared) else inputs[rows]
            starts = range(0, len(good), self._engine.batch)
            outputs = [self._engine.run(good[at : at + self._engine.batch]) for at in starts]
            network = thread_time() - started
        vectors = chain.from_iterable(map(_rows, outputs))
        outcomes = [
            Outcome(error=image)
            if isinstance(image, ImageError)
            else _outcome(next(vectors), image)
            for image in prepared
        ]
        return _Finished(outcomes, prepared, network)

    def close(self) -> None:
        """Stop at once; nothing more begins."""
        self._decoders.close()
        self._threads.shutdown(cancel_futures=True)


def stream(
    images: Iterable[ImageLike],
    setup: Setup,
    engine: Engine,
    pace: Pace,
    timings: Timings,
    *,
    decoders: int,
    outcome_bytes: int,
    contained: bool = True,
) -> Generator[Outcome]:
    """Yield the outcome of each image, in order; see `Model.stream` and `_Flow`."""
    ahead = ReadAhead(min(setup.limits.bytes, STORED_BYTES))
    with closing(ahead):
        batches = _Batches(ahead.over(images), pace, decoders)
        flow = _Flow(
            setup, engine, pace.calls, decoders, batches.most, outcome_bytes, contained=contained
        )
        with closing(flow), closing(ahead):  # whose images the flow's threads wait for
            yield from _outcomes(batches, flow, pace, timings)


def _outcomes(batches: _Batches, flow: _Flow, pace: Pace, timings: Timings) -> Generator[Outcome]:
    for batch in batches:
        flow.start(batch)
        waiting = perf_counter()
        for finished in flow.take(every=batches.are_over):
            timings.waiting += perf_counter() - waiting
            pace.learn(len(finished.images), finished.network)
            _add(timings, finished)
            yield from finished.outcomes
            waiting = perf_counter()


def require_several(images: Iterable[ImageLike]) -> Iterable[ImageLike]:
    """Return images as they are, if they are several.

    Raises:
        UsageError: It is a single one.
    """
    if isinstance(images, str | Path | bytes) or not isinstance(images, Iterable):
        raise UsageError("features takes several images: put a single one in a list")
    if isinstance(images, np.ndarray) and images.ndim != 4:
        raise UsageError(
            f"an array of images has 4 dimensions (n, height, width, 3), not {images.ndim}: "
            "put a single image in a list"
        )
    return images


def _add(timings: Timings, finished: _Finished) -> None:
    timings.network += finished.network
    for image in finished.images:
        if isinstance(image, ImageError):
            continue
        timings.reading += image.reading
        timings.decoding += image.decoding
        timings.reducible += image.decoding if image.reducible else 0
        timings.preprocessing += image.preprocessing


def _rows(outputs: Mapping[str, Floats]) -> Iterator[dict[str, Floats]]:
    return (dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True))


def _outcome(vectors: Mapping[str, Floats], image: Prepared) -> Outcome:
    for name, vector in vectors.items():
        if not np.isfinite(vector).all():
            error = ImageError("nonfinite", f"layer {name} holds values that are not finite")
            return Outcome(width=image.width, height=image.height, error=error)
    return Outcome(vectors, image.width, image.height)
