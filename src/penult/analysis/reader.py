"""Reading the files of a table's images once more, within the pipeline's limits."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from penult.errors import ImageError
from penult.extraction.row_files import COLUMNS, row_files
from penult.images import Decode
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
        transparent: Whether the preprocessing gets transparency too, where there is some.
    """

    def __init__(
        self,
        features: "TableReader",
        preprocessing: Preprocessing,
        decode: Decode,
        *,
        transparent: bool = False,
    ) -> None:
        from penult.util.machine import cores  # not above: decoder processes import this module

        self._facts = features.facts([*COLUMNS])
        setup = Setup(preprocessing, decode, transparent=transparent)
        self._decoders = Decoders(setup, AHEAD, cores())

    def read(self, places: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield places with what is made of their images, which is valid until the next."""
        for start in range(0, len(places), AHEAD):
            some = places[start : start + AHEAD]
            files = zip(some.tolist(), row_files(self._facts.take(some)), strict=True)
            there = [(place, image) for place, file in files if (image := file.image())]
            futures = [self._decoders.submit([each], slot) for slot, (_, each) in enumerate(there)]
            for slot, ((place, _), future) in enumerate(zip(there, futures, strict=True)):
                [prepared] = future.result()
                if not isinstance(prepared, ImageError):
                    yield place, self._decoders.inputs[slot]

    def close(self) -> None:
        """End the processes."""
        self._decoders.close()
