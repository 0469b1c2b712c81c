"""The commands that look after a table: which images failed, and whether its features are right."""

from pathlib import Path
from typing import Annotated

import typer

import penult
from penult.cli import show
from penult.cli.commands import SOME_FAILED, AsJson, TablePath, app, opened
from penult.cli.options import Device, number
from penult.cli.progress import Progress


@app.command()
def failures(table: TablePath, as_json: AsJson = False) -> None:
    """List the images that have no features, each with its reason.

    `penult extract` tries those again that couldn't be read or took too long, `--retry-failed` all.

    Example: penult failures photos.lance
    """
    show.failures(opened(table), as_json=as_json)


@app.command()
def verify(
    table: TablePath,
    n: Annotated[str, typer.Option("-n", help="Rows to compute, drawn at random, or all.")] = "50",
    weights: Annotated[
        Path | None,
        typer.Option("--weights", "-w", help="Weights file, if it isn't where it was."),
    ] = None,
    device: Device = "cpu",
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compute rows of a table again and tell the largest difference; exit with 1 above 1e-4.

    Example: penult verify photos.lance -n 100
    """
    with Progress() as progress:
        verification = penult.verify(
            table,
            number(n),
            weights=weights,
            device=device,
            seed=seed,
            progress=progress.show,
        )
    show.verified(verification, as_json=as_json)
    if not verification.ok:
        raise typer.Exit(SOME_FAILED)


@app.command()
def merge(
    out: Annotated[Path, typer.Argument(help="The new table.")],
    tables: Annotated[list[Path], typer.Argument(help="Tables that were made alike.")],
) -> None:
    """Join tables, such as those that `extract --shard` wrote, in a new one.

    Example: penult merge photos.lance part-*.lance
    """
    show.merged(penult.merge(out, tables), len(tables))
