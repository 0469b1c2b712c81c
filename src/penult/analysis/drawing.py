"""What charts are drawn with: a page in units, lines, texts, colours, squares of values."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

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
SCALE = 2  # pixels to a unit, for sharp screens
TEXT = 13


class Sheet:
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
        text = shorten(text, size, widest)
        self._draw.text((x * SCALE, y * SCALE), text, colour, font_of(size), anchor)

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
        text, font = shorten(text, size, widest), font_of(size)
        wide, high = round(font.getlength(text)) + SCALE, round(size * 2 * SCALE)
        mask = Image.new("L", (wide, high))
        ImageDraw.Draw(mask).text((0, high / 2), text, 255, font, "lm")
        place = (round(x * SCALE - high / 2), round(y * SCALE - wide))
        self.image.paste(INK, place, mask.rotate(90, expand=True))

    def bar(self, x: float, y: float, width: float, height: float, colour: tuple[int, ...]) -> None:
        """Draw a filled rectangle."""
        ends = (x * SCALE, y * SCALE, (x + width) * SCALE - 1, (y + height) * SCALE - 1)
        self._draw.rectangle(ends, colour)

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


def require_png(out: str | Path) -> Path:
    """The path of a picture to write.

    Raises:
        UsageError: It doesn't end in `.png`.
    """
    path = Path(out)
    if path.suffix.lower() != ".png":
        raise UsageError(f"{quoted(path)}: expected a picture to end in .png")
    return path


def font_of(size: float) -> ImageFont.FreeTypeFont:
    """The font of a size in units; `getlength` measures in pixels."""
    font = ImageFont.load_default(size * SCALE)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise UsageError("pictures need a Pillow with FreeType: pip install --force pillow")
    return font


def shorten(text: str, size: float, widest: float) -> str:
    """A name fit to print, without its end if it is wider than there is room."""
    font, text = font_of(size), printable(text)
    if font.getlength(text) <= widest * SCALE:
        return text
    while text and font.getlength(text + "…") > widest * SCALE:
        text = text[:-1]
    return text + "…"
