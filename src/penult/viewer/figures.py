"""Tables and drawings of a page, as markup that runs nothing: heat maps, intervals, matrices.

Names come from strangers, so all text goes through `markup`. Colours are classes, `h0` to `h20`:
the page's policy allows one style sheet, and no other styles.
"""

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from penult.analysis.drawing import LIGHT, coloured
from penult.util.text import printable

Values = NDArray[np.floating]

LEVELS = 20  # steps of colour from 0 to 1
MATRIX_SIDE = 480  # pixels at most
WIDTH = 240  # of a drawing of intervals
SHORT_NAME = 5  # characters of a column's name that is as narrow as its numbers
LEVEL_COLUMNS = 5  # columns up to which names stay level, however long they are


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
        names: Names of the rows.
        rows: The cells of each row, `td` elements.
        columns: Headings as markup, the heading of the names first.
    """
    heads = "".join(f"<th>{heading}</th>" for heading in columns)
    lines = (
        f"<tr><th><bdi>{markup(name)}</bdi></th>{''.join(cells)}</tr>\n"
        for name, cells in zip(names, rows, strict=True)
    )
    return (
        f'<div class="scroll"><table>\n<thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{''.join(lines)}</tbody></table></div>\n"
    )


def headings(names: Sequence[str]) -> list[str]:
    """Names of columns, set upright if they are many, and one of them is long."""
    upright = len(names) > LEVEL_COLUMNS and any(len(name) > SHORT_NAME for name in names)
    return [f"<bdi{' class=up' * upright}>{markup(name)}</bdi>" for name in names]


def cell(text: str, small: str = "") -> str:
    """A cell of a table, with a smaller line beneath."""
    return f"<td>{markup(text)}{_small_line(small)}</td>"


def heat(text: str, share: float, small: str = "") -> str:
    """A cell whose colour says how large a value is, from 0 to 1; an empty one has none."""
    level = f"h{round(float(np.clip(share, 0, 1)) * LEVELS)}" if text else "none"
    return f'<td class="heat {level}">{markup(text)}{_small_line(small)}</td>'


def interval(value: float, low: float, high: float, start: float) -> str:
    """A cell with a dot and its interval, on a scale from `start` to 1."""
    dot, left, right = ((share - start) / (1 - start) * WIDTH for share in (value, low, high))
    return (
        f'<td class="plot"><svg viewBox="-8 0 {WIDTH + 16} 20" width="{WIDTH + 16}" height="20" '
        f'aria-hidden="true"><path class="rule" d="M0 0V20M{WIDTH / 2} 0V20M{WIDTH} 0V20"/>'
        f'<path class="mark" d="M{left:.1f} 6V14M{left:.1f} 10H{right:.1f}M{right:.1f} 6V14"/>'
        f'<circle class="dot" cx="{dot:.1f}" cy="10" r="4"/></svg></td>'
    )


def matrices(names: Sequence[str], values: Sequence[Values], ends: tuple[str, str]) -> str:
    """Square matrices of values from 0 to 1 as pictures, and their scale with what its ends are."""
    pictures = "".join(
        f'<figure><img alt="" src="data:image/png;base64,{_png(matrix)}">'
        f"<figcaption><bdi>{markup(name)}</bdi></figcaption></figure>\n"
        for name, matrix in zip(names, values, strict=True)
    )
    steps = "".join(f'<i class="h{level}"></i>' for level in range(LEVELS + 1))
    scale = f'<p class="scale">{ends[0]}{steps}{ends[1]}</p>\n'
    return f'<div class="matrices">\n{pictures}</div>\n{scale}'


def _small_line(text: str) -> str:
    return f"<small>{markup(text)}</small>" if text else ""


def _png(shares: Values) -> str:
    """A picture of values from 0 to 1, averaged if there are more of them than pixels."""
    image = Image.fromarray(np.rint(np.clip(shares, 0, 1) * 255).astype(np.uint8))
    if image.width > MATRIX_SIDE:
        image = image.resize((MATRIX_SIDE, MATRIX_SIDE), Image.Resampling.BOX)
    image.putpalette(coloured(np.arange(256) / 255).tobytes())
    stream = BytesIO()
    image.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()
