"""From images to features: decoders and the network at work together, in bounded memory.

Images go in batches through a ring of blocks. A block is filled by decoders, each input written in
its place, then a thread runs the network on it, then it is used again: so nothing is copied, and
whichever side is slower makes the other wait.

An image's features are the same to the last bit in any batch from 1 to 8 images, order and number
of threads: seen of EfficientNet-Lite0, ResNet-50 and VGG-16, not promised by ONNX Runtime.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, count, islice
from time import perf_counter, thread_time
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.counts import Timings
from penult.engine import Engine, cores
from penult.errors import ImageError
from penult.images import Decode, ImageLike
from penult.images.limits import Limits
from penult.images.prepare import Prepared
from penult.images.preprocess import Preprocessing
from penult.images.workers import Decoders

Floats = NDArray[np.float32]

BATCH = 4  # images to a call of the engine
FEW = 16  # images that are done before processes have started


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image: its features by layer, or the error that left it without."""

    vectors: Mapping[str, Floats] = field(default_factory=dict)
    width: int | None = None  # pixels, upright
    height: int | None = None
    error: ImageError | None = None


class _Done(NamedTuple):
    outcomes: list[Outcome]
    images: list[Prepared]
    network: float  # seconds of a core


def stream(
    images: Iterable[ImageLike],
    preprocessing: Preprocessing,
    decode: Decode,
    engine: Future[Engine],
    limits: Limits,
    timings: Timings,
) -> Generator[Outcome]:
    """Yield the outcome of each image, in order; see `Model.stream`."""
    waiting: deque[Future[_Done]] = deque()
    images = iter(images)
    first = list(islice(images, FEW))
    few = len(first) < FEW
    size = 1 if few else BATCH
    blocks = 2 * cores() + 2  # as many as cores with the network, the others with decoders
    room = blocks * size
    with (
        _threads(cores()) as network,
        Decoders(preprocessing, decode, limits, room, cores(), processes=not few) as decoders,
    ):
        for number, batch in enumerate(_batches(chain(first, images), size)):
            start = number % blocks * size
            rows = range(start, start + len(batch))
            prepared = [decoders.submit(image, row) for image, row in zip(batch, rows, strict=True)]
            inputs = decoders.inputs[start : start + len(batch)]
            waiting.append(network.submit(_run, engine, inputs, prepared))
            if len(waiting) == blocks:
                yield from _next(waiting, timings)
        while waiting:
            yield from _next(waiting, timings)


def _next(waiting: deque[Future[_Done]], timings: Timings) -> list[Outcome]:
    start = perf_counter()
    done = waiting.popleft().result()
    timings.waiting += perf_counter() - start
    timings.network += done.network
    for image in done.images:
        timings.reading += image.reading
        timings.decoding += image.decoding
        timings.reducible += image.decoding if image.reducible else 0
        timings.preprocessing += image.preprocessing
    return done.outcomes


def _run(engine: Future[Engine], inputs: Floats, images: Sequence[Future[Prepared]]) -> _Done:
    """Wait for the inputs of a batch and run the network on those there are."""
    prepared = [_result(image) for image in images]
    good = [row for row, image in enumerate(prepared) if isinstance(image, Prepared)]
    ready = engine.result()
    start = thread_time()
    outputs = ready.run(inputs if len(good) == len(images) else inputs[good]) if good else {}
    network = thread_time() - start
    rows = ({name: values[row] for name, values in outputs.items()} for row in count())
    outcomes = [
        Outcome(error=image) if isinstance(image, ImageError) else _outcome(next(rows), image)
        for image in prepared
    ]
    return _Done(outcomes, [image for image in prepared if isinstance(image, Prepared)], network)


def _result(image: Future[Prepared]) -> Prepared | ImageError:
    try:
        return image.result()
    except ImageError as error:
        return ImageError(error.code, error.detail)  # its frames would keep the image in memory


def _outcome(vectors: Mapping[str, Floats], image: Prepared) -> Outcome:
    for name, vector in vectors.items():
        if not np.isfinite(vector).all():
            error = ImageError("nonfinite", f"layer {name} holds values that are not finite")
            return Outcome(width=image.width, height=image.height, error=error)
    return Outcome(vectors, image.width, image.height)


def _batches(images: Iterable[ImageLike], size: int) -> Iterator[list[ImageLike]]:
    images = iter(images)
    while batch := list(islice(images, size)):
        yield batch


@contextmanager
def _threads(number: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that begin nothing more when they are left."""
    pool = ThreadPoolExecutor(number)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
