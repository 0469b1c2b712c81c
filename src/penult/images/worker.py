"""The decoder process: untrusted bytes become network inputs here, and nothing else happens.

It may die at any byte, so it holds nothing that is missed. `workers` starts it and talks to it:

- Standard input brings pickles: first what to do, then (slot, source) for each image. When it ends,
  because the parent has closed it or is dead, so does the process.
- Inputs are written into memory that is shared with the parent.
- Each image is answered by a line of JSON: nothing that comes from here is ever unpickled.

The limits are the kernel's, so no library can be too busy to notice them. An alarm ends the process
even when the parent is gone. Memory is refused beyond the limit, of which Pillow and NumPy make a
`MemoryError`, and others a crash. (macOS has no such limit.) Where the whole machine or container
runs out of memory, Linux kills this process rather than its parent.
"""

import json
import mmap
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


def serve() -> None:
    """Answer until standard input ends."""
    jobs = sys.stdin.buffer
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever else is printed goes nowhere, as standard error does
    preprocessing, decode, limits, memory, shape = pickle.load(jobs)
    inputs = np.frombuffer(mmap.mmap(memory, 0), np.float32).reshape(shape)
    resource.setrlimit(resource.RLIMIT_DATA, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # there is no such file on macOS
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the parent may have it otherwise
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    replies.write(b"ready\n")
    while True:
        try:
            slot, source = pickle.load(jobs)
        except EOFError:
            return
        signal.setitimer(signal.ITIMER_REAL, limits.seconds)
        reply = _reply(source, preprocessing, decode, limits, inputs[slot])
        signal.setitimer(signal.ITIMER_REAL, 0)
        replies.write(json.dumps(reply).encode() + b"\n")


def _reply(
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
