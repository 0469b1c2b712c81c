"""`search`: the images nearest to others, exactly or by an index; `index` makes one."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from penult.analysis.queries import Queries, Reader, Sought, as_list
from penult.analysis.vectors import Block, Floats, blocks, preloading
from penult.analysis.words import Texts, as_texts
from penult.errors import UsageError
from penult.extraction.wordlists import Templates
from penult.store import Table, TableReader, TableWriter, open_table
from penult.util.checks import require_at_least, require_one_of
from penult.util.text import quoted

Metric = Literal["cosine", "l2", "dot"]

EXACT_BELOW = 100_000  # rows that are compared one by one, index or not
SAMPLE = 100  # rows by which an index is measured
RECALL_AT = 10  # recall@10


class Match(NamedTuple):
    """An image that is near.

    Attributes:
        key: Its name in the table.
        score: Its cosine or dot product with the query, or for l2 the distance.
    """

    key: str
    score: float


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What an index is worth, by a sample of the table's own rows.

    Attributes:
        rows: How many it finds.
        layer: The layer it is of.
        metric: What it measures nearness by.
        recall: The share of the 10 nearest rows that a search by it finds.
        seconds: What a search by it takes, the median.
        built: Seconds that making it took.
    """

    rows: int
    layer: str
    metric: str
    recall: float
    seconds: float
    built: float


def search(
    table: Table,
    queries: Queries = (),
    k: int = 10,
    *,
    exclude: Queries = (),
    text: Texts = (),
    not_text: Texts = (),
    template: Templates | None = None,
    where: str | None = None,
    metric: Metric = "cosine",
    layer: str | None = None,
    weights: str | Path | None = None,
) -> list[Match]:
    """Find the images of a table that are nearest to others, or to words.

    A query that is a key of the table needs no model, and isn't found itself. Any other is an
    image, which goes through the model that made the table; words go through its text tower.

    Args:
        table: A table, open or by its path.
        queries: One or several: a key of the table, an http(s) address, or whatever
            `Model.features` takes; or a vector. Several are averaged, for cosine after each was
            made of length 1.
        k: How many to find.
        exclude: As `queries`; their mean is subtracted.
        text: One or several texts, which count as queries: "a red bicycle".
        not_text: As `text`, subtracted with what is in `exclude`.
        template: What stands around each text, with `{}` for it, as "a photo of {}"; of several
            the vectors are averaged; `imagenet` stands for OpenAI's 80, `simple` for 7 of them.
        where: A condition in SQL that they must meet, such as `width > 1000`.
        metric: `cosine`, `dot` or `l2`.
        layer: The layer to compare, by default the table's first.
        weights: Where the weights of the model are, if not where they were.

    Returns:
        The nearest first. Compared are all rows, one by one, unless the table has an index for this
        metric and at least 100,000 rows; then it may miss some.

    Raises:
        UsageError: An option, a text, or the condition can't be used.
        NetworkError: There are texts, and the network that made the table has no text tower.
        ImageError, DownloadError: A query gives no pixels.
        StoreError: The table can't be read, or doesn't say what made it.
        CheckpointError: The weights aren't there or can't be read.

    Example:
        >>> import penult
        >>> penult.search("photos.lance", "castle_bavaria.jpg", k=3)  # doctest: +SKIP
    """
    require_at_least(1, "k", k)
    require_one_of(get_args(Metric), "metric", metric)
    features = open_table(table)
    layer = features.layer(layer)
    wanted = Sought(as_list(queries), as_texts(text))
    unwanted = Sought(as_list(exclude), as_texts(not_text))
    reader = Reader(features, layer, weights)
    named = {reader.key(query) for query in (*wanted.images, *unwanted.images)}
    indexed = is_indexed(features, layer, metric)
    with preloading(features, layer, wanted=not indexed and bool(wanted.texts)):
        vector = reader.combine(wanted, unwanted, metric, template)
    find = by_index if indexed else exactly
    matches = find(features, layer, vector, k + len(named), metric, where)
    return [match for match in matches if match.key not in named][:k]


def is_indexed(features: TableReader, layer: str | None, metric: Metric) -> bool:
    """Whether a search goes by an index."""
    return len(features) >= EXACT_BELOW and features.indexed(layer) == metric


def exactly(
    features: TableReader,
    layer: str,
    vector: Floats,
    k: int,
    metric: Metric,
    where: str | None = None,
) -> list[Match]:
    """Compare all rows, or all that meet a condition."""
    allowed = None if where is None else np.zeros(len(features), bool)
    if allowed is not None and where is not None:
        allowed[features.where(where)] = True
    best: list[tuple[float, int]] = []
    for block in blocks(features, layer):
        nearness = _NEARNESS[metric](block, vector)
        if allowed is not None:
            nearness[~allowed[block.start : block.start + len(nearness)]] = -np.inf
        places = _largest(nearness, k)
        best = heapq.nlargest(
            k, best + [(float(nearness[i]), -block.start - int(i)) for i in places]
        )
    sign = -1 if metric == "l2" else 1
    return [Match(features.keys[-place], sign * near) for near, place in best if near > -np.inf]


