"""The memory that decoders share with the process that they decode for."""

import mmap
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from penult.images.decode import Decode
from penult.images.limits import DEFAULT, Limits
from penult.images.preprocess import Preprocessing

HEADER = struct.Struct("<Q")  # before each message to a decoder: its length
IDLE_SECONDS = 60.0  # after which a decoder without work ends
READING = b"r"  # in the place of an answer, while the file is read
DONE = b"."  # what a decoder says when it is ready, and when the images that it got are done
ANSWER = np.dtype("S4096")  # JSON, which is shorter


@dataclass(frozen=True, slots=True)
class Setup:
    """What decoders make of images.

    Attributes:
        preprocessing: It gets RGB, or RGBA of what has transparency, if it is asked for.
        decode: Whether large JPEGs are decoded in full.
        limits: What an image may take.
        transparent: Whether images keep their transparency, rather than to lie over white.
    """

    preprocessing: Preprocessing
    decode: Decode = "exact"
    limits: Limits = DEFAULT
    transparent: bool = False


def size(shape: tuple[int, ...]) -> int:
    """Bytes that it takes for inputs of a shape, the first dimension being their number."""
    return int(np.prod(shape)) * np.dtype(np.float32).itemsize + shape[0] * ANSWER.itemsize


def map_memory(
    memory: int, shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], NDArray[np.bytes_]]:
    """Map a file descriptor's memory: the inputs, and for each what became of its image."""
    buffer = mmap.mmap(memory, size(shape))
    inputs = np.frombuffer(buffer, np.float32, int(np.prod(shape))).reshape(shape)
    return inputs, np.frombuffer(buffer, ANSWER, shape[0], offset=inputs.nbytes)
