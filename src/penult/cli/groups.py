"""The commands that sort a table: into clusters, into what is odd, into what to look at first."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from penult.cli.analysis import Layer
from penult.cli.commands import AsJson, TablePath, app, opened
from penult.cli.outputs import OutList, write_list
from penult.cli.show import print_json, say
from penult.errors import UsageError
from penult.text import printable

if TYPE_CHECKING:
    from penult.analysis.clusters import Clusters

SHOWN = 3  # central keys of a cluster

Count = Annotated[int, typer.Option("-n", min=1, help="Images to find.")]


@app.command()
def cluster(
    table: TablePath,
    k: Annotated[str, typer.Option("-k", help="Number of clusters, or auto.")] = "auto",
    method: Annotated[
        Literal["kmeans", "hdbscan", "agglomerative"], typer.Option(help="How they are found.")
    ] = "kmeans",
    metric: Annotated[
        Literal["cosine", "l2"], typer.Option(help="What nearness is measured by.")
    ] = "cosine",
    min_size: Annotated[
        int, typer.Option(min=2, help="The smallest group that HDBSCAN calls a cluster.")
    ] = 5,
    layer: Layer = None,
    column: Annotated[str, typer.Option(help="Column of the table for the labels.")] = "cluster",
    save: Annotated[bool, typer.Option("--save/--no-save", help="Whether to store them.")] = True,
    out: OutList = None,
    as_json: AsJson = False,
) -> None:
    """Find groups of images that are alike, and store their numbers with the table.

    Example: penult cluster photos.lance -k 8
    """
    found = opened(table).cluster(
        _number(k),
        method=method,
        metric=metric,
        min_size=min_size,
        layer=layer,
        column=column if save else None,
    )
    _show(table, found, as_json=as_json)
    if save:
        say(f"{table}: labels stored in column {column}, -1 for noise")
    if out:
        rows = zip(found.keys, found.labels.tolist(), found.distances.tolist(), strict=True)
        _write(list(rows), ("key", "cluster", "distance"), out)


def _number(k: str) -> int | None:
    if k != "auto" and not k.isdecimal():
        raise UsageError(f"-k must be a number or auto, not {k!r}")
    return None if k == "auto" else int(k)


def _show(table: Path, found: "Clusters", *, as_json: bool) -> None:
    agreement = found.agreement
    if as_json:
        print_json(
            {
                "clusters": [
                    {"cluster": each.label, "size": each.size, "central": each.central}
                    for each in found.clusters
                ],
                "silhouette": found.silhouette,
                "agreement": agreement and agreement._asdict(),
            }
        )
        return
    for each in found.clusters:
        name = "noise" if each.label < 0 else each.label
        print(f"{name:>5}  {each.size:>9,}  {printable(', '.join(each.central[:SHOWN]))}")
    groups = sum(each.label >= 0 for each in found.clusters)
    quality = "" if found.silhouette is None else f", silhouette {found.silhouette:.3f}"
    say(f"{table}: {len(found.keys):,} images, {groups} clusters{quality}")
    if agreement:
        say(
            f"against {agreement.folders} folders: NMI {agreement.nmi:.3f}, "
            f"ARI {agreement.ari:.3f}, purity {agreement.purity:.3f}"
        )


@app.command()
def outliers(
    table: TablePath,
    n: Count = 20,
    layer: Layer = None,
    out: OutList = None,
    as_json: AsJson = False,
) -> None:
    """Find the images that are unlike all others.

    Example: penult outliers photos.lance -n 20
    """
    found = opened(table).outliers(n, layer=layer)
    if as_json:
        print_json([each._asdict() for each in found])
    else:
        for each in found:
            print(f"{each.distance:.3f}  {printable(each.key)}")
    if out:
        _write(found, ("key", "distance"), out)


@app.command()
def sample(
    table: TablePath,
    n: Count = 100,
    diverse: Annotated[
        bool, typer.Option("--diverse", help="As unlike each other as possible.")
    ] = False,
    where: Annotated[
        str | None, typer.Option(help="Condition in SQL that they meet, such as 'width > 1000'.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another one draws other images.")] = 0,
    layer: Layer = None,
    out: OutList = None,
    as_json: AsJson = False,
) -> None:
    """Choose images, for instance those to label first.

    Example: penult sample photos.lance -n 100 --diverse
    """
    keys = opened(table).sample(n, diverse=diverse, where=where, seed=seed, layer=layer)
    if as_json:
        print_json(keys)
    else:
        for key in keys:
            print(printable(key))
    if out:
        _write([(key,) for key in keys], ("key",), out)


def _write(rows: Sequence[tuple[object, ...]], columns: tuple[str, ...], out: Path) -> None:
    write_list([dict(zip(columns, row, strict=True)) for row in rows], columns, out)
