"""Charts of probes and comparisons, drawn with Pillow alone."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from penult.analysis.drawing import (
    COLOURS,
    FAINT,
    INK,
    LIGHT,
    PAPER,
    RULE,
    SCALE,
    TEXT,
    Sheet,
    coloured,
    font_of,
    require_png,
)
from penult.analysis.statistics import Estimate
from penult.util.text import printable

MARK = tuple(int(value) for value in COLOURS[3])
MARGIN = 24
LINE = 28
PLOT = 420  # width of a scale from 0 to 1
SQUARE = 460  # width of a matrix
NAME = 190  # widest name
NUMBERED = 15  # classes up to which a cell has its number
NAMED = 40  # classes up to which they have names
SIDE = 300  # width of a matrix of dissimilarities
FOLDER = 110  # widest name of a folder beside one
BAND = 6  # width of the band that tells folders apart
LEGEND = 240  # width of the bar of colours


class Result(Protocol):
    """What a chart shows of one result of a probe."""

    @property
    def name(self) -> str: ...  # noqa: D102 -- as of the results in `probes`, here and below
    @property
    def method(self) -> str: ...  # noqa: D102
    @property
    def accuracy(self) -> Estimate: ...  # noqa: D102
    @property
    def confusion(self) -> NDArray[np.int64]: ...  # noqa: D102


class Report(Protocol):
    """What a chart shows of a probe."""

    @property
    def classes(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def keys(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def folds(self) -> int: ...  # noqa: D102
    @property
    def results(self) -> "Sequence[Result]": ...  # noqa: D102
    @property
    def best(self) -> Result: ...  # noqa: D102
    @property
    def chance(self) -> float: ...  # noqa: D102


def shares(dissimilarity: NDArray[np.float32]) -> NDArray[np.float64]:
    """The share of all pairs that are at least as alike as each, 0 on the diagonal.

    It is their order that RSA compares, and by it matrices of any scale can be looked at side by
    side, as Kriegeskorte et al. 2008 do.
    """
    above = np.triu_indices(len(dissimilarity), 1)
    values = dissimilarity[above]
    matrix = np.zeros(dissimilarity.shape)
    matrix[above] = np.searchsorted(np.sort(values), values, side="right") / len(values)
    return matrix + matrix.T


def probe_chart(report: Report, out: str | Path) -> Path:
    """Draw the accuracies with their intervals, and the confusion matrix of the best.

    Raises:
        UsageError: The file doesn't end in `.png`.
        StoreError: It can't be written.
    """
    path = require_png(out)
    top = MARGIN + 2 * LINE + LINE * len(report.results) + 3 * LINE
    names = _heading(report.classes)
    sheet = Sheet(2 * MARGIN + NAME + PLOT + 150, top + LINE + names + SQUARE + 2 * LINE)
    best = report.best
    count = f"{len(report.keys):,} images, {len(report.classes)} classes, {report.folds} folds"
    sheet.text(MARGIN, MARGIN, "Accuracy by cross-validation", size=17)
    sheet.text(MARGIN, MARGIN + 22, f"{count}; bars are 95 % intervals", colour=FAINT)
    _intervals(sheet, report, MARGIN + 2 * LINE + 8)
    title = f"Confusion: {best.name}, {best.method}, {best.accuracy.value:.1%}"
    sheet.text(MARGIN, top, title, size=17, widest=NAME + PLOT + 100)
    note = "rows: label; columns: prediction; colour: share of the label's images"
    sheet.text(MARGIN, top + 22, note, colour=FAINT)
    _confusion(sheet, report, best, top + LINE + names)
    return sheet.save(path)


def dissimilarity_chart(
    names: Sequence[str],
    matrices: Sequence[NDArray[np.float32]],
    keys: Sequence[str],
    out: str | Path,
) -> Path:
    """Draw matrices of dissimilarity side by side, as shares of pairs, with bands by folder.

    Args:
        names: What each matrix is of.
        matrices: (images, images) each.
        keys: The images, in the order of the matrices' rows.
        out: The picture.

    Raises:
        UsageError: The file doesn't end in `.png`.
        StoreError: It can't be written.
    """
    path = require_png(out)
    bands = _bands(keys)
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    left = MARGIN + (_widest(bands) + BAND + 6 if bands else 0)
    step, high = SIDE + MARGIN + BAND, SIDE + MARGIN + LINE + BAND
    width = max(left + columns * step, 2 * MARGIN + PLOT)
    sheet = Sheet(round(width), 140 + lines * high)
    sheet.text(MARGIN, MARGIN, "Dissimilarity of each two images", size=17)
    note = f"share of pairs that are as alike; {len(keys):,} images in the order of their keys"
    sheet.text(MARGIN, MARGIN + 22, note, colour=FAINT)
    for place, (name, matrix) in enumerate(zip(names, matrices, strict=True)):
        x, y = left + place % columns * step, 80 + place // columns * high
        sheet.text(x, y, name, widest=SIDE)
        sheet.map(x, y + 14 + BAND, SIDE, shares(matrix))
        _draw_bands(sheet, x, y + 14 + BAND, bands, SIDE / len(keys), named=place % columns == 0)
    _legend(sheet, left, 80 + lines * high)
    return sheet.save(path)


class _Band(NamedTuple):
    """Images one after the other that are in one folder."""

    folder: str
    start: int
    images: int


def _bands(keys: Sequence[str]) -> list[_Band]:
    """The folders of keys in their order; none if all are in one."""
    bands, start = [], 0
    for folder, group in groupby(key.rpartition("/")[0] for key in keys):
        count = len(list(group))
        bands.append(_Band(folder, start, count))
        start += count
    return bands if len(bands) > 1 else []


def _named(bands: Sequence[_Band]) -> list[_Band]:
    """Those whose names have room beside them."""
    all_images = sum(band.images for band in bands)
    return [band for band in bands if band.folder and band.images * SIDE / all_images >= TEXT]


def _widest(bands: Sequence[_Band]) -> float:
    lengths = [font_of(11).getlength(printable(band.folder)) / SCALE for band in _named(bands)]
    return min(max(lengths, default=0), FOLDER)


def _draw_bands(
    sheet: Sheet, x: float, y: float, bands: Sequence[_Band], image: float, *, named: bool
) -> None:
    """Tell folders apart at the left of a matrix and above it."""
    for place, band in enumerate(bands):
        colour = (INK, FAINT)[place % 2]
        start, length = band.start * image, band.images * image
        sheet.bar(x - BAND, y + start, BAND - 1, length, colour)
        sheet.bar(x + start, y - BAND, length, BAND - 1, colour)
    for band in _named(bands) if named else ():
        middle = y + (band.start + band.images / 2) * image
        sheet.text(x - BAND - 6, middle, band.folder, anchor="rm", size=11, widest=FOLDER)


def _intervals(sheet: Sheet, report: Report, top: int) -> None:
    left = MARGIN + NAME + 12
    bottom = top + LINE * len(report.results)
    for tick in range(0, 101, 20):
        x = left + PLOT * tick / 100
        sheet.line(x, top, x, bottom, RULE)
        sheet.text(x, bottom + 12, f"{tick} %", anchor="mm", size=11, colour=FAINT)
    chance = left + PLOT * report.chance
    sheet.line(chance, top, chance, bottom, FAINT)
    sheet.text(chance, bottom + 28, "chance", anchor="mm", size=11, colour=FAINT)
    for line, result in enumerate(report.results):
        y = top + LINE * (line + 0.5)
        value, low, high = (left + PLOT * share for share in result.accuracy)
        name = f"{result.name}, {result.method}"
        sheet.text(left - 12, y, name, anchor="rm", widest=NAME)
        sheet.line(low, y, high, y, MARK)
        for end in (low, high):
            sheet.line(end, y - 4, end, y + 4, MARK)
        sheet.dot(value, y, 4, MARK)
        sheet.text(left + PLOT + 12, y, f"{result.accuracy.value:.1%}")


def _confusion(sheet: Sheet, report: Report, result: Result, top: int) -> None:
    left, count = MARGIN + NAME + 12, len(report.classes)
    cell = SQUARE / count
    shares = result.confusion / result.confusion.sum(axis=1, keepdims=True)
    sheet.map(left, top, SQUARE, shares)
    if count <= NAMED:
        size = min(TEXT, 0.85 * cell)
        for place, label in enumerate(report.classes):
            middle = (place + 0.5) * cell
            sheet.text(left - 8, top + middle, label, anchor="rm", widest=NAME, size=size)
            sheet.upright(left + middle, top - 8, label, NAME - 60, size)
    if count > NUMBERED:
        return
    for row, column in np.argwhere(result.confusion):
        colour = INK if shares[row, column] >= LIGHT else PAPER
        x, y = left + (column + 0.5) * cell, top + (row + 0.5) * cell
        sheet.text(
            x,
            y,
            str(result.confusion[row, column]),
            anchor="mm",
            size=min(TEXT, cell / 3),
            colour=colour,
        )


def _heading(classes: Sequence[str]) -> int:
    """What the columns' names take in height."""
    if len(classes) > NAMED:
        return 0
    widest = max(font_of(TEXT).getlength(printable(name)) for name in classes) / SCALE
    return min(round(widest), NAME - 60) + 16


def _legend(sheet: Sheet, x: float, y: float) -> None:
    """A bar of the colours of shares, with numbers."""
    for place in range(LEGEND):
        colour = tuple(int(value) for value in coloured(np.array(place / (LEGEND - 1))))
        sheet.line(x + place, y, x + place, y + 10, colour)
    for tick in range(0, 101, 25):
        end = x + LEGEND * tick / 100
        sheet.line(end, y + 10, end, y + 14, FAINT)
        sheet.text(end, y + 22, f"{tick} %", anchor="mm", size=11, colour=FAINT)
    sheet.text(x, y + 38, "alike", size=11, colour=FAINT)
    sheet.text(x + LEGEND, y + 38, "unlike", anchor="rm", size=11, colour=FAINT)
