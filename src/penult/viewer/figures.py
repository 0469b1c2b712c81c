"""Tables and drawings of a page, as markup that runs nothing: heat maps, intervals, matrices.

Names come from strangers, so all text goes through `markup`. Colours are classes, `h0` to `h20`:
the page's policy allows one style sheet, and no styles beside it.
"""

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.analysis.charts import LIGHT, coloured
from penult.util.text import printable

Values = NDArray[np.floating]

LEVELS = 20  # steps of colour from 0 to 1
PIXELS = 480  # of a matrix's sides at most
SCALE = 240  # width of a drawing of intervals
SHORT = 5  # characters of a column's name that is as narrow as its numbers
FEW = 5  # columns, which stay level however long their names


def markup(text: str) -> str:
    """Text as it may stand in a page, what would turn the direction of writing spelled out."""
    return escape(printable(text))


def style() -> str:
    """The style sheet's rules for colours."""
    return "".join(
        f".h{level} {{ background: #{bytes(colour).hex()}; "
        f"color: #{'1e1e24' if level >= LIGHT * LEVELS else 'ffffff'}; }}\n"
        for level, colour in enumerate(coloured(np.arange(LEVELS + 1) / LEVELS))
    )


def table(names: Sequence[str], rows: Sequence[Sequence[str]], columns: Sequence[str] = ()) -> str:
    """A table of cells that are markup, each row after its name.

    Args:
        names: Of the rows.
        rows: Their cells, `td` elements.
        columns: Headings as markup, the one of the names first.
    """
    heads = "".join(f"<th>{each}</th>" for each in columns)
    lines = (
        f"<tr><th><bdi>{markup(name)}</bdi></th>{''.join(cells)}</tr>\n"
        for name, cells in zip(names, rows, strict=True)
    )
    return (
        f'<div class="scroll"><table>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{''.join(lines)}</tbody></table></div>\n"
    )


def headings(names: Sequence[str]) -> list[str]:
    """Names of columns, turned upright if they are many, and one of them is long."""
    turned = len(names) > FEW and any(len(name) > SHORT for name in names)
    return [f"<bdi{' class=up' * turned}>{markup(name)}</bdi>" for name in names]


def cell(text: str, small: str = "") -> str:
    """A cell of a table, with a smaller line beneath."""
    return f"<td>{markup(text)}{_smaller(small)}</td>"


def heat(text: str, share: float, small: str = "") -> str:
    """A cell whose colour says how large a value is, from 0 to 1; an empty one has none."""
    level = f"h{round(float(np.clip(share, 0, 1)) * LEVELS)}" if text else "none"
    return f'<td class="heat {level}">{markup(text)}{_smaller(small)}</td>'


def interval(value: float, low: float, high: float, start: float) -> str:
    """A cell with a dot and its interval, on a scale from `start` to 1."""
    at, left, right = ((each - start) / (1 - start) * SCALE for each in (value, low, high))
    return (
        f'<td class="plot"><svg viewBox="-8 0 {SCALE + 16} 20" width="{SCALE + 16}" height="20" '
        f'aria-hidden="true"><path class="rule" d="M0 0V20M{SCALE / 2} 0V20M{SCALE} 0V20"/>'
        f'<path class="mark" d="M{left:.1f} 6V14M{left:.1f} 10H{right:.1f}M{right:.1f} 6V14"/>'
        f'<circle class="dot" cx="{at:.1f}" cy="10" r="4"/></svg></td>'
    )


def matrices(names: Sequence[str], several: Sequence[Values], ends: tuple[str, str]) -> str:
    """Square matrices of values from 0 to 1 as pictures, and their scale with what its ends are."""
    pictures = "".join(
        f'<figure><img alt="" src="data:image/png;base64,{_png(matrix)}">'
        f"<figcaption><bdi>{markup(name)}</bdi></figcaption></figure>\n"
        for name, matrix in zip(names, several, strict=True)
    )
    steps = "".join(f'<i class="h{level}"></i>' for level in range(LEVELS + 1))
    scale = f'<p class="scale">{ends[0]}{steps}{ends[1]}</p>\n'
    return f'<div class="matrices">\n{pictures}</div>\n{scale}'


def _smaller(text: str) -> str:
    return f"<small>{markup(text)}</small>" if text else ""


def _png(shares: Values) -> str:
    """A picture of values from 0 to 1, averaged if there are more of them than pixels."""
    image = Image.fromarray(np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8))
    if image.width > PIXELS:
        image = image.resize((PIXELS, PIXELS), Image.Resampling.BOX)
    image.putpalette(coloured(np.arange(256) / 255).tobytes())
    stream = BytesIO()
    image.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()
