"""The decoder process: untrusted bytes become network inputs here, and nothing else happens.

It may die at any byte, so it holds nothing that is missed. `processes` starts it, `workers` tells
it what to do:

- Standard input is a socket. It brings pickles, each behind its length: what to make of images, a
  `Setup` and the shape of the memory that comes along; or a list of images, each a (slot, source);
  or None, when that memory isn't used any more. When it ends, because the parent has closed it or
  is dead, so does the process; and after a minute without a message.
- Inputs are written into memory that is shared with the parent, and beside each, when it is done,
  an answer in JSON: nothing that comes from here is ever unpickled.
- The socket gets a byte back when a message is dealt with.

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
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penult.errors import ImageError
from penult.images.decode import ImageLike
from penult.images.prepare import prepare
from penult.images.shared import DONE, HEADER, IDLE_SECONDS, READING, Setup, map_memory


def serve() -> None:
    """Answer until there is nobody or nothing to answer."""
    channel = socket.socket(fileno=os.dup(0))
    os.dup2(1, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # there is no such file on macOS
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the parent may have it otherwise
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    channel.settimeout(IDLE_SECONDS)
    with suppress(OSError):  # the parent is gone, or has had nothing to say
        while message := _receive(channel):
            _work(*message)
            channel.sendall(DONE)


def _receive(channel: socket.socket) -> tuple[Any, list[int]] | None:
    """Wait for a message, with the file descriptors that come along; None at the end."""
    header, descriptors, _, _ = socket.recv_fds(channel, HEADER.size, 1, socket.MSG_WAITALL)
    if len(header) < HEADER.size:
        return None
    body = bytearray(HEADER.unpack(header)[0])
    at = 0
    while at < len(body):
        received = channel.recv_into(memoryview(body)[at:])
        if not received:
            return None
        at += received
    return pickle.loads(body), descriptors


_Memory = tuple[Setup, NDArray[np.float32], NDArray[np.bytes_]]
_current: list[_Memory] = []  # at most one


def _work(message: Any, descriptors: list[int]) -> None:  # noqa: ANN401 -- either kind
    if descriptors:
        setup, shape = message
        _prepare_for(setup, shape, descriptors[0])
        return
    if message is None:
        _current.clear()
        return
    ((setup, inputs, answers),) = _current
    for slot, source in message:
        answers[slot] = READING
        _limit_to(setup.limits.reading)
        answer = _answer(source, setup, inputs[slot], partial(_begin_decoding, slot))
        _limit_to(0)
        answers[slot] = json.dumps(answer).encode()


def _begin_decoding(slot: int) -> None:
    ((setup, _, answers),) = _current
    answers[slot] = b""
    _limit_to(setup.limits.seconds)


def _limit_to(seconds: float) -> None:
    """Let the process die after so many seconds; 0 stops that."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _prepare_for(setup: Setup, shape: tuple[int, ...], memory: int) -> None:
    _current.clear()  # the memory of before goes
    _current.append((setup, *map_memory(memory, shape)))
    os.close(memory)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = min(setup.limits.memory, hard) if hard >= 0 else setup.limits.memory  # -1: no limit
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _answer(
    source: ImageLike, setup: Setup, out: NDArray[np.float32], when_read: Callable[[], object]
) -> dict[str, Any]:
    try:
        return asdict(prepare(source, setup, out, when_read))
    except ImageError as error:
        return {"code": error.code, "detail": error.detail}
