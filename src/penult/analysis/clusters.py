"""`cluster`: groups of images that are alike.

Groups are found in a bounded sample; every row then goes to the group whose anchor is nearest: the
centre of a group of k-means, or any row of the sample for the other methods. So memory is bounded,
and time grows with the number of rows.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from penult.analysis.extra import needed
from penult.analysis.vectors import Floats, pieces, rows, sample_places
from penult.errors import UsageError
from penult.store import Table, TableReader, annotate, open_table
from penult.util.checks import number_or_none, require_at_least, require_one_of, require_store
from penult.util.result import Result, Row
from penult.util.text import plural, quoted

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

Method = Literal["kmeans", "hdbscan", "agglomerative"]
ClusterMetric = Literal["cosine", "l2"]
Labels = NDArray[np.int32]

SAMPLES = {"kmeans": 50_000, "hdbscan": 10_000, "agglomerative": 10_000}  # the last two are O(n²)
TRIED = 3_000  # rows that numbers of clusters are tried on
SILHOUETTE_ROWS = 10_000  # rows that the silhouette is of
GRID = (2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128)  # numbers of clusters that are tried
CENTRAL = 5
COLUMN = "cluster"  # by default


class Agreement(NamedTuple):
    """How well clusters agree with the folders of the images; 1 is perfect."""

    folders: int
    nmi: float
    ari: float
    purity: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """One group; label -1 is noise, which belongs to none."""

    label: int
    size: int
    central: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Clusters(Result):
    """What `penult.cluster` found.

    Attributes:
        keys: All images, sorted.
        labels: The cluster of each, the largest 0; -1 for noise.
        distances: Of each to the centre of its cluster.
        clusters: The largest first.
        silhouette: The mean over at most 10,000 rows; None if there is only one cluster.
        agreement: With folders, if keys have several.
    """

    keys: list[str]
    labels: Labels
    distances: Floats
    clusters: tuple[Cluster, ...]
    silhouette: float | None
    agreement: Agreement | None

    def _summary(self) -> str:
        groups = sum(each.label >= 0 for each in self.clusters)
        quality = "" if self.silhouette is None else f", silhouette {self.silhouette:.3f}"
        return f"{plural(len(self.keys), 'image')}, {plural(groups, 'cluster')}{quality}"

    def _rows(self) -> tuple[Sequence[str], Iterable[Row]]:
        rows = ((each.label, each.size, ", ".join(each.central)) for each in self.clusters)
        return ("cluster", "images", "most central"), rows


def cluster(
    table: Table,
    k: int | Literal["auto"] = "auto",
    *,
    method: Method = "kmeans",
    metric: ClusterMetric = "cosine",
    min_size: int = 5,
    layer: str | None = None,
    store: bool = False,
    column: str | None = None,
) -> Clusters:
    """Find groups of images that are alike.

    The result depends on keys and vectors only, not on the order in which rows were written.

    Args:
        table: A table, open or by its path.
        k: How many clusters; `auto` takes the number from 2 to 128 with the best silhouette.
            HDBSCAN finds the number by itself.
        method: `kmeans`, `hdbscan` or `agglomerative` (Ward).
        metric: `cosine` compares directions, `l2` vectors as they are.
        min_size: The smallest group that HDBSCAN calls a cluster.
        layer: The layer to compare, by default the table's first.
        store: Whether to store each image's label with the table, which shows it from then on.
        column: The name of that column, by default `cluster`.

    Raises:
        UsageError: An option can't be used, or the table has fewer rows than clusters.
        MissingExtraError: scikit-learn isn't installed.
        StoreError: The table can't be read or written.

    Example:
        >>> import penult
        >>> penult.cluster("photos.lance", 5).clusters  # doctest: +SKIP
    """
    features = open_table(table)
    number = number_or_none("auto", "k", k)
    _check(features, number, method, metric, min_size)
    require_store(store, "column", column)
    column = column or COLUMN
    features.require_names([column] if store else [])
    layer, unit = features.layer(layer), metric == "cosine"
    sample = rows(features, layer, sample_places(len(features), SAMPLES[method]), unit=unit)
    with needed("cluster"):
        anchors, names = _METHODS[method](sample, number, min_size)
    labels = _by_size(_assign(features, layer, anchors, names, unit=unit))
    distances = _distances(features, layer, labels, unit=unit)
    found = Clusters(
        features.keys,
        labels,
        distances,
        tuple(_cluster(features.keys, labels, distances, label) for label in np.unique(labels)),
        _silhouette(features, layer, labels, unit=unit),
        agreement(features.keys, labels),
    )
    if store:
        annotate(features, {column: labels})
    return found


def _check(features: TableReader, k: int | None, method: str, metric: str, min_size: int) -> None:
    require_one_of(get_args(Method), "method", method)
    require_one_of(get_args(ClusterMetric), "metric", metric)
    if method == "hdbscan" and k is not None:
        raise UsageError("hdbscan finds the number of clusters by itself: leave out k")
    limit = min(len(features), SAMPLES[method])
    if k is not None and not 1 <= k <= limit:
        raise UsageError(f"k must be from 1 to {limit:,}, not {k}")
    require_at_least(2, "min_size", min_size)
    if limit < 3:
        raise UsageError(
            f"{quoted(features.path)} has {plural(limit, 'row')}: clusters need at least 3"
        )


def _kmeans(sample: Floats, k: int | None, min_size: int) -> tuple[Floats, Labels]:
    centres: Floats = _fit_kmeans(sample, k or _best_k(sample, _kmeans_labels)).cluster_centers_
    return centres, np.arange(len(centres), dtype=np.int32)


def _fit_kmeans(sample: Floats, k: int) -> "KMeans":
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of fewer different rows than k
        return KMeans(k, n_init=2, random_state=0).fit(sample)


def _kmeans_labels(sample: Floats, k: int) -> Labels:
    labels: Labels = _fit_kmeans(sample, k).labels_
    return labels


def _agglomerative(sample: Floats, k: int | None, min_size: int) -> tuple[Floats, Labels]:
    return sample, _ward_labels(sample, k or _best_k(sample, _ward_labels))


def _ward_labels(sample: Floats, k: int) -> Labels:
    from sklearn.cluster import AgglomerativeClustering

    labels: Labels = AgglomerativeClustering(k).fit_predict(sample).astype(np.int32)
    return labels


def _hdbscan(sample: Floats, k: int | None, min_size: int) -> tuple[Floats, Labels]:
    from sklearn.cluster import HDBSCAN
    from sklearn.decomposition import PCA

    few = min(50, *sample.shape)  # densities mean little in more dimensions
    reduced = PCA(few, random_state=0).fit_transform(sample) if few < sample.shape[1] else sample
    found = HDBSCAN(min_cluster_size=min(min_size, len(sample)), copy=True).fit_predict(reduced)
    return sample, found.astype(np.int32)


_METHODS: dict[str, Callable[[Floats, int | None, int], tuple[Floats, Labels]]] = {
    "kmeans": _kmeans,
    "hdbscan": _hdbscan,
    "agglomerative": _agglomerative,
}


def _best_k(sample: Floats, labelled: Callable[[Floats, int], Labels]) -> int:
    """The number of clusters with the best silhouette, the smallest of those equally good.

    It is 1 if all rows are the same.
    """
    from sklearn.metrics import pairwise_distances, silhouette_score

    few = sample[sample_places(len(sample), TRIED)]
    distances = pairwise_distances(few)
    np.fill_diagonal(distances, 0)  # of rounding, which the silhouette takes for an error
    found = {k: labelled(few, k) for k in GRID if k < len(few)} if distances.any() else {}
    scores = {
        k: silhouette_score(distances, labels, metric="precomputed")
        for k, labels in found.items()
        if len(np.unique(labels)) < len(few)
    }
    return max(scores, key=lambda k: (round(scores[k], 6), -k), default=1)


def _assign(
    features: TableReader, layer: str, anchors: Floats, names: Labels, *, unit: bool
) -> Labels:
    """The label of each row's nearest anchor."""
    halves = np.einsum("ij,ij->i", anchors, anchors) / 2
    labels = np.empty(len(features), np.int32)
    for place, vectors in pieces(features, layer, unit=unit):
        labels[place] = names[(vectors @ anchors.T - halves).argmax(axis=1)]
    return labels


