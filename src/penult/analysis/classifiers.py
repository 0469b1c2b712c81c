"""Classifiers on frozen features: a linear probe, and the nearest neighbours.

Each is fitted on some rows and gives probabilities of others; nothing about the others is known to
it before. `crossed` makes predictions for all rows, each by a classifier that hasn't seen it.
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from penult.analysis.extra import one_thread
from penult.analysis.vectors import Floats
from penult.errors import MissingExtraError

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

Classes: TypeAlias = NDArray[np.int64]

STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)  # C of vectors about 1 long, from strict to lenient
DEFAULT_STRENGTH = 1.0
INNER_FOLDS = 3
ITERATIONS = 300  # of L-BFGS; what hasn't converged by then is as good a probe
BLOCK = 1024  # rows whose nearest neighbours are looked for at a time
SEED = 0


class Classifier(Protocol):
    """What was fitted."""

    def probabilities(self, vectors: Floats) -> Floats:
        """Of each class for each row: (rows, classes)."""


class Task(NamedTuple):
    """What is to be told of rows.

    Attributes:
        truth: The class of each row.
        classes: How many there are, each with rows.
        groups: Rows of the same number are never predicted by each other.
    """

    truth: Classes
    classes: int
    groups: Classes

    @property
    def leaders(self) -> Classes:
        """The first row of each group."""
        return np.unique(self.groups, return_index=True)[1]

    @property
    def counts(self) -> Classes:
        """How many groups have their first row in each class."""
        return np.bincount(self.truth[self.leaders], minlength=self.classes)

    def select(self, rows: Classes) -> "Task":
        """The same of some rows, which have all classes."""
        return Task(self.truth[rows], self.classes, self.groups[rows])


Fit: TypeAlias = Callable[[Floats, Task], Classifier]


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Logits that are linear in the features, which need no scaling beforehand.

    Attributes:
        weight: (classes, values).
        bias: (classes,).
        strength: C, the inverse of the regularisation.
    """

    weight: Floats
    bias: Floats
    strength: float = DEFAULT_STRENGTH

    def logits(self, vectors: Floats) -> Floats:
        """Of each class for each row: (rows, classes)."""
        return np.asarray(vectors @ self.weight.T + self.bias, np.float32)

    def probabilities(self, vectors: Floats) -> Floats:
        """Softmax of the logits: (rows, classes)."""
        logits = self.logits(vectors)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The nearest rows by cosine vote, each with the weight 1 + cosine."""

    unit: Floats
    truth: Classes
    classes: int
    k: int

    def probabilities(self, vectors: Floats) -> Floats:
        """Each class's share of the votes: (rows, classes)."""
        votes = np.zeros((len(vectors), self.classes), np.float32)
        k = min(self.k, len(self.unit))
        for start in range(0, len(vectors), BLOCK):
            cosines = _unit(vectors[start : start + BLOCK]) @ self.unit.T
            nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
            weights = 1 + np.take_along_axis(cosines, nearest, axis=1)
            rows = start + np.arange(len(cosines))[:, None]
            np.add.at(votes, (rows, self.truth[nearest]), weights)
        total = np.maximum(votes.sum(axis=1, keepdims=True), 1e-9)  # all may be opposite
        return np.asarray(votes / total, np.float32)


def neighbours(k: int) -> Fit:
    """The fit that remembers all rows, of which `k` vote."""
    return lambda vectors, task: Neighbours(_unit(vectors), task.truth, task.classes, k)


def linear(vectors: Floats, task: Task) -> Linear:
    """Fit a logistic regression whose strength is chosen by cross-validation within these rows."""
    return _path(vectors, task, (_strength(vectors, task),))[0]


def crossed(vectors: Floats, task: Task, folds: int, fit: Fit) -> Floats:
    """Probabilities for all rows, each row's by a classifier fitted without its fold."""
    found = np.empty((len(vectors), task.classes), np.float32)
    for train, test in split(task, folds):
        found[test] = fit(vectors[train], task.select(train)).probabilities(vectors[test])
    return found


def split(task: Task, folds: int) -> Iterator[tuple[Classes, Classes]]:
    """Rows to fit and rows to predict: groups whole, with as much of each class in every fold."""
    try:
        from sklearn.model_selection import StratifiedKFold
    except ImportError:
        raise MissingExtraError("probe", "analysis") from None
    leaders, parts = task.leaders, StratifiedKFold(folds, shuffle=True, random_state=SEED)
    for _, test in parts.split(leaders, task.truth[leaders]):
        tested = np.isin(task.groups, task.groups[leaders[test]])
        yield np.flatnonzero(~tested), np.flatnonzero(tested)


def _strength(vectors: Floats, task: Task) -> float:
    """The strength with the least log loss in folds of these rows."""
    folds = min(INNER_FOLDS, int(task.counts.min()))
    if folds < 2:  # a class of one image can't be both fitted and predicted
        return DEFAULT_STRENGTH
    losses = np.zeros(len(STRENGTHS))
    for train, test in split(task, folds):
        for place, each in enumerate(_path(vectors[train], task.select(train), STRENGTHS)):
            likelihood = each.probabilities(vectors[test])[np.arange(len(test)), task.truth[test]]
            losses[place] -= np.log(np.maximum(likelihood, 1e-30)).sum()
    return STRENGTHS[int(losses.argmin())]


def _path(vectors: Floats, task: Task, strengths: tuple[float, ...]) -> list[Linear]:
    """One fit a strength, each starting from the one before."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    mean, deviation = vectors.mean(axis=0), vectors.std(axis=0)
    scale = np.where(deviation, deviation, 1) * np.float32(vectors.shape[1] ** 0.5)
    scaled = (vectors - mean) / scale
    model = LogisticRegression(max_iter=ITERATIONS, warm_start=True)
    fits = []
    for strength in strengths:
        with warnings.catch_warnings(), one_thread():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.set_params(C=strength).fit(scaled, task.truth)
        fits.append(_unscale(model, mean, scale, strength, task.classes))
    return fits


def _unscale(
    model: "LogisticRegression", mean: Floats, scale: Floats, strength: float, classes: int
) -> Linear:
    """The same function of vectors as they are; of two classes the first one's logit is 0."""
    weight = model.coef_.astype(np.float64) / scale
    bias = model.intercept_ - weight @ mean.astype(np.float64)
    if classes == 2:
        weight, bias = np.vstack([np.zeros_like(weight), weight]), np.append(0.0, bias)
    return Linear(weight.astype(np.float32), bias.astype(np.float32), strength)


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths, lengths, np.float32(1)), np.float32)
