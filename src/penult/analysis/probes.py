"""`probe`: how well labels can be told from frozen features, of which network and which layer."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.analysis.classifiers import Classes, Fit, Task, crossed, linear, neighbours
from penult.analysis.labels import Labels, labels_of
from penult.analysis.probe_file import Probe
from penult.analysis.sides import Places, Side, Tables, align, sides
from penult.analysis.statistics import Estimate, bootstrap, expected, holm, mcnemar, wilson
from penult.analysis.vectors import Floats
from penult.errors import UsageError
from penult.store import TableReader
from penult.util.notebook import shown
from penult.util.progress import Steps
from penult.util.result import Result, Row
from penult.util.text import plural, quoted

Method = Literal["linear", "knn"]

COLUMNS = ("key", "label", "predicted", "probability", "label_probability")
CLASSES_NAMED = 3


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Probed(Result):
    """How well one classifier does on one layer, each image predicted without its own fold.

    Attributes:
        name: What tells the layer from the others.
        table: Where the table is.
        layer: The layer's full name.
        method: `linear`, a logistic regression, or `knn`, the nearest neighbours by cosine.
        accuracy: The share of images that are right, with Wilson's interval, which doesn't know
            how training sets vary (Bengio & Grandvalet 2004, JMLR 5).
        balanced: The mean of the classes' shares, with an interval by the bootstrap over images
            within classes.
        p: That a difference from the best as large as this comes by chance: McNemar's exact test
            on the same images, corrected by Holm's method for all pairs of results, since which
            one is the best is known from these images only; None for the best itself.
        probabilities: Of each class for each image: (images, classes).
        confusion: Images by their label (rows) and prediction (columns).
    """

    name: str
    table: Path
    layer: str
    method: Method
    accuracy: Estimate
    balanced: Estimate
    p: float | None
    probabilities: Floats
    confusion: NDArray[np.int64]

    def _summary(self) -> str:
        return f"{self.name} {self.method}, {self.accuracy.value:.1%} right"

    @property
    def predicted(self) -> Classes:
        """The likeliest class of each image."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ProbeReport(Result):
    """What `penult.probe` found.

    Attributes:
        classes: The labels, sorted.
        keys: The images, sorted: those that have a label, and a row in every table.
        truth: The place of each image's label in `classes`.
        left_out: Images of the tables that were not used.
        folds: In how many parts the images were predicted.
        groups: How many groups they are that no fold divides; of each one, if none were named.
        results: The most accurate first.
        expected: The accuracy that the best may be expected to have of new images, see `expected`;
            its own is too high, because it was chosen by that.
    """

    classes: tuple[str, ...]
    keys: tuple[str, ...]
    truth: Classes
    left_out: int
    folds: int
    groups: int
    results: tuple[Probed, ...]
    expected: Estimate

    def _summary(self) -> str:
        best = self.best
        what = f"{plural(len(self.keys), 'image')} of {len(self.classes)} classes"
        return f"{what}, best {best.name} {best.method}, {best.accuracy.value:.1%} right"

    def _rows(self) -> tuple[Sequence[str], Iterable[Row]]:
        rows = (
            (each.name, each.method, *each.accuracy, each.balanced.value) for each in self.results
        )
        return ("layer", "method", "accuracy", "low", "high", "balanced"), rows

    @property
    def best(self) -> Probed:
        """The most accurate result."""
        return self.results[0]

    @property
    def linear(self) -> Probed:
        """The most accurate linear probe, whose probabilities are finer than shares of votes."""
        return next(result for result in self.results if result.method == "linear")

    @property
    def chance(self) -> float:
        """The accuracy of naming the most frequent class always; balanced, it is 1 / classes."""
        return float(np.bincount(self.truth).max() / len(self.truth))

    @property
    def notes(self) -> tuple[str, str, str]:
        """What to know of the results: what they are of, by which tests, and what to expect."""
        left_out = f", {self.left_out:,} left out" if self.left_out else ""
        groups = f" of {self.groups:,} groups" if self.groups < len(self.keys) else ""
        value, low, high = self.expected
        return (
            f"{len(self.keys):,} images{left_out}; {len(self.classes)} classes; {self.folds} "
            f"folds{groups}; chance {self.chance:.1%}, balanced {1 / len(self.classes):.1%}",
            "intervals: Wilson, bootstrap within classes; p: McNemar's test against the best, "
            "corrected for all pairs (Holm)",
            f"of new images expect {value:.1%} ({low:.1%}–{high:.1%}): the best was chosen of "
            f"{len(self.results)} by its accuracy, which flatters it (BBC-CV)",
        )

    def png(self, out: str | Path) -> Path:
        """Draw the accuracies and the confusions of the best; returns the path.

        Raises:
            UsageError: The file doesn't end in `.png`.
            StoreError: It can't be written.
        """
        from penult.analysis.charts import probe_chart

        return probe_chart(self, out)

    def by_class(self, result: Probed) -> list[dict[str, Any]]:
        """Each class's images, recall and precision; a class never predicted has no precision."""
        right, given = result.confusion.diagonal(), result.confusion.sum(axis=0)
        there = result.confusion.sum(axis=1)
        return [
            {
                "label": label,
                "images": int(there[i]),
                "recall": float(right[i] / there[i]),
                "precision": float(right[i] / given[i]) if given[i] else None,
            }
            for i, label in enumerate(self.classes)
        ]

    def rows(self) -> Iterator[dict[str, Any]]:
        """The best linear probe's prediction of each image, the unlikeliest label first."""
        probabilities, predicted = self.linear.probabilities, self.linear.predicted
        of_label = probabilities[np.arange(len(self.truth)), self.truth]
        for i in np.argsort(of_label, kind="stable"):
            yield {
                "key": self.keys[i],
                "label": self.classes[self.truth[i]],
                "predicted": self.classes[predicted[i]],
                "probability": round(float(probabilities[i, predicted[i]]), 6),
                "label_probability": round(float(of_label[i]), 6),
            }


