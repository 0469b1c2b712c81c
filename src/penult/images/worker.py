"""The decoder process: untrusted bytes become network inputs here, and nothing else happens.

It may die at any byte, so it holds nothing that is missed. `workers` starts it and talks to it:

- Standard input brings pickles: first what to do, then a number of images and (slot, source) for
  each of them, and so on. When it ends, because the parent has closed it or is dead, so does the
  process.
- Inputs are written into memory that is shared with the parent, and beside each, when it is done,
  an answer in JSON: nothing that comes from here is ever unpickled.
- Standard output gets a byte when they are done, which wakes the parent.

The limits are the kernel's, so no library can be too busy to notice them. An alarm ends the process
even when the parent is gone. Memory is refused beyond the limit, of which Pillow and NumPy make a
`MemoryError`, and others a crash. (macOS has no such limit.) Where the whole machine or container
runs out of memory, Linux kills this process rather than its parent.
"""

import json
import os
import pickle
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penult.errors import ImageError
from penult.images.decode import Decode, ImageLike
from penult.images.limits import Limits
from penult.images.prepare import prepare
from penult.images.preprocess import Preprocessing
from penult.images.shared import DONE, mapped


def serve() -> None:
    """Answer until standard input ends."""
    jobs = sys.stdin.buffer
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever else is printed goes nowhere, as standard error does
    preprocessing, decode, limits, memory, shape = pickle.load(jobs)
    inputs, answers = mapped(memory, shape)
    resource.setrlimit(resource.RLIMIT_DATA, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # there is no such file on macOS
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the parent may have it otherwise
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    replies.write(DONE)
    while True:
        try:
            images = pickle.load(jobs)
        except EOFError:
            return
        for _ in range(images):
            slot, source = pickle.load(jobs)
            signal.setitimer(signal.ITIMER_REAL, limits.seconds)
            answer = _answer(source, preprocessing, decode, limits, inputs[slot])
            signal.setitimer(signal.ITIMER_REAL, 0)
            answers[slot] = json.dumps(answer).encode()
        replies.write(DONE)


def _answer(
    source: ImageLike,
    preprocessing: Preprocessing,
    decode: Decode,
    limits: Limits,
    out: NDArray[np.float32],
) -> dict[str, Any]:
    try:
        return asdict(prepare(source, preprocessing, decode, limits, out))
    except ImageError as error:
        return {"code": error.code, "detail": error.detail}
