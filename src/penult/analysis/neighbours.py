"""`search`: the images nearest to others, exactly or by an index; `index` makes one."""

import heapq
from bisect import bisect_left
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
from penult.util.keys import Keys
from penult.util.notebook import shown
from penult.util.progress import Stages, Steps
from penult.util.text import quoted

Metric = Literal["cosine", "l2", "dot"]

EXACT_BELOW = 100_000  # rows that are compared one by one, index or not
AMONG = 4  # times as many rows as would do, if those to search among were as near as any
MOST_AMONG = 10_000  # rows that an index is asked for to find some among them
SAMPLE = 100  # rows by which an index is measured
RECALL_AT = 10  # recall@10
STAGES = 3  # of making an index: build it, find what is near without it, and by it


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


def search(  # noqa: PLR0913 -- each is an option of the command
    table: Table,
    queries: Queries = (),
    k: int = 10,
    *,
    exclude: Queries = (),
    text: Texts = (),
    not_text: Texts = (),
    template: Templates | None = None,
    where: str | None = None,
    keys: Keys | None = None,
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
        keys: Those to search among; or a file with one a line, `-` for standard input.
        metric: `cosine`, `dot` or `l2`.
        layer: The layer to compare, by default the table's first.
        weights: Where the weights of the model are, if not where they were.

    Returns:
        The nearest first. Compared are all rows, or all of those to search among, one by one; of
        100,000 and more an index for this metric, if the table has one, may miss some.

    Raises:
        UsageError: An option, a text, the condition or a key can't be used.
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
    wanted = Sought(as_list(queries), as_texts("text", text))
    unwanted = Sought(as_list(exclude), as_texts("not_text", not_text))
    reader = Reader(features, layer, weights)
    named = {reader.key(query) for query in (*wanted.images, *unwanted.images)}
    places = features.chosen(where, keys)
    whole = places is None and not is_indexed(features, layer, metric)
    with preloading(features, layer, wanted=whole and bool(wanted.texts)):
        vector = reader.combine(wanted, unwanted, metric, template)
    matches = nearest(features, layer, vector, k + len(named), metric, places)
    return [match for match in matches if match.key not in named][:k]


def nearest(
    features: TableReader,
    layer: str,
    vector: Floats,
    k: int,
    metric: Metric = "cosine",
    places: NDArray[np.int64] | None = None,
) -> list[Match]:
    """The rows nearest to a vector, of all or of those at some places, which are sorted."""
    few = places is not None and len(places) < EXACT_BELOW
    if is_indexed(features, layer, metric) and not few:
        found = _by_index_among(features, layer, vector, k, metric, places)
        if found is not None:
            return found
    return exactly(features, layer, vector, k, metric, places)


def _by_index_among(
    features: TableReader,
    layer: str,
    vector: Floats,
    k: int,
    metric: Metric,
    places: NDArray[np.int64] | None,
) -> list[Match] | None:
    """Those of some places among what an index finds; None if they aren't enough."""
    if places is None:
        return by_index(features, layer, vector, k, metric)
    more = min(MOST_AMONG, AMONG * k * len(features) // max(1, len(places)))
    allowed = np.zeros(len(features), bool)
    allowed[places] = True
    matches = by_index(features, layer, vector, more, metric)
    there = [match for match in matches if allowed[bisect_left(features.keys, match.key)]]
    return there[:k] if len(there) >= min(k, len(places)) else None


def is_indexed(features: TableReader, layer: str | None, metric: Metric) -> bool:
    """Whether a search goes by an index."""
    return len(features) >= EXACT_BELOW and features.indexed(layer) == metric


def exactly(
    features: TableReader,
    layer: str,
    vector: Floats,
    k: int,
    metric: Metric,
    places: NDArray[np.int64] | None = None,
) -> list[Match]:
    """Compare all rows, or all of those at some places."""
    best: list[tuple[float, int]] = []
    for block in blocks(features, layer, places):
        nearness = _NEARNESS[metric](block, vector)
        best = heapq.nlargest(
            k, best + [(float(nearness[i]), -block.start - int(i)) for i in _largest(nearness, k)]
        )
    sign = -1 if metric == "l2" else 1
    rows = [(near, -place if places is None else places[-place]) for near, place in best]
    return [Match(features.keys[row], sign * near) for near, row in rows]


def by_index(
    features: TableReader, layer: str, vector: Floats, k: int, metric: Metric
) -> list[Match]:
    """Look where an index says that the nearest rows are."""
    matches = features.nearest(layer, vector, k)
    return [Match(key, _SCORES[metric](distance)) for key, distance in matches]


def index(
    table: Table,
    *,
    layer: str | None = None,
    metric: Metric = "cosine",
    progress: Steps | None = None,
) -> IndexReport:
    """Make an index, in the place of an older one, and measure it.

    Searches by it are approximate. It is kept with the table, in a commit as durable as those of
    `extract`; rows that are added later are found as well, only more slowly.

    Args:
        table: A table of at least 100,000 rows, open or by its path. An open one searches by the
            index when it is opened again.
        layer: The layer to index, by default the first.
        metric: What searches by it measure.
        progress: Called with the steps done and their number.

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
    stages = Stages(shown(progress), STAGES)
    start = perf_counter()
    with TableWriter.open(features.path) as writer:
        writer.index(layer, metric)
    built = perf_counter() - start
    stages.advance()
    features = open_table(features.path)
    recall, seconds = _measure(features, layer, metric, stages)
    return IndexReport(len(features), layer, metric, recall, seconds, built)


def _measure(
    features: TableReader, layer: str, metric: Metric, stages: Stages
) -> tuple[float, float]:
    """Recall of the 10 nearest to each of a sample of rows, itself left out, and median seconds."""
    sample = np.sort(np.random.default_rng(0).choice(len(features), SAMPLE, replace=False))
    pieces = features.tables([], [layer], sample)
    vectors = np.concatenate([p.column(0).combine_chunks().flatten().to_numpy() for p in pieces])
    hits, seconds = 0, []
    queries = vectors.reshape(SAMPLE, -1)
    nearest_of_all = _all_nearest(features, layer, queries, metric)
    stages.advance()
    for place, vector, true in zip(sample, queries, nearest_of_all, strict=True):
        start = perf_counter()
        found = [match.key for match in by_index(features, layer, vector, RECALL_AT + 1, metric)]
        seconds.append(perf_counter() - start)
        nearest = [features.keys[i] for i in true]
        hits += len(_others(found, features.keys[place]) & _others(nearest, features.keys[place]))
    stages.finish()
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