def _by_size(labels: Labels) -> Labels:
    """Number clusters from the largest on, those as large by their first key; noise stays -1."""
    found, first, counts = np.unique(labels, return_index=True, return_counts=True)
    order = [i for i in np.lexsort((first, -counts)) if found[i] >= 0]
    names = {int(found[i]): name for name, i in enumerate(order)} | {-1: -1}
    return np.array([names[int(label)] for label in labels], np.int32)


def _distances(features: TableReader, layer: str, labels: Labels, *, unit: bool) -> Floats:
    """Of each row to the mean of its cluster."""
    slots = labels - labels.min()
    counts = np.bincount(slots)
    sums = np.zeros((len(counts), int(np.prod(features.layers[layer]))))
    for place, vectors in pieces(features, layer, unit=unit):
        for slot in np.unique(slots[place]):
            sums[slot] += vectors[slots[place] == slot].sum(axis=0, dtype=np.float64)
    centres = (sums / np.maximum(counts, 1)[:, None]).astype(np.float32)
    distances = np.empty(len(labels), np.float32)
    for place, vectors in pieces(features, layer, unit=unit):
        distances[place] = np.linalg.norm(vectors - centres[slots[place]], axis=1)
    return distances


def _cluster(keys: list[str], labels: Labels, distances: Floats, label: int) -> Cluster:
    mine = central(labels, distances, label)
    return Cluster(int(label), len(mine), tuple(keys[place] for place in mine[:CENTRAL]))


def central(labels: Labels, distances: Floats, label: int) -> NDArray[np.int64]:
    """Places of a cluster's images, the nearest to its centre first."""
    mine = np.flatnonzero(labels == label)
    return mine[np.argsort(distances[mine], kind="stable")]


def _silhouette(features: TableReader, layer: str, labels: Labels, *, unit: bool) -> float | None:
    """The silhouette of a sample, noise left out."""
    from sklearn.metrics import silhouette_score

    places = np.flatnonzero(labels >= 0)
    places = places[sample_places(len(places), SILHOUETTE_ROWS)]
    if not 2 <= len(np.unique(labels[places])) < len(places):
        return None
    vectors = rows(features, layer, places, unit=unit)
    return float(silhouette_score(vectors, labels[places]))


def agreement(keys: list[str], labels: Labels) -> Agreement | None:
    """How well labels agree with the folders in keys; None if all are in one."""
    from sklearn import metrics
    from sklearn.metrics.cluster import contingency_matrix

    folders = [key.rpartition("/")[0] for key in keys]
    if len(set(folders)) < 2:
        return None
    purity = contingency_matrix(folders, labels, sparse=True).max(axis=0).sum() / len(labels)
    return Agreement(
        len(set(folders)),
        float(metrics.normalized_mutual_info_score(folders, labels)),
        float(metrics.adjusted_rand_score(folders, labels)),
        float(purity),
    )