class _Labelled(NamedTuple):
    """The images that have a label, and a row in every table."""

    keys: tuple[str, ...]
    places: list[Places]  # one array a side
    task: Task
    classes: tuple[str, ...]
    left_out: int


def probe(
    tables: Tables,
    labels: Labels = "parent",
    *,
    layer: str | Sequence[str] = (),
    groups: str | None = None,
    folds: int = 5,
    k: int = 5,
    save: str | Path | None = None,
    progress: Steps | None = None,
) -> ProbeReport:
    """Measure how well labels can be told from features, by stratified cross-validation.

    Two classifiers are tried on each layer: a logistic regression, scaled and regularised by what
    is in the training folds alone, and a vote of the nearest neighbours. Several tables or layers
    are compared on the images that all of them have, in the same folds.

    Args:
        tables: One or several, open or by their paths; `TABLE:LAYER` is one layer of a table.
        labels: `parent`, which is the name of the folder that an image lies in; a CSV file with
            the columns `key` and `label`; or a mapping. Images without a label are left out.
        layer: The layers to try, by default all of each table.
        groups: A column of the first table, such as `duplicate_of`: images with the same value in
            it are in the same fold, so that none is predicted by its own like.
        folds: In how many parts images are predicted, each by what was fitted to the others.
        k: How many neighbours vote.
        save: A `.safetensors` file to write the best linear probe to, fitted to all images;
            `penult.open_probe` reads it.
        progress: Called with the steps done and their number, two steps a layer.

    Raises:
        UsageError: The labels don't fit the tables, a class has fewer images than folds, or there
            is no such column.
        StoreError: A table can't be read.
        MissingExtraError: scikit-learn isn't installed.

    Example:
        >>> import penult
        >>> penult.probe("photos.lance", "labels.csv").best.accuracy  # doctest: +SKIP
    """
    if folds < 2 or k < 1:
        raise UsageError(f"folds must be at least 2 and k at least 1, not {folds} and {k}")
    sides_ = sides(tables, layer)
    images = _select_labelled(sides_, labels, groups, folds)
    methods: dict[Method, Fit] = {"linear": linear, "knn": neighbours(k)}
    show = shown(progress)
    results: list[Probed] = []
    for side, places in zip(sides_, images.places, strict=True):
        vectors = side.vectors(places)
        for method, fit in methods.items():
            show(len(results), len(sides_) * len(methods))
            probabilities = crossed(vectors, images.task, folds, fit)
            results.append(_measure(side, method, probabilities, images.task.truth))
    results.sort(key=lambda result: -result.accuracy.value)
    right = np.array([result.predicted == images.task.truth for result in results])
    report = ProbeReport(
        images.classes,
        images.keys,
        images.task.truth,
        images.left_out,
        folds,
        len(images.task.leaders),
        tuple(_test(results, right)),
        expected(right),
    )
    if save:
        _save(sides_, report.linear, images, Path(save))
    return report


