"""How clusters of a sample are found, and how many; a method a function.

All of it takes one thread a call, and numbers of clusters are tried on every core at a time: where
others are busy, threads of one call would wait for each other, many times as long as they compute.
"""

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from penult.analysis.extra import take_one_thread
from penult.analysis.vectors import Floats, sample_places
from penult.util.machine import cores
from penult.util.progress import Stages

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

Labels = NDArray[np.int32]

TRIED = 3_000  # rows that numbers of clusters are tried on
GRID = (2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128)  # numbers of clusters that are tried


def _kmeans(sample: Floats, k: int | None, min_size: int, stages: Stages) -> tuple[Floats, Labels]:
    k = k or _best_k(sample, _kmeans_labels, stages)
    centres: Floats = _fit_kmeans(sample, k).cluster_centers_
    return centres, np.arange(len(centres), dtype=np.int32)


def _agglomerative(
    sample: Floats, k: int | None, min_size: int, stages: Stages
) -> tuple[Floats, Labels]:
    return sample, _ward_labels(sample, k or _best_k(sample, _ward_labels, stages))


def _hdbscan(sample: Floats, k: int | None, min_size: int, stages: Stages) -> tuple[Floats, Labels]:
    from sklearn.cluster import HDBSCAN
    from sklearn.decomposition import PCA

    few = min(50, *sample.shape)  # densities mean little in more dimensions
    reduced = PCA(few, random_state=0).fit_transform(sample) if few < sample.shape[1] else sample
    found = HDBSCAN(min_cluster_size=min(min_size, len(sample)), copy=True).fit_predict(reduced)
    return sample, found.astype(np.int32)


METHODS: dict[str, Callable[[Floats, int | None, int, Stages], tuple[Floats, Labels]]] = {
    "kmeans": _kmeans,
    "hdbscan": _hdbscan,
    "agglomerative": _agglomerative,
}


def tries(method: str, k: int | None) -> int:
    """How many stages a method takes to find the number of clusters."""
    return len(GRID) if k is None and method != "hdbscan" else 0


def find(
    method: str, sample: Floats, k: int | None, min_size: int, stages: Stages
) -> tuple[Floats, Labels]:
    """Find clusters of a sample.

    Args:
        method: One of `METHODS`.
        sample: (rows, values).
        k: How many; None to find that too.
        min_size: The smallest group that HDBSCAN calls a cluster.
        stages: Goes on by one for each number that is tried, and one for the whole.

    Returns:
        Anchors, and the label of each: an image is in the cluster of its nearest.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():  # not by each thread, which would undo another's
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer different rows than k
        found = METHODS[method](sample, k, min_size, stages)
    stages.advance()
    return found


def _fit_kmeans(sample: Floats, k: int) -> "KMeans":
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=2, random_state=0).fit(sample)


def _kmeans_labels(sample: Floats, k: int) -> Labels:
    labels: Labels = _fit_kmeans(sample, k).labels_
    return labels


def _ward_labels(sample: Floats, k: int) -> Labels:
    from sklearn.cluster import AgglomerativeClustering

    labels: Labels = AgglomerativeClustering(k).fit_predict(sample).astype(np.int32)
    return labels


def _best_k(sample: Floats, labelled: Callable[[Floats, int], Labels], stages: Stages) -> int:
    """The number of clusters with the best silhouette, the smallest of those equally good.

    It is 1 if all rows are the same.
    """
    from sklearn.metrics import pairwise_distances, silhouette_score

    few = sample[sample_places(len(sample), TRIED)]
    distances = pairwise_distances(few)
    np.fill_diagonal(distances, 0)  # of rounding, which the silhouette takes for an error

    def score(k: int) -> float | None:
        labels = labelled(few, k)
        if len(np.unique(labels)) == len(few):
            return None
        return float(silhouette_score(distances, labels, metric="precomputed"))

    tried = [k for k in GRID if k < len(few)] if distances.any() else []
    scores: dict[int, float] = {}
    with ThreadPoolExecutor(cores(), initializer=take_one_thread) as pool:
        for k, found in zip(tried, pool.map(score, tried), strict=True):
            stages.advance()
            if found is not None:
                scores[k] = found
    return max(scores, key=lambda k: (round(scores[k], 6), -k), default=1)
