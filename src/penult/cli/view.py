"""The command that shows a table in the browser."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from penult.cli import show
from penult.cli.analysis import Layer
from penult.cli.commands import TablePath, Weights, app, opened
from penult.cli.outputs import write_sheet


@app.command()
def view(
    table: TablePath,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes a free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the address in a browser.")
    ] = False,
    layer: Layer = None,
    weights: Weights = None,
    root: Annotated[
        Path | None,
        typer.Option(
            help="Folder below which selected images may be copied to folders that aren't empty."
        ),
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", help="Serve nothing: write a page of the pictures, one .html file."),
    ] = None,
) -> None:
    """Look at a table in the browser: pictures, a map, what is near to what; Ctrl-C ends it.

    The page is served to this machine only, and only to who has the address. What --html writes
    needs neither penult nor the table: 3,000 pictures at most, of each cluster or folder.

    Example: penult view photos.lance
    """
    features = opened(table, pictures=True)
    if html:
        from penult.viewer.findings import of_table

        write_sheet(html, features.path.name, of_table(features))
        return
    viewer = features.view(port=port, layer=layer, weights=weights, root=root, browser=browser)
    with suppress(KeyboardInterrupt):  # as soon as the address is there to be read
        show.served(viewer.url)
        viewer.wait()
