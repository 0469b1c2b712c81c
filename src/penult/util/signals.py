"""Stops from outside: Ctrl-C and SIGTERM end a run in good order, but not within a commit."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

_STOPS = (signal.SIGINT, signal.SIGTERM)


_terminated = threading.Event()


def raise_on_sigterm() -> None:
    """Make SIGTERM raise KeyboardInterrupt, as Ctrl-C does."""
    _terminated.clear()
    signal.signal(signal.SIGTERM, _terminate)


def was_terminated() -> bool:
    """Whether it was SIGTERM: libraries may raise a KeyboardInterrupt of their own for either."""
    return _terminated.is_set()


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    _terminated.set()
    raise KeyboardInterrupt


@contextmanager
def delay_stops() -> Iterator[None]:
    """Let a stop that comes within the block wait for its end.

    Python runs handlers in the main thread, so in any other there is nothing to hold back; neither
    is there where a stop ends the process without a handler.
    """
    came: list[tuple[int, FrameType | None]] = []
    handlers: dict[int, Callable[[int, FrameType | None], object]] = {}
    if threading.current_thread() is threading.main_thread():
        handlers = {n: h for n in _STOPS if callable(h := signal.getsignal(n))}
    for number in handlers:
        signal.signal(number, lambda *stop: came.append(stop))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            handlers[came[0][0]](*came[0])