def _select_labelled(
    chosen: Sequence[Side], labels: Labels, groups: str | None, folds: int
) -> _Labelled:
    known = set().union(*(side.features.keys for side in chosen))
    failed = set().union(*(side.features.failures for side in chosen))
    label_of = labels_of(labels, known | failed)
    common = align(chosen)
    kept = np.array([i for i, key in enumerate(common.keys) if key in label_of], np.int64)
    keys = tuple(common.keys[i] for i in kept)
    classes = tuple(sorted({label_of[key] for key in keys}))
    place = {label: i for i, label in enumerate(classes)}
    truth = np.array([place[label_of[key]] for key in keys], np.int64)
    places = [each[kept] for each in common.places]
    task = Task(truth, len(classes), _numbered(chosen[0].features, groups, places[0]))
    counts = Counter(dict(zip(classes, task.counts.tolist(), strict=True)))
    _require_classes(chosen[0].path, counts, folds, "groups" if groups else "images")
    return _Labelled(keys, places, task, classes, len(known) - len(keys))


def _numbered(features: TableReader, column: str | None, places: Places) -> Classes:
    """A number for each row's group: that of its value; a row without one is a group itself."""
    alone = np.arange(len(places))
    if column is None:
        return alone
    if column not in features.columns:
        there = ", ".join(features.columns) or "none, `penult duplicates --store` adds some"
        raise UsageError(f"{quoted(features.path)} has no column {quoted(column)}: it has {there}")
    values = features.facts([column])[column].take(places).combine_chunks().dictionary_encode()
    numbers = values.indices.cast("int64").fill_null(-1).to_numpy(zero_copy_only=False)
    return np.where(numbers < 0, len(values.dictionary) + alone, numbers)


def _require_classes(path: Path, counts: Counter[str], folds: int, what: str) -> None:
    if len(counts) < 2:
        only = f", all {quoted(*counts)}" if counts else ""
        raise UsageError(
            f"{quoted(path)}: {counts.total()} {what} with a label{only}: a probe needs at least "
            "two classes, see --labels"
        )
    few = sorted(label for label, count in counts.items() if count < folds)
    if few:
        named = ", ".join(f"{quoted(label)} {counts[label]}" for label in few[:CLASSES_NAMED])
        more = f" and {len(few) - CLASSES_NAMED} more" if len(few) > CLASSES_NAMED else ""
        raise UsageError(
            f"classes with fewer {what} than the {folds} folds: {named}{more}: "
            "add images, leave these out, or take fewer folds (--folds)"
        )


def _measure(side: Side, method: Method, probabilities: Floats, truth: Classes) -> Probed:
    classes = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    confusion = np.bincount(truth * classes + predicted, minlength=classes**2)
    confusion = confusion.reshape(classes, classes)
    right = confusion.diagonal()
    return Probed(
        side.name,
        side.path,
        side.layer,
        method,
        wilson(int(right.sum()), len(truth)),
        bootstrap(right, confusion.sum(axis=1)),
        None,
        probabilities,
        confusion,
    )


def _test(results: Sequence[Probed], right: NDArray[np.bool]) -> Iterator[Probed]:
    """The results with their p; the pairs with the best, which is the first, come first."""
    p = holm([mcnemar(one, other) for one, other in combinations(right, 2)])
    yield results[0]
    for result, adjusted in zip(results[1:], p, strict=False):
        yield replace(result, p=adjusted)


def _save(chosen: Sequence[Side], best: Probed, images: _Labelled, out: Path) -> None:
    sides_ = zip(chosen, images.places, strict=True)
    side, places = next(each for each in sides_ if each[0].name == best.name)
    fitted = linear(side.vectors(places), images.task)
    Probe(
        path=out,
        classes=images.classes,
        layer=side.layer,
        shape=side.features.layers[side.layer],
        provenance=side.features.provenance,
        linear=fitted,
        images=len(images.keys),
        accuracy=best.accuracy.value,
    ).save(out)
