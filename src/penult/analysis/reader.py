"""Reading the files of a table's images once more, within the pipeline's limits."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from penult.errors import ImageError
from penult.extraction.changes import is_unchanged
from penult.images import Decode, from_key
from penult.images.preprocess import Preprocessing
from penult.images.shared import Setup
from penult.images.workers import Decoders

if TYPE_CHECKING:
    from penult.store import TableReader

AHEAD = 64  # files that are read together


class Reader:
    """Reads those files that are still what the features are of.

    Args:
        features: An open table.
        preprocessing: What to make of each image.
        decode: Whether large JPEGs are decoded in full.
    """

    def __init__(
        self, features: "TableReader", preprocessing: Preprocessing, decode: Decode
    ) -> None:
        from penult.util.machine import cores  # not above: decoder processes import this module

        facts = features.facts(["path", "bytes", "mtime"])
        self._paths = facts["path"].to_pylist()
        self._states = [facts[name].cast("int64").to_numpy() for name in ("bytes", "mtime")]
        self._decoders = Decoders(Setup(preprocessing, decode), AHEAD, cores())

    def read(self, places: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield places with what is made of their images, which is valid until the next."""
        for start in range(0, len(places), AHEAD):
            there = [place for place in places[start : start + AHEAD].tolist() if self._is(place)]
            futures = [
                self._decoders.submit([from_key(self._paths[place])], slot)
                for slot, place in enumerate(there)
            ]
            for slot, (place, future) in enumerate(zip(there, futures, strict=True)):
                [image] = future.result()
                if not isinstance(image, ImageError):
                    yield place, self._decoders.inputs[slot]

    def _is(self, place: int) -> bool:
        path, (size, mtime_ns) = self._paths[place], (int(each[place]) for each in self._states)
        return bool(path) and is_unchanged(from_key(path), size, mtime_ns)

    def close(self) -> None:
        """End the processes."""
        self._decoders.close()
