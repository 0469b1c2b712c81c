"""Results of probes and comparisons, as sections of a page."""

from collections.abc import Sequence
from math import floor
from typing import TYPE_CHECKING, Any

from penult.analysis.charts import shares
from penult.extraction.row_files import files_of, same_images
from penult.store import open_table
from penult.viewer import figures
from penult.viewer.figures import cell, heat
from penult.viewer.sheet import Item, Section

if TYPE_CHECKING:
    from penult.analysis.comparison import Comparison, Measure
    from penult.analysis.probes import Probed, ProbeReport

HARDEST_IMAGES = 24  # images whose labels the probe finds the least likely
MAX_NUMBERED_CLASSES = 60  # classes up to which confusions are numbers
MEASURES: "dict[Measure, tuple[str, str]]" = {
    "cka": ("CKA", "Linear, debiased: 0 for features that have nothing in common."),
    "rsa": ("RSA", "Spearman's correlation of the dissimilarities below."),
    "knn": ("Mutual neighbours", "The share of an image's nearest others that both have."),
    "procrustes": ("Procrustes", "1 less half the distance after the best rotation."),
}


def of_comparison(comparison: "Comparison") -> list[Section]:
    """A section a measure, and the dissimilarities of the images.

    Example:
        >>> import penult
        >>> from penult.viewer.reports import of_comparison
        >>> from penult.viewer.sheet import write_sheet
        >>> comparison = penult.compare(["lite0.lance", "inception.lance"])  # doctest: +SKIP
        >>> write_sheet("alike.html", "Alike?", of_comparison(comparison))  # doctest: +SKIP
    """
    ends = ("0% alike", "unlike 100%")
    pictures = figures.matrices(comparison.names, [*map(shares, comparison.dissimilarities)], ends)
    text = (
        "The share of pairs that are as alike, by Pearson's correlation; "
        f"{comparison.sampled:,} images in the order of their keys."
    )
    measures = [_measure_section(comparison, measure) for measure in comparison.similarities]
    return [*measures, Section("Dissimilarity of each two images", (), text, pictures)]


def of_probe(report: "ProbeReport") -> list[Section]:
    """The accuracies, the confusions of the best, and the images that are the hardest."""
    start = floor(10 * min(result.accuracy.low for result in report.results)) / 10
    ticks = f'<span class="ticks"><span>{start:.0%}</span><span>100%</span></span>'
    heads = ["layer", "method", "accuracy", "95&nbsp;%", ticks, "balanced", "95&nbsp;%", "p"]
    rows = [_result_cells(result, start) for result in report.results]
    accuracies = figures.table([result.name for result in report.results], rows, heads)
    best = report.best
    return [
        Section("Accuracy by cross-validation", (), _sentences(report.notes[1:]), accuracies),
        Section(f"Confusions of {best.name}, {best.method}", (), *_confusions(report, best)),
        Section("Least likely labels", _hardest(report), f"By {report.linear.name}, linear."),
    ]


def _sentences(notes: Sequence[str]) -> str:
    return " ".join(f"{note[0].upper()}{note[1:]}." for note in notes)


def _measure_section(comparison: "Comparison", measure: "Measure") -> Section:
    values, p = comparison.similarities[measure], comparison.corrected[measure]
    rows = [
        [
            heat(f"{values[i, j]:.3f}", values[i, j], "" if i == j else f"p {p[i, j]:.2g}")
            for j in range(len(comparison.names))
        ]
        for i in range(len(comparison.names))
    ]
    title, text = MEASURES[measure]
    heads = ["", *figures.headings(comparison.names)]
    return Section(title, (), text, figures.table(comparison.names, rows, heads))


def _result_cells(result: "Probed", start: float) -> list[str]:
    accuracy, balanced = result.accuracy, result.balanced
    return [
        cell(result.method),
        cell(f"{accuracy.value:.1%}"),
        cell(f"{accuracy.low:.1%}–{accuracy.high:.1%}"),
        figures.interval(*accuracy, start),
        cell(f"{balanced.value:.1%}"),
        cell(f"{balanced.low:.1%}–{balanced.high:.1%}"),
        cell("best" if result.p is None else f"{result.p:.2g}"),
    ]


def _confusions(report: "ProbeReport", result: "Probed") -> tuple[str, str]:
    """What is shown, and the table or the picture."""
    parts = result.confusion / result.confusion.sum(axis=1, keepdims=True)
    text = "Rows are labels, columns predictions; colours are shares of the label's images."
    if len(report.classes) > MAX_NUMBERED_CLASSES:
        return text, figures.matrices([result.name], [parts], ("0%", "100%"))
    rows = []
    for place, facts in enumerate(report.by_class(result)):
        precision = facts["precision"]
        counts = zip(result.confusion[place], parts[place], strict=True)
        rows.append(
            [
                cell(f"{facts['images']:,}"),
                cell(f"{facts['recall']:.1%}"),
                cell("–" if precision is None else f"{precision:.1%}"),
                *(heat(f"{count}" if count else "", share) for count, share in counts),
            ]
        )
    heads = ["label", "images", "recall", "precision", *figures.headings(report.classes)]
    return text, figures.table(report.classes, rows, heads)


def _hardest(report: "ProbeReport") -> list[Item]:
    """The images whose labels are the least likely."""
    rows = [row for row, _ in zip(report.rows(), range(HARDEST_IMAGES), strict=False)]
    files = same_images(files_of(open_table(report.linear.table), [row["key"] for row in rows]))
    return [Item(row["key"], path, _caption(row)) for row, path in zip(rows, files, strict=True)]


def _caption(row: dict[str, Any]) -> str:
    label = f"label {row['label']} {row['label_probability']:.1%}"
    if row["predicted"] == row["label"]:
        return label
    return f"{label} · predicted {row['predicted']} {row['probability']:.1%}"