def by_index(
    features: TableReader,
    layer: str,
    vector: Floats,
    k: int,
    metric: Metric,
    where: str | None = None,
) -> list[Match]:
    """Look where an index says that the nearest rows are."""
    matches = features.nearest(layer, vector, k, where)
    return [Match(key, _SCORES[metric](distance)) for key, distance in matches]


def index(table: Table, *, layer: str | None = None, metric: Metric = "cosine") -> IndexReport:
    """Make an index, in the place of an older one, and measure it.

    Searches by it are approximate. It is kept with the table, in a commit as durable as those of
    `extract`; rows that are added later are found as well, only more slowly.

    Args:
        table: A table of at least 100,000 rows, open or by its path. An open one searches by the
            index when it is opened again.
        layer: The layer to index, by default the first.
        metric: What searches by it measure.

    Raises:
        UsageError: The table is so small that searches are exact without one.
        StoreError: The table can't be written.
    """
    require_one_of(get_args(Metric), "metric", metric)
    features = open_table(table)
    if len(features) < EXACT_BELOW:
        raise UsageError(
            f"{quoted(features.path)} has {len(features):,} rows: below {EXACT_BELOW:,} a search "
            "compares all of them and needs no index"
        )
    layer = features.layer(layer)
    start = perf_counter()
    with TableWriter.open(features.path) as writer:
        writer.index(layer, metric)
    built = perf_counter() - start
    features = open_table(features.path)
    recall, seconds = _measure(features, layer, metric)
    return IndexReport(len(features), layer, metric, recall, seconds, built)


def _measure(features: TableReader, layer: str, metric: Metric) -> tuple[float, float]:
    """Recall of the 10 nearest to each of a sample of rows, itself left out, and median seconds."""
    sample = np.sort(np.random.default_rng(0).choice(len(features), SAMPLE, replace=False))
    pieces = features.tables([], [layer], sample)
    vectors = np.concatenate([p.column(0).combine_chunks().flatten().to_numpy() for p in pieces])
    hits, seconds = 0, []
    queries = vectors.reshape(SAMPLE, -1)
    for place, vector, true in zip(
        sample, queries, _all_nearest(features, layer, queries, metric), strict=True
    ):
        start = perf_counter()
        found = [match.key for match in by_index(features, layer, vector, RECALL_AT + 1, metric)]
        seconds.append(perf_counter() - start)
        nearest = [features.keys[i] for i in true]
        hits += len(_others(found, features.keys[place]) & _others(nearest, features.keys[place]))
    return hits / (SAMPLE * RECALL_AT), float(np.median(seconds))


def _others(nearest: list[str], own: str) -> set[str]:
    """The 10 nearest but a row itself, which needn't be near: longer rows have larger products."""
    return set([key for key in nearest if key != own][:RECALL_AT])


def _all_nearest(
    features: TableReader, layer: str, queries: Floats, metric: Metric
) -> list[list[int]]:
    """Places of the rows nearest to each query, nearest first; one more than recall is of."""
    best: list[list[tuple[float, int]]] = [[] for _ in queries]
    for block in blocks(features, layer):
        for row, vector in enumerate(queries):
            nearness = _NEARNESS[metric](block, vector)
            new = [
                (float(nearness[i]), block.start + int(i))
                for i in _largest(nearness, RECALL_AT + 1)
            ]
            best[row] = heapq.nlargest(RECALL_AT + 1, best[row] + new)
    return [[place for _, place in rows] for rows in best]


def _largest(values: Floats, k: int) -> NDArray[np.intp]:
    """Places of the `k` largest, and of those that equal the last of them."""
    if k >= len(values):
        return np.arange(len(values))
    return np.flatnonzero(values >= np.partition(values, -k)[-k])


def _cosine(block: Block, vector: Floats) -> Floats:
    length = np.linalg.norm(vector) or np.float32(1)
    return np.asarray(block.vectors @ vector / (block.lengths * length), np.float32)


def _dot(block: Block, vector: Floats) -> Floats:
    return np.asarray(block.vectors @ vector)


def _minus_distance(block: Block, vector: Floats) -> Floats:
    return np.asarray(-np.linalg.norm(block.vectors - vector, axis=1))


_NEARNESS: dict[str, Callable[[Block, Floats], Floats]] = {
    "cosine": _cosine,
    "dot": _dot,
    "l2": _minus_distance,
}
_SCORES: dict[str, Callable[[float], float]] = {  # of Lance's distances
    "cosine": lambda distance: 1 - distance,
    "dot": lambda distance: 1 - distance,
    "l2": lambda distance: distance**0.5,
}
