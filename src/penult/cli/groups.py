"""The commands that order a table: clusters, what is odd, what to look at first, a map."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from penult.cli.analysis import Layer, Store
from penult.cli.commands import AsJson, Keys, TablePath, Template, Weights, Where, app, opened
from penult.cli.options import number
from penult.cli.outputs import OutList, OutSheet, require, write_list, write_sheet
from penult.cli.progress import StepProgress
from penult.cli.show import print_json, say
from penult.util.text import printable

if TYPE_CHECKING:
    from penult.analysis.clusters import Clusters

SHOWN = 3  # central keys of a cluster
MAP_COLUMNS = ("key", "x", "y")
NAMES = {"tsne": "t-SNE", "pca": "principal components"}

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
    column: Annotated[
        str | None, typer.Option(help="Column of the table for them, by default cluster.")
    ] = None,
    store: Store = True,
    name: Annotated[
        str | None,
        typer.Option(
            help="Words to name clusters by: a file with one a line, imagenet, or nouns; for "
            "networks of images and words."
        ),
    ] = None,
    template: Template = None,
    weights: Weights = None,
    out: OutList = None,
    html: OutSheet = None,
    as_json: AsJson = False,
) -> None:
    """Find groups of images that are alike, and store their numbers and names with the table.

    Example: penult cluster photos.lance -k 8
    """
    from penult.analysis.clusters import COLUMN

    require(out, html)
    features = opened(table, pictures=bool(html))
    with StepProgress() as bar:
        clusters = features.cluster(
            number(k),
            method=method,
            metric=metric,
            min_size=min_size,
            layer=layer,
            store=store,
            column=column,
            name=name,
            template=template or "photo",
            weights=weights,
            progress=bar.show,
        )
    _show(table, clusters, as_json=as_json)
    if store:
        labels = column or COLUMN
        say(f"{table}: stored in columns {labels}, -1 for noise, and {labels}_name")
    if out:
        rows = zip(
            clusters.keys, clusters.labels.tolist(), clusters.distances.tolist(), strict=True
        )
        _write(list(rows), ("key", "cluster", "distance"), out)
    if html:
        from penult.viewer.findings import of_clusters

        write_sheet(html, f"Clusters of {table.name}", of_clusters(features, clusters))


def _show(table: Path, clusters: "Clusters", *, as_json: bool) -> None:
    agreement = clusters.agreement
    if as_json:
        print_json(
            {
                "clusters": [
                    {
                        "cluster": each.label,
                        "name": each.name,
                        "size": each.size,
                        "central": each.central,
                        "names": each.names,
                    }
                    for each in clusters.clusters
                ],
                "silhouette": clusters.silhouette,
                "agreement": agreement and agreement._asdict(),
            }
        )
        return
    for each in clusters.clusters:
        number = each.name if each.label < 0 else each.label
        central = ", ".join(each.central[:SHOWN])
        named = each.label >= 0 and each.name != each.central[0]
        names = f"{', '.join(each.names or (each.name,))}: " if named else ""
        print(f"{number:>5}  {each.size:>9,}  {printable(names + central)}")
    groups = sum(each.label >= 0 for each in clusters.clusters)
    quality = "" if clusters.silhouette is None else f", silhouette {clusters.silhouette:.3f}"
    say(f"{table}: {len(clusters.keys):,} images, {groups} clusters{quality}")
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
    html: OutSheet = None,
    as_json: AsJson = False,
) -> None:
    """Find the images that are unlike all others.

    Example: penult outliers photos.lance -n 20
    """
    require(out, html)
    features = opened(table, pictures=bool(html))
    outliers = features.outliers(n, layer=layer)
    if as_json:
        print_json([each._asdict() for each in outliers])
    else:
        for each in outliers:
            print(f"{each.distance:.3f}  {printable(each.key)}")
    if out:
        _write(outliers, ("key", "distance"), out)
    if html:
        from penult.viewer.findings import of_outliers

        write_sheet(html, f"Outliers of {table.name}", of_outliers(features, outliers))


@app.command()
def sample(
    table: TablePath,
    n: Count = 100,
    diverse: Annotated[
        bool, typer.Option("--diverse", help="As unlike each other as possible.")
    ] = False,
    where: Where = None,
    keys: Keys = None,
    seed: Annotated[int, typer.Option(min=0, help="Another one draws other images.")] = 0,
    layer: Layer = None,
    out: OutList = None,
    html: OutSheet = None,
    as_json: AsJson = False,
) -> None:
    """Choose images, for instance those to label first.

    Example: penult sample photos.lance -n 100 --diverse
    """
    require(out, html)
    features = opened(table, pictures=bool(html))
    chosen = features.sample(n, diverse=diverse, where=where, keys=keys, seed=seed, layer=layer)
    if as_json:
        print_json(chosen)
    else:
        for key in chosen:
            print(printable(key))
    if out:
        _write([(key,) for key in chosen], ("key",), out)
    if html:
        from penult.viewer.findings import of_sample

        write_sheet(html, f"Sample of {table.name}", of_sample(features, chosen))


@app.command()
def map(  # noqa: A001 -- the command's name
    table: TablePath,
    method: Annotated[
        Literal["tsne", "pca"],
        typer.Option(help="tsne keeps neighbours together; pca is quick, and shows less."),
    ] = "tsne",
    seed: Annotated[
        int, typer.Option(min=0, help="Another one lays out other images of a large table.")
    ] = 0,
    layer: Layer = None,
    store: Store = True,
    out: OutList = None,
    as_json: AsJson = False,
) -> None:
    """Give each image a place in the plane, those that are alike together, for `penult view`.

    Example: penult map photos.lance
    """
    require(out)
    with StepProgress() as progress:
        projection = opened(table).map(
            method=method, layer=layer, seed=seed, store=store, progress=progress.show
        )
    rows = [
        (key, *place)
        for key, place in zip(projection.keys, projection.places.tolist(), strict=True)
    ]
    if as_json:
        print_json([dict(zip(MAP_COLUMNS, row, strict=True)) for row in rows])
    sample = (
        "" if projection.laid_out == len(rows) else f", from a sample of {projection.laid_out:,}"
    )
    say(f"{table}: {len(rows):,} images mapped by {NAMES[projection.method]}{sample}")
    if store:
        say(f"places stored in columns x and y: penult view {table}")
    if out:
        _write(rows, MAP_COLUMNS, out)


def _write(rows: Sequence[tuple[object, ...]], columns: tuple[str, ...], out: Path) -> None:
    write_list([dict(zip(columns, row, strict=True)) for row in rows], columns, out)
