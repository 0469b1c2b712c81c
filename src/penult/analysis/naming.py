"""Names for groups of images: the words nearest to their centres, among many."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from penult.analysis.vectors import Floats, pieces
from penult.analysis.words import text_vectors
from penult.extraction.wordlists import Templates
from penult.store import TableReader

NAMES = 3  # of a group
BATCH = 1000  # words at a time


def nearest_words(
    features: TableReader,
    layer: str,
    labels: NDArray[np.int32],
    words: Sequence[str],
    template: Templates,
    weights: str | Path | None = None,
) -> dict[int, tuple[str, ...]]:
    """Find the words nearest to each group's centre, the mean of its images made of length 1.

    Args:
        features: The table.
        layer: The layer that is compared with words.
        labels: The group of each row, in the order of keys; -1 for none.
        words: What groups may be called.
        template: What stands around each word.
        weights: Where the network's weights are, if not where they were.

    Returns:
        The three nearest words, the nearest first, by group.

    Raises:
        NetworkError, UsageError, CheckpointError: As of `penult.analysis.words`.
    """
    groups = np.unique(labels[labels >= 0])
    centres = _centres(features, layer, labels, groups)
    few = min(NAMES, len(words))
    best = np.full((len(groups), few), -np.inf)
    places = np.zeros((len(groups), few), np.int64)
    for start in range(0, len(words), BATCH):
        some = words[start : start + BATCH]
        cosines = centres @ _unit(text_vectors(features, layer, some, template, weights)).T
        both = np.concatenate([best, cosines], axis=1)
        numbers = np.broadcast_to(np.arange(start, start + len(some)), cosines.shape)
        order = np.argsort(-both, axis=1, kind="stable")[:, :few]
        best = np.take_along_axis(both, order, axis=1)
        places = np.take_along_axis(np.concatenate([places, numbers], axis=1), order, axis=1)
    return {
        int(group): tuple(words[place] for place in row)
        for group, row in zip(groups, places, strict=True)
    }


def _centres(
    features: TableReader, layer: str, labels: NDArray[np.int32], groups: NDArray[np.int32]
) -> Floats:
    """Means of rows of length 1, made of length 1: (groups, values)."""
    sums = np.zeros((len(groups), int(np.prod(features.layers[layer]))))
    for place, vectors in pieces(features, layer, unit=True):
        for slot, group in enumerate(groups):
            sums[slot] += vectors[labels[place] == group].sum(axis=0, dtype=np.float64)
    return _unit(sums)


def _unit(vectors: NDArray[np.floating]) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths, lengths, 1)).astype(np.float32)
