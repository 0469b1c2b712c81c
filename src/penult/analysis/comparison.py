"""`compare`: how alike layers, networks and tables see the same images."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from penult.analysis import similarity
from penult.analysis.extra import one_thread
from penult.analysis.sides import Places, Side, Tables, align, several, sides
from penult.analysis.similarity import Matrix, Statistic
from penult.analysis.statistics import holm
from penult.errors import UsageError
from penult.store import Table
from penult.util.checks import require_at_least, require_one_of
from penult.util.notebook import shown
from penult.util.progress import Steps
from penult.util.result import Result, Row
from penult.util.text import plural, quoted

Measure = Literal["cka", "rsa", "knn", "procrustes"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
COLUMNS = ("metric", "first", "second", "similarity", "p", "p_corrected", "images")

LEAST = 5  # images: HSIC's estimate needs 4
SAMPLE = 2000
TESTED = 256  # images of a permutation test: 999 singular value decompositions take seconds
PERMUTATIONS = 999
BLOCK = 1024  # rows that are read at a time
SEED = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison(Result):
    """What `penult.compare` found.

    Attributes:
        names: What was compared.
        images: How many all of them have.
        left_out: Images that some of them lack.
        sampled: Images that RSA, neighbours and Procrustes are of, drawn at random.
        tested: Images of the permutation tests, drawn from those.
        permutations: How often each test put them in another order.
        similarities: By measure, symmetric, 1 on the diagonal: (names, names).
        p: By measure, of the features having nothing in common; on the diagonal NaN.
        keys: The sampled images, sorted.
        dissimilarities: Of each name, those of each two sampled images: (sampled, sampled).
    """

    names: tuple[str, ...]
    images: int
    left_out: int
    sampled: int
    tested: int
    permutations: int
    similarities: dict[Measure, Matrix]
    p: dict[Measure, Matrix]
    keys: tuple[str, ...]
    dissimilarities: tuple[NDArray[np.float32], ...]

    def _summary(self) -> str:
        found = (f"{name} {values[0, 1]:.3f}" for name, values in self.similarities.items())
        first = f"{self.names[0]} and {self.names[1]} {', '.join(found)}"
        return f"{len(self.names)} sides, {plural(self.images, 'image')}; {first}"

    def _rows(self) -> tuple[Sequence[str], Iterable[Row]]:
        return COLUMNS, (tuple(row.values()) for row in self.rows())

    @property
    def corrected(self) -> dict[Measure, Matrix]:
        """`p`, corrected by Holm's method for all pairs of a measure."""
        return {measure: _correct(values) for measure, values in self.p.items()}

    @property
    def notes(self) -> tuple[str, str]:
        """What to know of the similarities: what they are of, and what the tests found."""
        left_out = f", {self.left_out:,} in some only" if self.left_out else ""
        sampled = f"; all but cka of {self.sampled:,}" if self.sampled < self.images else ""
        pairs = comb(len(self.names), 2)
        corrected = f", corrected for {pairs} pairs (Holm)" if pairs > 1 else ""
        largest = max(row["p_corrected"] for row in self.rows())
        return (
            f"{self.images:,} images{left_out}{sampled}",
            f"p at most {largest:.2g}{corrected}: tests of {self.tested} images, "
            f"{self.permutations} permutations each",
        )

    def png(self, out: str | Path) -> Path:
        """Draw the dissimilarities of each two images, in bands by folder; returns the path.

        Raises:
            UsageError: The file doesn't end in `.png`.
            StoreError: It can't be written.
        """
        from penult.analysis.charts import dissimilarity_chart

        return dissimilarity_chart(self.names, self.dissimilarities, self.keys, out)

    def rows(self) -> list[dict[str, Any]]:
        """One row a measure and pair, by `COLUMNS`."""
        corrected = self.corrected
        return [
            {
                "metric": measure,
                "first": self.names[i],
                "second": self.names[j],
                "similarity": float(values[i, j]),
                "p": float(self.p[measure][i, j]),
                "p_corrected": float(corrected[measure][i, j]),
                "images": self.images if measure == "cka" else self.sampled,
            }
            for measure, values in self.similarities.items()
            for i, j in combinations(range(len(self.names)), 2)
        ]


def compare(
    tables: Tables,
    *others: Table,
    layer: str | Sequence[str] = (),
    metric: Measure | Sequence[Measure] = MEASURES,
    k: int = similarity.MAX_K,
    sample: int = SAMPLE,
    permutations: int = PERMUTATIONS,
    progress: Steps | None = None,
) -> Comparison:
    """Measure how alike layers, networks or tables see the images that all of them have.

    Args:
        tables: Several, or one with several layers; `TABLE:LAYER` is one layer of a table.
        others: More of them, so that `features.compare(other)` reads as it should.
        layer: The layers to compare, by default all of each table.
        metric: One or several of `cka`, `rsa`, `knn` and `procrustes`; see `similarity`.
        k: The neighbours of `knn`.
        sample: Of how many images all but `cka` are, which is of all.
        permutations: How often a test of each pair puts one side's images in another order.
        progress: Called with the steps done and their number, two steps a metric.

    Raises:
        UsageError: There's only one layer, too few images in common, or an unknown metric.
        StoreError: A table can't be read.

    Example:
        >>> import penult
        >>> penult.compare(["lite0.lance", "inception.lance"]).similarities  # doctest: +SKIP
    """
    measures, show = _measures(metric), shown(progress)
    sides_ = sides([*several(tables), *others], layer)
    if len(sides_) < 2:
        raise UsageError(f"only {quoted(sides_[0].name)}: name a second table, or a second layer")
    common = align(sides_)
    n = len(common.keys)
    _require(n, k, sample, permutations, measures)
    chosen, tested = _drawn(n, sample)
    places = [each[chosen] for each in common.places]
    vectors = [_find_varied(*each) for each in zip(sides_, places, strict=True)]
    whole = vectors if len(chosen) == n else None
    few = [rows[tested] for rows in vectors]
    similarities, p = {}, {}
    for step, measure in enumerate(measures):
        show(2 * step, 2 * len(measures))
        similarities[measure] = (
            _cka(sides_, common.places, whole)
            if measure == "cka"
            else _pairwise(vectors, _measure(measure, k))
        )
        show(2 * step + 1, 2 * len(measures))
        p[measure] = _test_pairs(few, _test(measure, k), permutations)
    return Comparison(
        names=tuple(side.name for side in sides_),
        images=n,
        left_out=len(set().union(*(side.features.keys for side in sides_))) - n,
        sampled=len(chosen),
        tested=len(tested),
        permutations=permutations,
        similarities=similarities,
        p=p,
        keys=tuple(common.keys[place] for place in chosen),
        dissimilarities=tuple(similarity.dissimilarity(x).astype(np.float32) for x in vectors),
    )


