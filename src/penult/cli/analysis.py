"""The commands that use a table: find images in it, index it, find near-duplicates."""

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import penult
from penult.cli import show
from penult.cli.commands import AsJson, Keys, TablePath, Template, Weights, Where, app, opened
from penult.cli.outputs import OutList, OutSheet, require, write_list, write_sheet
from penult.cli.progress import StepProgress
from penult.errors import UsageError
from penult.util.text import plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penult.analysis.near_duplicates import Duplicates
    from penult.analysis.neighbours import Match
    from penult.table.features import Features

Layer = Annotated[
    str | None, typer.Option("--layer", "-l", help="Layer to compare, by default the first.")
]
Store = Annotated[
    bool, typer.Option("--store/--no-store", help="Whether to store what is found with the table.")
]
MetricName = Annotated[
    Literal["cosine", "l2", "dot"], typer.Option("--metric", help="What nearness is measured by.")
]


@app.command()
def search(
    table: TablePath,
    queries: Annotated[
        list[str] | None,
        typer.Argument(
            help="Keys of the table, images or http(s) addresses; several are averaged.",
            metavar="QUERY…",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", "--not", help="As QUERY, subtracted; repeatable."),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option("--text", "-t", help="Words to search for; repeatable.")
    ] = None,
    not_text: Annotated[
        list[str] | None, typer.Option("--not-text", help="As --text, subtracted; repeatable.")
    ] = None,
    template: Template = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Images to find.")] = 10,
    where: Where = None,
    keys: Keys = None,
    metric: MetricName = "cosine",
    layer: Layer = None,
    weights: Weights = None,
    out: OutList = None,
    html: OutSheet = None,
    as_json: AsJson = False,
) -> None:
    """Find the images of a table that are nearest to others, or to words.

    Example: penult search photos.lance -t "a red bicycle" -k 5
    """
    require(out, html)
    features = opened(table, pictures=bool(html))
    start = perf_counter()
    matches = features.search(
        queries or (),
        k,
        exclude=exclude or (),
        text=text or (),
        not_text=not_text or (),
        template=template or None,
        where=where,
        keys=keys,
        metric=metric,
        layer=layer,
        weights=weights,
    )
    if where is None and keys is None:
        show.slow_search(features, perf_counter() - start, layer, metric)
    show.matches(matches, as_json=as_json)
    if out:
        _list_matches(features, matches, out)
    if html:
        from penult.viewer.findings import of_matches

        words = [*(text or ()), *(f"not {each}" for each in not_text or ())]
        sections = of_matches(features, matches, queries or (), exclude or (), "; ".join(words))
        write_sheet(html, f"Search in {table.name}", sections)


def _list_matches(features: "Features", matches: "Sequence[Match]", out: Path) -> None:
    from penult.extraction.row_files import files_of

    files = files_of(features, [match.key for match in matches])
    rows = [
        match._asdict() | {"path": file.shown} for match, file in zip(matches, files, strict=True)
    ]
    write_list(rows, ("key", "score", "path"), out)


@app.command()
def index(
    table: TablePath,
    layer: Layer = None,
    metric: MetricName = "cosine",
    as_json: AsJson = False,
) -> None:
    """Make an index that searches of 100,000 rows and more go by, and tell how much it finds.

    Example: penult index photos.lance
    """
    with StepProgress() as bar:
        report = penult.index(table, layer=layer, metric=metric, progress=bar.show)
    show.indexed(table, report, as_json=as_json)


@app.command()
def duplicates(
    table: TablePath,
    threshold: Annotated[
        float | None, typer.Option(help="Cosine from which on features alone make near-duplicates.")
    ] = None,
    layer: Layer = None,
    pixels: Annotated[
        bool,
        typer.Option(
            "--pixels/--no-pixels",
            help="Read files: pixels decide, and sharpness; otherwise features alone.",
        ),
    ] = True,
    store: Store = False,
    column: Annotated[
        str | None, typer.Option(help="Column of the table for it, by default duplicate.")
    ] = None,
    out: OutList = None,
    html: OutSheet = None,
    move: Annotated[
        Path | None, typer.Option(help="Folder to move the images to that are to drop.")
    ] = None,
    hard_link: Annotated[
        Path | None, typer.Option(help="Folder to link those images in; they stay where they are.")
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(help="Folder that images may be moved out of or linked from, and no other."),
    ] = None,
    features_alone: Annotated[
        bool,
        typer.Option(
            "--features-alone",
            help="Move or link those too whose pictures were not compared: gone or unreadable.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find images that are nearly the same, and propose which to keep; no file is deleted.

    Example: penult duplicates photos.lance -o duplicates.csv
    """
    from penult.analysis.near_duplicates import COLUMN

    if move and hard_link:
        raise UsageError("--move and --hard-link can't both be done: choose one")
    if (features_alone or root) and not (move or hard_link):
        option = "--features-alone" if features_alone else "--root"
        raise UsageError(f"{option} says what to move or link: give --move or --hard-link")
    if (move or hard_link) and not root:
        raise UsageError(
            "a table may name any file: name the folder that its images are in (--root)"
        )
    require(out, html)
    features = opened(table, pictures=pixels or bool(html))
    with StepProgress() as bar:
        duplicates = features.duplicates(
            threshold, layer=layer, pixels=pixels, store=store, column=column, progress=bar.show
        )
    if out:
        from penult.analysis import filing

        write_list(list(filing.rows(duplicates)), filing.COLUMNS, out)
    show.duplicates(table, duplicates, as_json=as_json)
    if store:
        name = column or COLUMN
        show.say(f"{table}: stored in columns {name} (single, keep, drop) and {name}_of")
    if html:
        from penult.viewer.findings import of_duplicates

        write_sheet(html, f"Duplicates in {table.name}", of_duplicates(features, duplicates))
    _file(duplicates, move, hard_link, root=root, features_alone=features_alone)


def _file(
    duplicates: "Duplicates",
    move: Path | None,
    hard_link: Path | None,
    *,
    root: Path | None,
    features_alone: bool,
) -> None:
    from penult.analysis import filing

    if move and root:
        moved = filing.move(duplicates, move, root=root, features_alone=features_alone)
        show.say(f"{move}: {plural(moved, 'image')} moved here; extract --prune removes their rows")
    if hard_link and root:
        linked = filing.hard_link(duplicates, hard_link, root=root, features_alone=features_alone)
        show.say(f"{hard_link}: {plural(linked, 'image')} linked here")
    left = duplicates.by_features_alone
    if (move or hard_link) and left and not features_alone:
        show.say(f"{plural(left, 'image')} left out, by features alone: --features-alone takes all")
