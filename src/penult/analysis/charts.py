"""Charts of probes and comparisons, drawn with Pillow alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from penult.analysis.comparison import Comparison
from penult.analysis.probes import Probed, ProbeReport
from penult.errors import UsageError
from penult.store.messages import wrap_errors
from penult.util.files import replacing
from penult.util.text import printable, quoted

# from dark to light in even steps of OKLab's lightness, 0.25 to 0.95, the hue going from violet to
# yellow; so it reads as well in grey
COLOURS = np.array(
    [
        *([[33, 14, 66], [50, 36, 113], [52, 68, 148], [34, 105, 160], [0, 141, 157]]),
        *([[0, 174, 143], [90, 202, 119], [171, 222, 99], [250, 236, 124]]),
    ],
    np.float64,
)
LIGHT = 0.5  # value whose colour is so light that dark text stands out better
PAPER, INK, FAINT, RULE = (255, 255, 255), (30, 30, 36), (118, 118, 128), (225, 225, 230)
MARK = tuple(int(value) for value in COLOURS[3])
SCALE = 2  # pixels to a unit below, for sharp screens
MARGIN = 24
TEXT = 13
LINE = 28
PLOT = 420  # width of a scale from 0 to 1
SQUARE = 460  # width of a matrix
NAME = 190  # widest name
NUMBERED = 15  # classes up to which a cell has its number
NAMED = 40  # classes up to which they have names


class _Sheet:
    """A white page, measured in units of `SCALE` pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width * SCALE, height * SCALE), PAPER)
        self._draw = ImageDraw.Draw(self.image)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        anchor: str = "lm",
        size: float = TEXT,
        colour: tuple[int, ...] = INK,
        widest: float = 10_000,
    ) -> None:
        """Write a line; of one that is too wide the end is left out."""
        text = _shorten(text, size, widest)
        self._draw.text((x * SCALE, y * SCALE), text, colour, _font(size), anchor)

    def line(self, x0: float, y0: float, x1: float, y1: float, colour: tuple[int, ...]) -> None:
        """Draw a line one unit wide."""
        ends = (x0 * SCALE, y0 * SCALE, x1 * SCALE, y1 * SCALE)
        self._draw.line(ends, colour, SCALE)

    def dot(self, x: float, y: float, radius: float, colour: tuple[int, ...]) -> None:
        """Draw a filled circle."""
        self._draw.circle((x * SCALE, y * SCALE), radius * SCALE, colour)

    def map(self, x: float, y: float, width: int, values: NDArray[np.floating]) -> None:
        """Paint a square of values from 0 to 1: enlarged in blocks, made smaller by averaging."""
        image = Image.fromarray(coloured(values))
        pixels = width * SCALE
        how = Image.Resampling.NEAREST if len(values) <= pixels else Image.Resampling.BOX
        self.image.paste(image.resize((pixels, pixels), how), (round(x * SCALE), round(y * SCALE)))

    def upright(self, x: float, y: float, text: str, widest: float, size: float) -> None:
        """Write a line upwards that ends above a point."""
        text, font = _shorten(text, size, widest), _font(size)
        wide, high = round(font.getlength(text)) + SCALE, round(size * 2 * SCALE)
        mask = Image.new("L", (wide, high))
        ImageDraw.Draw(mask).text((0, high / 2), text, 255, font, "lm")
        place = (round(x * SCALE - high / 2), round(y * SCALE - wide))
        self.image.paste(INK, place, mask.rotate(90, expand=True))

    def save(self, out: Path) -> Path:
        """Write the page as PNG."""
        with wrap_errors(f"can't write {quoted(out)}"), replacing(out) as temporary:
            self.image.save(temporary, "PNG", optimize=True)
        return out


def coloured(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colours of values from 0 to 1: (…, 3)."""
    place = np.clip(values, 0, 1) * (len(COLOURS) - 1)
    low = np.minimum(place.astype(int), len(COLOURS) - 2)
    part = (place - low)[..., None]
    mixed = COLOURS[low] * (1 - part) + COLOURS[low + 1] * part
    return np.asarray(np.rint(mixed), np.uint8)


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


def probe_chart(report: ProbeReport, out: str | Path) -> Path:
    """Draw the accuracies with their intervals, and the confusion matrix of the best.

    Raises:
        UsageError: The file doesn't end in `.png`.
        StoreError: It can't be written.
    """
    path = require_png(out)
    top = MARGIN + 2 * LINE + LINE * len(report.results) + 3 * LINE
    names = _heading(report.classes)
    sheet = _Sheet(2 * MARGIN + NAME + PLOT + 150, top + LINE + names + SQUARE + 2 * LINE)
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


def dissimilarity_chart(comparison: Comparison, out: str | Path) -> Path:
    """Draw the dissimilarity matrices of all that was compared, as shares of pairs.

    Raises:
        UsageError: The file doesn't end in `.png`.
        StoreError: It can't be written.
    """
    path = require_png(out)
    columns = min(3, len(comparison.names))
    lines = -(-len(comparison.names) // columns)
    side, step = 300, 324
    sheet = _Sheet(2 * MARGIN + columns * step - MARGIN, 130 + lines * (step + LINE))
    sheet.text(MARGIN, MARGIN, "Dissimilarity of each two images", size=17)
    images = f"{comparison.sampled:,} images in the order of their keys"
    note = f"share of pairs that are as alike; {images}"
    sheet.text(MARGIN, MARGIN + 22, note, colour=FAINT)
    for place, (name, matrix) in enumerate(
        zip(comparison.names, comparison.dissimilarities, strict=True)
    ):
        x = MARGIN + place % columns * step
        y = 80 + place // columns * (step + LINE)
        sheet.text(x, y, name, widest=side)
        sheet.map(x, y + 14, side, shares(matrix))
    _legend(sheet, 80 + lines * (step + LINE))
    return sheet.save(path)


def require_png(out: str | Path) -> Path:
    """The path of a picture to write.

    Raises:
        UsageError: It doesn't end in `.png`.
    """
    path = Path(out)
    if path.suffix.lower() != ".png":
        raise UsageError(f"{quoted(path)}: expected a picture to end in .png")
    return path


def _font(size: float) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size * SCALE)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise UsageError("pictures need a Pillow with FreeType: pip install --force pillow")
    return font


def _shorten(text: str, size: float, widest: float) -> str:
    """A name fit to print, without its end if it is wider than there is room."""
    font, text = _font(size), printable(text)
    if font.getlength(text) <= widest * SCALE:
        return text
    while text and font.getlength(text + "…") > widest * SCALE:
        text = text[:-1]
    return text + "…"


def _intervals(sheet: _Sheet, report: ProbeReport, top: int) -> None:
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


def _confusion(sheet: _Sheet, report: ProbeReport, result: Probed, top: int) -> None:
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
    widest = max(_font(TEXT).getlength(printable(name)) for name in classes) / SCALE
    return min(round(widest), NAME - 60) + 16


def _legend(sheet: _Sheet, y: int) -> None:
    for x in range(200):
        colour = tuple(int(value) for value in coloured(np.array(x / 199)))
        sheet.line(MARGIN + x, y, MARGIN + x, y + 10, colour)
    sheet.text(MARGIN, y + 22, "alike", size=11, colour=FAINT)
    sheet.text(MARGIN + 200, y + 22, "unlike", anchor="rm", size=11, colour=FAINT)
