"""What writers of files made to hurt share; those that write good ones are the tests'."""

from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from typing import NamedTuple

TESTS = Path(__file__).parents[2] / "tests"
WRITER = run_path(str(TESTS / "checkpoints/tensorflow_writer.py"))
OPCODES = run_path(str(TESTS / "checkpoints/conftest.py"))["Opcodes"]


class Kind(NamedTuple):
    """Writes a file of a count into a folder; returns what to open."""

    write: Callable[[Path, int], Path]
    most: int


def put(path: Path, *parts: bytes) -> Path:
    """Write a file."""
    path.write_bytes(b"".join(parts))
    return path
