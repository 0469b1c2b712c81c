"""What the page sends beside images and words: JSON with rows as bits, and vectors, in base64."""

import json
from base64 import b64decode, b64encode
from binascii import Error
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from penult.analysis.vectors import Floats
from penult.errors import UsageError


class Request(NamedTuple):
    """A request of the page about rows.

    Attributes:
        edition: Which one numbers them.
        body: All that it says.
    """

    edition: int
    body: dict[str, Any]

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read its JSON.

        Raises:
            UsageError: It isn't of this kind.
        """
        try:
            body = json.loads(data)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict) or type(body.get("edition")) is not int:
            raise UsageError("a request has to be JSON that names its edition")
        return cls(body["edition"], body)

    def rows(self, name: str, count: int) -> NDArray[np.int64]:
        """Rows that are set in bits, the first row's lowest in the first byte.

        Args:
            name: Of the field.
            count: How many rows there are.
        """
        bits = np.frombuffer(self._bytes(name), np.uint8)
        if len(bits) != -(-count // 8):
            raise UsageError(f"{name} has {len(bits)} bytes, expected a bit for each row")
        return np.flatnonzero(np.unpackbits(bits, count=count, bitorder="little")).astype(np.int64)

    def vector(self, name: str) -> Floats:
        """A vector; whoever takes it looks at its length."""
        data = self._bytes(name)
        if len(data) % 4:
            raise UsageError(f"{name} has {len(data)} bytes, expected four for each value")
        return np.frombuffer(data, "<f4").astype(np.float32)

    def row(self, count: int) -> int | None:
        """The row that it is about, if any."""
        row = self.body.get("row")
        if row is None or (type(row) is int and 0 <= row < count):
            return row
        raise UsageError("there is no such row")

    def text(self, name: str) -> str:
        """A text."""
        text = self.body.get(name)
        if not isinstance(text, str):
            raise UsageError(f"{name} has to be a text")
        return text

    def _bytes(self, name: str) -> bytes:
        text = self.text(name)
        try:
            return b64decode(text, validate=True)
        except (Error, ValueError) as error:
            raise UsageError(f"{name} has to be base64") from error


def written(vector: Floats) -> str:
    """A vector as the page gets it, and sends it back."""
    return b64encode(vector.astype("<f4").tobytes()).decode()
