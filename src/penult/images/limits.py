"""What one image may take, so that it can't take the run with it."""

from dataclasses import dataclass, replace
from typing import Any, Self

from penult.errors import UsageError


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on an image; the defaults are safe for files from strangers.

    Attributes:
        pixels: Width times height. Half a gibibyte of RGB, Pillow's own limit.
        bytes: Size of the file, a gibibyte.
        seconds: Time by the clock that a decoder process may take, once the file is read.
        reading: Seconds that reading the file may take; storage may be slow.
        memory: Bytes that a decoder process may take in all, a gibibyte.
    """

    pixels: int = 178_956_970
    bytes: int = 2**30
    seconds: float = 10.0
    reading: float = 120.0
    memory: int = 2**30

    @classmethod
    def of(
        cls,
        max_pixels: int | None = None,
        max_bytes: int | None = None,
        max_seconds: float | None = None,
    ) -> Self:
        """Make limits of options that may be left out.

        Raises:
            UsageError: A limit is below 1.
        """
        options: dict[str, Any] = {
            "pixels": max_pixels,
            "bytes": max_bytes,
            "seconds": max_seconds,
        }
        given = {name: value for name, value in options.items() if value is not None}
        for name, value in given.items():
            if value < 1:
                raise UsageError(f"max_{name} must be at least 1, not {value}")
        return replace(cls(), **given)


DEFAULT = Limits()
