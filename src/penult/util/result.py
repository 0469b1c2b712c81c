"""What a function found, as a line for a prompt and as a table for a notebook."""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from itertools import islice

from penult.util.text import one_line, printable

SHOWN = 20  # rows of a table in a notebook
LINE = 200  # characters of a repr at most, beside the name

Row = Sequence[str | int | float]


class Result:
    """Base of results: a short `repr`, and `_repr_html_` with the first rows of a table."""

    __slots__ = ()

    @abstractmethod
    def _summary(self) -> str:
        """What it comes to, in a line."""

    def _rows(self) -> tuple[Sequence[str], Iterable[Row]]:
        """Headings of a table, and its rows; none by default."""
        return (), ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {one_line(self._summary(), LINE)}>"

    def _repr_html_(self) -> str:
        headings, rows = self._rows()
        lines = list(islice(rows, SHOWN + 1))
        shown = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in lines[:SHOWN])
        more = "<p>…</p>" if len(lines) > SHOWN else ""
        head = "".join(f"<th>{_text(heading)}</th>" for heading in headings)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{shown}</tbody></table>{more}"
        return f"<p><code>{_text(repr(self))}</code></p>{table if headings else ''}"


def _cell(value: str | float) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return f"<td><bdi>{_text(text)}</bdi></td>"


def _text(text: str) -> str:
    """Text as it may stand in a page; names of files come from strangers."""
    from html import escape  # a notebook has the time

    return escape(printable(text))
