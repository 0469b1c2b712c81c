"""What one image may take, so that it can't take the run with it."""

from dataclasses import dataclass
from typing import Self

from penult.errors import UsageError


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on an image; the defaults are safe for files from strangers.

    Attributes:
        pixels: Width times height. Half a gibibyte of RGB, Pillow's own limit.
        bytes: Size of the file, a gibibyte.
        seconds: Time by the clock, of a decoder process.
        memory: Bytes that a decoder process may take in all, a gibibyte.
    """

    pixels: int = 178_956_970
    bytes: int = 2**30
    seconds: float = 10.0
    memory: int = 2**30

    @classmethod
    def of(cls, max_pixels: int | None = None, max_bytes: int | None = None) -> Self:
        """Make limits of options that may be left out.

        Raises:
            UsageError: A limit is below 1.
        """
        options = {"pixels": max_pixels, "bytes": max_bytes}
        given = {name: value for name, value in options.items() if value is not None}
        for name, value in given.items():
            if value < 1:
                raise UsageError(f"max_{name} must be at least 1, not {value}")
        return cls(**given)


DEFAULT = Limits()
