"""From which cosine on features alone make near-duplicates of two images.

Cosines mean something else in each network. Of networks trained on images alone, different photos
have low ones, and 0.9 tells copies from the rest. Of those that were trained with texts all photos
lie near each other, most of CLIP's above 0.5; so there the threshold is set by the table's own
neighbours: it has the place between these and 1 that 0.9 has between 0.5, where those of the other
networks are, and 1.
"""

from typing import NamedTuple

import numpy as np

from penult.analysis.vectors import rows, sample_places
from penult.extraction.zero_shot import SHARED
from penult.store import TableReader

PLAIN = 0.9
PLACE = 0.8  # of the way from neighbours to 1, as 0.9 is from 0.5
RANK = 3  # of the neighbour: nearer ones may be copies
ASKED, AMONG = 1000, 20_000  # rows whose neighbours are looked for, and among how many


class Threshold(NamedTuple):
    """A cosine, and what it was set by.

    Attributes:
        cosine: From which on two are near-duplicates.
        neighbours: The median cosine of images with their third nearest; None where a fixed
            threshold does.
    """

    cosine: float
    neighbours: float | None = None


def choose(features: TableReader, layer: str) -> Threshold:
    """Set a threshold for a layer of a table.

    Args:
        features: An open table.
        layer: One of its layers.
    """
    if layer != SHARED or len(features) < 2:
        return Threshold(PLAIN)
    vectors = rows(features, layer, sample_places(len(features), AMONG))
    asked = sample_places(len(vectors), ASKED)
    cosines = vectors[asked] @ vectors.T
    cosines[np.arange(len(asked)), asked] = -np.inf
    rank = min(RANK, len(vectors) - 1)
    neighbours = float(np.median(np.partition(cosines, -rank, axis=1)[:, -rank]))
    cosine = max(PLAIN, neighbours + PLACE * (1 - neighbours))
    return Threshold(round(min(cosine, 1.0), 3), round(neighbours, 3))