def _drawn(n: int, sample: int) -> tuple[Places, Places]:
    """Places of the images in the sample, and of those in the sample that are tested."""
    random = np.random.default_rng(SEED)
    chosen = np.sort(random.choice(n, min(n, sample), replace=False))
    return chosen, np.sort(random.choice(len(chosen), min(len(chosen), TESTED), replace=False))


def _measures(metric: Measure | Sequence[Measure]) -> list[Measure]:
    asked = [metric] if isinstance(metric, str) else list(metric)
    for name in asked:
        require_one_of(MEASURES, "metric", name)
    return [name for name in MEASURES if name in asked]


def _require(n: int, k: int, sample: int, permutations: int, measures: Sequence[Measure]) -> None:
    least = max(LEAST, k + 1 if "knn" in measures else 0)
    if k < 1 or permutations < 1:
        raise UsageError(f"k and permutations must be at least 1, not {k} and {permutations}")
    if n < least:
        raise UsageError(
            f"{n} images in common, at least {least} are needed: were the tables made of the same "
            "folder?"
        )
    require_at_least(least, "sample", sample)


def _find_varied(side: Side, places: Places) -> Matrix:
    vectors = side.vectors(places).astype(np.float64)
    if not vectors.std(axis=0).any():
        raise UsageError(f"{quoted(side.name)} has the same vector for all images")
    return vectors


def _pairwise(vectors: Sequence[Matrix], measure: Callable[[Matrix, Matrix], float]) -> Matrix:
    matrix = np.eye(len(vectors))
    with one_thread():
        for i, j in combinations(range(len(vectors)), 2):
            matrix[i, j] = matrix[j, i] = measure(vectors[i], vectors[j])
    return matrix


def _measure(measure: Measure, k: int) -> Callable[[Matrix, Matrix], float]:
    return {
        "rsa": similarity.rsa,
        "knn": lambda x, y: similarity.knn(x, y, k),
        "procrustes": similarity.procrustes,
    }[measure]


def _test(measure: Measure, k: int) -> Callable[[Matrix, Matrix], Statistic]:
    return {
        "cka": similarity.cka_of_order,
        "rsa": similarity.rsa_of_order,
        "knn": lambda x, y: similarity.knn_of_order(x, y, k),
        "procrustes": similarity.procrustes_of_order,
    }[measure]


def _test_pairs(
    vectors: Sequence[Matrix], test: Callable[[Matrix, Matrix], Statistic], permutations: int
) -> Matrix:
    def p(x: Matrix, y: Matrix) -> float:
        return similarity.permuted(test(x, y), len(x), permutations, SEED)

    matrix = _pairwise(vectors, p)
    np.fill_diagonal(matrix, np.nan)
    return matrix


def _correct(p: Matrix) -> Matrix:
    above = np.triu_indices(len(p), 1)
    matrix = np.full_like(p, np.nan)
    matrix[above] = holm(p[above].tolist())
    matrix.T[above] = matrix[above]
    return matrix


def _cka(
    chosen: Sequence[Side], places: Sequence[Places], vectors: Sequence[Matrix] | None
) -> Matrix:
    """CKA of all pairs; of rows that aren't in memory, block by block."""
    if vectors is not None:
        return _pairwise(vectors, similarity.cka)
    means = [_mean(side, rows) for side, rows in zip(chosen, places, strict=True)]
    squares = [
        np.concatenate([np.einsum("ij,ij->i", block, block) for block in _blocks(*each)])
        for each in zip(chosen, places, means, strict=True)
    ]

    def hsic(i: int, j: int) -> float:
        blocks = zip(
            _blocks(chosen[i], places[i], means[i]),
            _blocks(chosen[j], places[j], means[j]),
            strict=True,
        )
        cross = sum(first.T @ second for first, second in blocks)
        return similarity.hsic_of(float(np.sum(cross**2)), squares[i], squares[j])

    own = [hsic(i, i) for i in range(len(chosen))]
    matrix = np.eye(len(chosen))
    for i, j in combinations(range(len(chosen)), 2):
        matrix[i, j] = matrix[j, i] = hsic(i, j) / np.sqrt(own[i] * own[j])
    return matrix


def _mean(side: Side, places: Places) -> Matrix:
    total: Matrix = sum(block.sum(axis=0) for block in _blocks(side, places))
    return total / len(places)


def _blocks(side: Side, places: Places, mean: Matrix | float = 0.0) -> Iterator[Matrix]:
    for start in range(0, len(places), BLOCK):
        yield side.vectors(places[start : start + BLOCK]).astype(np.float64) - mean
