"""Decoders: threads that make network inputs, with processes for images that can't be trusted.

What one image can do is bounded by the process that decodes it (see `processes` and `worker`). A
process gets a few images at a time, as each time threads have to wake each other; what one that
died has left undone, another gets. An image that takes too long or too much memory fails. So does
one of which two processes have died: the first may have been the system's victim, when memory ran
out elsewhere.

Processes contain accidents; they are no sandbox against code that has taken one over. Systems other
than Linux and macOS, and programs that Python is embedded in, have none: what crashes a decoder
there ends the run.
"""

import json
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from itertools import groupby, takewhile
from pathlib import Path
from tempfile import TemporaryFile
from threading import Condition
from time import perf_counter
from typing import NamedTuple, TypeAlias, TypeGuard

from PIL import Image

from penult.errors import ImageError, PenultError
from penult.images.decode import ImageLike
from penult.images.items import Stored
from penult.images.prepare import Prepared, prepare
from penult.images.preprocess import Preprocessing
from penult.images.processes import AVAILABLE, DecoderProcess, borrow, release, wake
from penult.images.shared import READING, Setup, map_memory, size

GRACE_SECONDS = 0.25  # to end work that isn't wanted: to start another process takes as long
LARGE_BYTES = 1 << 20  # of an image that is sent alone

PORTION_BYTES = 8 << 20  # of images within other files, that a decoder's thread reads at once
STORED_BYTES = 1 << 28  # of such an image at most, as they are read outside the processes

File: TypeAlias = str | os.PathLike[str] | bytes
_Job: TypeAlias = tuple[int, str | bytes]  # a slot, and what its input is made of


class _Read(NamedTuple):
    """A source, as far as a thread has to read it."""

    source: ImageLike | ImageError
    seconds: float = 0.0  # by the clock


