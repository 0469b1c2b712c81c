"""`cluster`: groups of images that are alike.

Groups are found in a bounded sample; every row then goes to the group whose anchor is nearest: the
centre of a group of k-means, or any row of the sample for the other methods. So memory is bounded,
and time grows with the number of rows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from penult.analysis import grouping
from penult.analysis.extra import needed, one_thread
from penult.analysis.grouping import Labels
from penult.analysis.naming import nearest_words
from penult.analysis.vectors import Floats, pieces, rows, sample_places
from penult.analysis.words import text_model
from penult.errors import UsageError
from penult.extraction.wordlists import Templates, Words, read_words
from penult.store import Table, TableReader, annotate, open_table
from penult.util.checks import number_or_none, require_at_least, require_one_of, require_store
from penult.util.notebook import shown
from penult.util.progress import Stages, Steps
from penult.util.result import Result, Row
from penult.util.text import plural, quoted

Method = Literal["kmeans", "hdbscan", "agglomerative"]
ClusterMetric = Literal["cosine", "l2"]
Places = NDArray[np.int64]

SAMPLES = {"kmeans": 50_000, "hdbscan": 10_000, "agglomerative": 10_000}  # the last two are O(n²)
SILHOUETTE_ROWS = 10_000  # rows that the silhouette is of
CENTRAL = 5
COLUMN = "cluster"  # by default
NOISE = "noise"  # what images are called that belong to no cluster
STAGES = 3  # beside numbers of clusters that are tried: find, assign, describe


class Agreement(NamedTuple):
    """How well clusters agree with the folders of the images; 1 is perfect."""

    folders: int
    nmi: float
    ari: float
    purity: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """One group; label -1 is noise, which belongs to none.

    Attributes:
        label: Its number.
        size: How many images it has.
        central: Keys of those nearest to its centre, the nearest first.
        name: What it's called: the nearest word, if it was to be named; else the folder that more
            than half of its images are in, if no other cluster's are; else its most central image.
        names: The words nearest to its centre, the nearest first, if it was to be named.
    """

    label: int
    size: int
    central: tuple[str, ...]
    name: str
    names: tuple[str, ...] = ()


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
        rows = (
            (each.label, each.name, each.size, ", ".join(each.central)) for each in self.clusters
        )
        return ("cluster", "name", "images", "most central"), rows


def cluster(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    k: int | Literal["auto"] = "auto",
    *,
    method: Method = "kmeans",
    metric: ClusterMetric = "cosine",
    min_size: int = 5,
    layer: str | None = None,
    store: bool = False,
    column: str | None = None,
    name: Words | None = None,
    template: Templates = "photo",
    weights: str | Path | None = None,
    progress: Steps | None = None,
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
        store: Whether to store each image's label with the table, which shows it from then on, and
            the name of its cluster beside it.
        column: The name of that column, by default `cluster`; names are in `COLUMN_name`.
        name: Words to name clusters by, the nearest of them: a sequence, a text file of one a line,
            `imagenet` or `nouns`. The table's network needs a text tower.
        template: What stands around each word, with `{}` for it; `photo` is "a photo of a {}.".
        weights: Where the network's weights are, if not where they were.
        progress: Called with the steps done and their number.

    Raises:
        UsageError: An option can't be used, or the table has fewer rows than clusters.
        NetworkError: Clusters are to be named, and the table's network has no text tower.
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
    features.require_names([column, f"{column}_name"] if store else [])
    layer, unit = features.layer(layer), metric == "cosine"
    words = None if name is None else read_words(name)
    if words:
        text_model(features, layer, weights)  # before what takes long
    stages = Stages(shown(progress), grouping.tries(method, number) + STAGES)
    with one_thread():
        sample = rows(features, layer, sample_places(len(features), SAMPLES[method]), unit=unit)
        with needed("cluster"):
            anchors, numbers = grouping.find(method, sample, number, min_size, stages)
        labels = _by_size(_assign(features, layer, anchors, numbers, unit=unit))
        stages.advance()
        names = nearest_words(features, layer, labels, words, template, weights) if words else {}
        found = _describe(features, layer, labels, names, unit=unit)
        stages.finish()
    if store:
        _store(features, column, found)
    return found


def _store(features: TableReader, column: str, found: Clusters) -> None:
    """Store labels and, beside them, names."""
    names = {each.label: each.name for each in found.clusters}
    annotate(
        features,
        {column: found.labels, f"{column}_name": [names[each] for each in found.labels.tolist()]},
    )


def _describe(
    features: TableReader,
    layer: str,
    labels: Labels,
    words: Mapping[int, tuple[str, ...]],
    *,
    unit: bool,
) -> Clusters:
    keys, distances = features.keys, _distances(features, layer, labels, unit=unit)
    members = {label: central(labels, distances, label) for label in np.unique(labels).tolist()}
    folders = _folders(keys, members)
    return Clusters(
        keys,
        labels,
        distances,
        tuple(
            _cluster(keys, label, mine, words.get(label, ()), folders.get(label))
            for label, mine in members.items()
        ),
        _silhouette(features, layer, labels, unit=unit),
        agreement(keys, labels),
    )


def _folders(keys: list[str], members: Mapping[int, Places]) -> dict[int, str]:
    """For each cluster that has it alone, the folder that more than half of its images are of."""
    folders: dict[int, str] = {}
    for label, mine in members.items():
        folder, count = Counter(_folder(keys[place]) for place in mine).most_common(1)[0]
        if label >= 0 and folder and count > len(mine) / 2:
            folders[label] = folder
    times = Counter(folders.values())
    return {label: folder for label, folder in folders.items() if times[folder] == 1}


def _folder(key: str) -> str:
    return key.rpartition("/")[0]


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


def _cluster(
    keys: list[str], label: int, mine: Places, words: tuple[str, ...], folder: str | None
) -> Cluster:
    nearest = tuple(keys[place] for place in mine[:CENTRAL])
    name = NOISE if label < 0 else words[0] if words else folder or nearest[0]
    return Cluster(label, len(mine), nearest, name, words)


def central(labels: Labels, distances: Floats, label: int) -> Places:
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

    folders = [_folder(key) for key in keys]
    if len(set(folders)) < 2:
        return None
    purity = contingency_matrix(folders, labels, sparse=True).max(axis=0).sum() / len(labels)
    return Agreement(
        len(set(folders)),
        float(metrics.normalized_mutual_info_score(folders, labels)),
        float(metrics.adjusted_rand_score(folders, labels)),
        float(purity),
    )
