"""Decoders that work on all cores, and processes for those that may be killed.

A process is started as `python -c`, not by `multiprocessing`: that would run the caller's script
again, and fork would copy an engine's threads. It imports NumPy and Pillow only and is ready in a
fifth of a second. The memory it shares with this process is a file without a name, so that nothing
is left behind whatever dies.

A process gets a few images at a time, as each time threads have to wake each other; what one that
died has left undone, another gets. An image that takes too long or too much memory fails. So does
one of which two processes have died: the first may have been the system's victim, when memory ran
out elsewhere.

Processes contain accidents; they are no sandbox against code that has taken one over. Systems other
than Linux and macOS, and programs that Python is embedded in, have threads instead: what crashes a
decoder there ends the run.
"""

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import takewhile
from queue import LifoQueue
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, TypeAlias, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.errors import ImageError, PenultError
from penult.images.decode import Decode, ImageLike
from penult.images.limits import Limits
from penult.images.names import reason
from penult.images.prepare import Prepared, prepare
from penult.images.preprocess import Preprocessing
from penult.images.shared import DONE, mapped, size

AVAILABLE = os.name == "posix" and bool(sys.executable)
_SERVE = "from penult.images.worker import serve; serve()"
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # NumPy's threads would take memory
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),  # glibc keeps the memory of an image for the next
    "MALLOC_TRIM_THRESHOLD_": str(128 << 20),
}

File: TypeAlias = str | os.PathLike[str] | bytes
_Job: TypeAlias = tuple[int, bytes]  # a slot, and the message that asks for its input


class Decoders:
    """Threads that make network inputs, each with a process for images that can't be trusted.

    Images already in memory are prepared in the threads: their pixels are the caller's.

    Args:
        preprocessing: Makes an input of pixels; has to be picklable.
        decode: Whether large JPEGs are decoded in full.
        limits: What an image may cost.
        slots: How many inputs there is room for.
        count: Threads.
        processes: Whether paths and bytes are decoded in processes.

    Attributes:
        inputs: The inputs made, float32 (slots, height, width, channels).
    """

    def __init__(
        self,
        preprocessing: Preprocessing,
        decode: Decode,
        limits: Limits,
        slots: int,
        count: int,
        *,
        processes: bool,
    ) -> None:
        self._preprocessing = preprocessing
        self._decode = decode
        self._limits = limits
        shape = (slots, *preprocessing(Image.new("RGB", (64, 64))).shape)
        self._memory = _nameless_file(size(shape))
        self.inputs, answers = mapped(self._memory, shape)
        self._threads = ThreadPoolExecutor(count)
        self._workers: list[_Worker] = []
        self._idle: LifoQueue[_Worker] = LifoQueue()  # so that few images start few processes
        if processes and AVAILABLE:
            setup = pickle.dumps((preprocessing, decode, limits, self._memory, shape))
            self._workers = [_Worker(setup, self._memory, answers, limits) for _ in range(count)]
        for worker in self._workers:
            self._idle.put(worker)

    def submit(
        self, sources: Sequence[ImageLike], start: int
    ) -> Future[list[Prepared | ImageError]]:
        """Prepare images in the background, in the slots from `start` on, by one decoder."""
        return self._threads.submit(self._prepare, dict(enumerate(sources, start)))

    def _prepare(self, sources: Mapping[int, ImageLike]) -> list[Prepared | ImageError]:
        files = {slot: s for slot, s in sources.items() if self._workers and _is_file(s)}
        done = {slot: self._here(s, slot) for slot, s in sources.items() if slot not in files}
        if files:
            worker = self._idle.get()
            try:
                done.update(zip(files, worker.prepare(files), strict=True))
            finally:
                self._idle.put(worker)
        return [done[slot] for slot in sources]

    def _here(self, source: ImageLike, slot: int) -> Prepared | ImageError:
        out = self.inputs[slot]
        try:
            return prepare(source, self._preprocessing, self._decode, self._limits, out)
        except ImageError as error:
            return ImageError(error.code, error.detail)  # its frames would keep the image in memory

    def close(self) -> None:
        """Stop at once; what is being decoded is given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.stop()
        self._threads.shutdown()
        for worker in self._workers:
            worker.reap()
        os.close(self._memory)


class _Worker:
    """A decoder process, started when it is first needed and again when it has died."""

    def __init__(
        self, setup: bytes, memory: int, answers: NDArray[np.bytes_], limits: Limits
    ) -> None:
        self._setup = setup
        self._memory = memory
        self._answers = answers
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._lock = Lock()  # between `stop` and the thread that starts a process

    def prepare(self, files: Mapping[int, File]) -> Iterator[Prepared | ImageError]:
        """Yield what becomes of files whose inputs belong in these slots."""
        jobs = [(slot, pickle.dumps((slot, os.fspath(file)))) for slot, file in files.items()]
        while jobs:
            done = self._done(jobs)
            yield from done
            jobs = jobs[len(done) :]
            if jobs:
                yield self._after_death(jobs.pop(0))

    def _after_death(self, job: _Job) -> Prepared | ImageError:
        """Say what becomes of a file that the process has died of."""
        status = self.reap()
        if status != -signal.SIGALRM:
            for image in self._done([job]):
                return image
            status = self.reap()
        if status == -signal.SIGALRM:
            return ImageError("timeout", f"decoding takes longer than {self._limits.seconds:g} s")
        return ImageError("decoder_crash", f"the decoder ended with {_named(status)}, twice")

    def stop(self) -> None:
        """Kill the process, from any thread; it won't be started again."""
        with self._lock:
            self._stopped = True
            if self._process:
                self._process.kill()

    def reap(self) -> int:
        """End the process if it hasn't ended, and return its exit status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.communicate()
        return process.returncode

    def _done(self, jobs: Sequence[_Job]) -> list[Prepared | ImageError]:
        """Return what becomes of files, in order; of fewer if the process dies of the next."""
        process, slots = self._process or self._start(), [slot for slot, _ in jobs]
        self._answers[slots] = b""
        _wait_for(process, pickle.dumps(len(jobs)), *(job for _, job in jobs))
        return list(map(_answer, takewhile(_is_whole, self._answers[slots].tolist())))

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._lock:
            if self._stopped:
                raise CancelledError
            try:
                process = self._process = _started(self._memory)
            except OSError as error:
                raise PenultError(f"a decoder process doesn't start: {reason(error)}") from error
        if not _wait_for(process, self._setup) and not self._stopped:
            status = _named(self.reap())
            raise PenultError(f"a decoder process ended with {status} before it had any image")
        return process


def _started(memory: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libraries print there what they think of an image
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | ENVIRONMENT,
        pass_fds=(memory,),
        process_group=0,  # Ctrl-C is for the parent, which decides
    )


def _wait_for(process: "subprocess.Popen[bytes]", *messages: bytes) -> bool:
    """Say something to a process; whether it has done it, or died instead."""
    to, back = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    with suppress(BrokenPipeError):
        to.writelines(messages)
        to.flush()
    return back.read(len(DONE)) == DONE


def _is_whole(text: bytes) -> bool:
    """Whether an answer is there, and not cut by death or for its length."""
    return text.endswith(b"}")


def _answer(text: bytes) -> Prepared | ImageError:
    values = json.loads(text)
    return ImageError(**values) if "code" in values else Prepared(**values)


def _is_file(source: ImageLike) -> TypeGuard[File]:
    return isinstance(source, str | os.PathLike | bytes)


def _named(status: int) -> str:
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