class Decoders:
    """Threads that make network inputs.

    Paths and bytes are decoded in processes, unless they needn't be contained. Images already in
    memory are prepared in the threads: their pixels are the caller's.

    Args:
        setup: What to make of images; its preprocessing has to be picklable, and hashable.
        slots: How many inputs there is room for.
        count: Threads.
        contained: Whether paths and bytes are decoded in processes, where there are any; or in
            the threads, so that nothing bounds the time and memory that an image takes.

    Attributes:
        inputs: The inputs made, float32 (slots, height, width, channels).
    """

    def __init__(self, setup: Setup, slots: int, count: int, *, contained: bool = True) -> None:
        self._setup = setup
        self._apart = contained and AVAILABLE
        self._shape = (slots, *_input_shape(setup.preprocessing))
        self._memory = _nameless_file(size(self._shape))
        self.inputs, self._answers = map_memory(self._memory, self._shape)
        self._ownership = object()  # by which a process is known to have this memory
        self._threads = ThreadPoolExecutor(count)
        self._busy: set[DecoderProcess] = set()
        self._closed = False
        self._changed = Condition()  # of what is busy, or closed

    def submit(
        self, sources: Sequence[ImageLike], start: int
    ) -> Future[list[Prepared | ImageError]]:
        """Prepare images in the background, in the slots from `start` on, by one decoder."""
        return self._threads.submit(self._prepare, dict(enumerate(sources, start)))

    def _prepare(self, sources: Mapping[int, ImageLike]) -> list[Prepared | ImageError]:
        done: dict[int, Prepared | ImageError] = {}
        for some in _portions(sources):
            read = {slot: self._read(source) for slot, source in some.items()}
            done |= self._prepare_read({slot: each.source for slot, each in read.items()})
            for slot, each in read.items():
                image = done[slot]
                if each.seconds and isinstance(image, Prepared):
                    done[slot] = replace(image, reading=each.seconds)
        return [done[slot] for slot in sources]

    def _read(self, source: ImageLike) -> _Read:
        """Read what lies within another file; decoders read files themselves."""
        if not isinstance(source, Stored):
            return _Read(source)
        began = perf_counter()
        try:
            data: bytes | ImageError = source.read(min(self._setup.limits.bytes, STORED_BYTES))
        except ImageError as error:
            data = ImageError(error.code, error.detail)
        return _Read(data, perf_counter() - began)

    def _prepare_read(
        self, sources: Mapping[int, ImageLike | ImageError]
    ) -> dict[int, Prepared | ImageError]:
        files = {slot: s for slot, s in sources.items() if self._apart and _is_file(s)}
        done = {
            slot: s if isinstance(s, ImageError) else self._prepare_here(s, slot)
            for slot, s in sources.items()
            if slot not in files
        }
        if files:
            done.update(zip(files, self._prepare_apart(files), strict=True))
        return done

    def _prepare_here(self, source: ImageLike, slot: int) -> Prepared | ImageError:
        try:
            return prepare(source, self._setup, self.inputs[slot])
        except ImageError as error:
            return ImageError(error.code, error.detail)  # its frames would keep the image in memory

    def _prepare_apart(self, files: Mapping[int, File]) -> Iterator[Prepared | ImageError]:
        """Yield what becomes of files in processes."""
        jobs = [(slot, _anywhere(file)) for slot, file in files.items()]
        while jobs:
            results, status = self._try(jobs)
            yield from results
            jobs = jobs[len(results) :]
            if jobs:
                yield self._after_death(jobs.pop(0), status)

    def _after_death(self, job: _Job, status: int) -> Prepared | ImageError:
        """Say what becomes of a file that a process has died of."""
        if status != -signal.SIGALRM:
            results, status = self._try([job])
            if results:
                return results[0]
        if status == -signal.SIGALRM:
            reading = self._answers[job[0]] == READING
            doing, limits = "reading" if reading else "decoding", self._setup.limits
            seconds = limits.reading if reading else limits.seconds
            return ImageError("timeout", f"{doing} takes longer than {seconds:g} s")
        return ImageError("decoder_crash", f"the decoder ended with {_status_name(status)}, twice")

    def _try(self, jobs: Sequence[_Job]) -> tuple[list[Prepared | ImageError], int]:
        """Decode files in a process: results in order, fewer if it died of the next; its status."""
        slots = [slot for slot, _ in jobs]
        self._answers[slots] = b""
        with self._process() as process:
            all(map(process.ask, _messages(jobs)))  # until it dies
            results = [*map(_answer, takewhile(_is_whole, self._answers[slots].tolist()))]
            return results, 0 if len(results) == len(jobs) else process.end()

    @contextmanager
    def _process(self) -> Iterator[DecoderProcess]:
        """Borrow a process that has the setup."""
        with borrow(self._ownership, lambda: not self._closed) as process:
            with self._changed:
                self._require_open()
                self._busy.add(process)
            try:
                if process.owner is not self._ownership:
                    self._hand_over(process)
                yield process
            finally:
                with self._changed:
                    self._busy.discard(process)
                    self._changed.notify_all()

    def _require_open(self) -> None:
        if self._closed:
            raise CancelledError

    def _hand_over(self, process: DecoderProcess) -> None:
        """Tell a process what to do from now on, and where."""
        process.owner = self._ownership
        if not process.ask((self._setup, self._shape), self._memory) and not self._closed:
            status = _status_name(process.end())
            raise PenultError(f"a decoder process ended with {status} before it had any image")

    def close(self) -> None:
        """Stop at once; what takes longer than a moment to decode is given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._changed:
            self._closed = True
        wake()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, GRACE_SECONDS)
            for process in self._busy:
                process.kill()  # it would go on writing into the memory
        self._threads.shutdown()
        release(self._ownership)
        os.close(self._memory)


@lru_cache
def _input_shape(preprocessing: Preprocessing) -> tuple[int, ...]:
    return preprocessing(Image.new("RGB", (64, 64))).shape


def _messages(jobs: Sequence[_Job]) -> Iterator[list[_Job]]:
    """Put jobs into messages, the large ones each alone: a process has room for few of them."""
    for is_large, group in groupby(jobs, lambda job: len(job[1]) > LARGE_BYTES):
        some = [*group]
        yield from ([job] for job in some) if is_large else [some]


def _is_whole(text: bytes) -> bool:
    """Whether an answer is there, and not cut by death or for its length."""
    return text.endswith(b"}")


def _answer(text: bytes) -> Prepared | ImageError:
    values = json.loads(text)
    return ImageError(**values) if "code" in values else Prepared(**values)


def _portions(sources: Mapping[int, ImageLike]) -> Iterator[dict[int, ImageLike]]:
    """Cut sources where so much would be read that it is done bit by bit."""
    some: dict[int, ImageLike] = {}
    size = 0
    for slot, source in sources.items():
        more = source.size if isinstance(source, Stored) else 0
        if some and size + more > PORTION_BYTES:
            yield some
            some, size = {}, 0
        some[slot] = source
        size += more
    yield some


def _is_file(source: ImageLike | ImageError) -> TypeGuard[File]:
    return isinstance(source, str | os.PathLike | bytes)


def _anywhere(file: File) -> str | bytes:
    """A path that is the same file for a process in another current folder; bytes as they are."""
    file = os.fspath(file)
    if isinstance(file, bytes) or file.startswith("/"):
        return file
    return f"{Path.cwd()}/{file}"


def _status_name(status: int) -> str:
    if status < 0:
        return signal.Signals(-status).name
    return f"status {status}"


def _nameless_file(size: int) -> int:
    """Open a file in memory, or where there are none on disk, that nothing can find or leave."""
    if hasattr(os, "memfd_create"):
        file = os.memfd_create("inputs")
    else:
        with TemporaryFile() as named:
            file = os.dup(named.fileno())
    os.truncate(file, size)
    return file
