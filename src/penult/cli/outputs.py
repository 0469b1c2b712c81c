"""Files of what a command found: a list for other programs, a page of pictures to look at."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from penult.cli.show import say

if TYPE_CHECKING:
    from penult.analysis.listing import Rows
    from penult.viewer.sheet import Section

OutList = Annotated[
    Path | None, typer.Option("--out", "-o", help="List to write: .csv, .json or .parquet.")
]
OutSheet = Annotated[
    Path | None, typer.Option("--html", help="Page of pictures to write, one .html file.")
]


def require(out: Path | None, html: Path | None = None) -> None:
    """Refuse names that can't be written to before there is anything to write."""
    if out:
        from penult.analysis.listing import require_list

        require_list(out)
    if html:
        from penult.viewer.sheet import require_html

        require_html(html)


def write_list(rows: "Rows", columns: Sequence[str], out: Path) -> None:
    """Write rows in the format that the suffix names, and say so."""
    from penult.analysis import listing

    say(f"{listing.write_list(rows, columns, out)}: written")


def write_sheet(html: Path, title: str, sections: "Sequence[Section]", facts: str = "") -> None:
    """Write a contact sheet, and say how many images it shows."""
    from penult.viewer import sheet

    say(str(sheet.write_sheet(html, title, sections, facts=facts)))
