"""The commands that weigh features: probe them with labels, compare them with each other."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import penult
from penult.cli import show
from penult.cli.commands import AsJson, app
from penult.cli.outputs import OutList, require, write_list, write_sheet
from penult.cli.progress import StepProgress
from penult.cli.show import columns, print_json, print_table, say
from penult.util.text import printable

if TYPE_CHECKING:
    from penult.analysis.comparison import Comparison, Measure
    from penult.analysis.probes import ProbeReport
    from penult.analysis.similarity import Matrix
    from penult.analysis.statistics import Estimate

CONFUSION_SHOWN = 12  # classes whose confusion fits a terminal

TableNames = Annotated[
    list[str],
    typer.Argument(
        help="Tables that `penult extract` made; TABLE:LAYER is one layer.", metavar="TABLE…"
    ),
]
LayerNames = Annotated[
    list[str] | None, typer.Option("--layer", "-l", help="Layer; may be given several times.")
]
Png = Annotated[Path | None, typer.Option("--png", help="Picture to write.")]
Html = Annotated[Path | None, typer.Option("--html", help="Page to write, one .html file.")]


@app.command()
def probe(
    tables: TableNames,
    labels: Annotated[
        str, typer.Option(help="parent, the image's folder, or a CSV file with key and label.")
    ] = "parent",
    layer: LayerNames = None,
    groups: Annotated[
        str | None,
        typer.Option(help="Column whose equal values stay in one fold, such as duplicate_of."),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Parts to predict, each by the others.")] = 5,
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbours that vote.")] = 5,
    save: Annotated[
        Path | None,
        typer.Option(help="File for `penult classify --probe`, ending in .safetensors."),
    ] = None,
    png: Png = None,
    out: OutList = None,
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Measure how well labels can be told from features, and which table or layer does it best.

    Example: penult probe photos.lance --labels labels.csv --png probe.png
    """
    from penult.analysis import drawing, probe_file, probes
    from penult.viewer import reports

    require(out, html)
    if png:
        drawing.require_png(png)
    if save:
        probe_file.require_suffix(save)
    layers = layer or ()
    with StepProgress() as bar:
        report = penult.probe(
            tables,
            labels,
            layer=layers,
            groups=groups,
            folds=folds,
            k=k,
            save=save,
            progress=bar.show,
        )
    _show_probe(report, as_json=as_json)
    if save:
        say(f"{save}: the best linear probe, fitted to all {len(report.keys)} images")
    if png:
        say(f"{report.png(png)}: written")
    if out:
        write_list(list(report.rows()), probes.COLUMNS, out)
    if html:
        show.out_of_reach(penult.open(report.linear.table))
        title = f"Probe of {', '.join(dict.fromkeys(each.table.name for each in report.results))}"
        write_sheet(html, title, reports.of_probe(report), report.notes[0])


@app.command()
def compare(
    tables: TableNames,
    layer: LayerNames = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="cka, rsa, knn or procrustes, several times; by default all."),
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbours of knn.")] = 10,
    sample: Annotated[int, typer.Option(help="Images at most that all but cka are of.")] = 2000,
    permutations: Annotated[int, typer.Option(min=1, help="Of each test.")] = 999,
    png: Png = None,
    out: OutList = None,
    html: Html = None,
    as_json: AsJson = False,
) -> None:
    """Measure how alike tables or layers see the same images.

    Example: penult compare lite0.lance inception.lance --png rdm.png
    """
    from penult.analysis import comparison, drawing
    from penult.viewer import reports

    require(out, html)
    if png:
        drawing.require_png(png)
    with StepProgress() as bar:
        found = penult.compare(
            tables,
            layer=layer or (),
            metric=metric or comparison.MEASURES,  # type: ignore[arg-type]  # checked there
            k=k,
            sample=sample,
            permutations=permutations,
            progress=bar.show,
        )
    _show_comparison(found, as_json=as_json)
    if png:
        say(f"{found.png(png)}: written")
    if out:
        write_list(found.rows(), comparison.COLUMNS, out)
    if html:
        title = f"Comparison of {', '.join(found.names)}"
        write_sheet(html, title, reports.of_comparison(found), "; ".join(found.notes))


def _show_probe(report: "ProbeReport", *, as_json: bool) -> None:
    """Print how accurate each layer and method is, and where the best one errs."""
    if as_json:
        print_json(_probe_facts(report))
        return
    table = columns("layer", "method", "accuracy", "95 %", "balanced", "95 %", "p")
    for result in report.results:
        accuracy, balanced = result.accuracy, result.balanced
        p = "best" if result.p is None else f"{result.p:.2g}"
        table.add_row(
            printable(result.name),
            result.method,
            f"{accuracy.value:.1%}",
            _interval(accuracy),
            f"{balanced.value:.1%}",
            _interval(balanced),
            p,
        )
    print_table(table)
    print("", *report.notes, "", sep="\n")
    _print_classes(report)


def _show_comparison(comparison: "Comparison", *, as_json: bool) -> None:
    """Print a matrix of similarities a measure, each with its p where there is only one pair."""
    if as_json:
        facts = {
            "names": comparison.names,
            "images": comparison.images,
            "left_out": comparison.left_out,
        }
        tests = {"tested": comparison.tested, "permutations": comparison.permutations}
        print_json(facts | {"sampled": comparison.sampled} | tests | {"pairs": comparison.rows()})
        return
    for measure, values in comparison.similarities.items():
        _print_matrix(comparison, measure, values)
    print(*comparison.notes, sep="\n")


def _print_matrix(comparison: "Comparison", measure: "Measure", values: "Matrix") -> None:
    table = columns(measure, *map(printable, comparison.names))
    table.columns[0].justify = "left"
    for row, name in enumerate(comparison.names):
        table.add_row(printable(name), *(f"{value:.3f}" for value in values[row]))
    print_table(table)
    print()


def _print_classes(report: "ProbeReport") -> None:
    best, shown = report.best, len(report.classes) <= CONFUSION_SHOWN
    predicted = [printable(label) for label in report.classes] if shown else []
    table = columns("label", "images", "recall", "precision", *predicted)
    table.columns[0].justify = "left"
    for row, facts in enumerate(report.by_class(best)):
        precision = facts["precision"]
        table.add_row(
            printable(facts["label"]),
            str(facts["images"]),
            f"{facts['recall']:.1%}",
            "–" if precision is None else f"{precision:.1%}",
            *(str(count) for count in best.confusion[row] if shown),
        )
    print_table(table)


def _probe_facts(report: "ProbeReport") -> dict[str, object]:
    return {
        "images": len(report.keys),
        "left_out": report.left_out,
        "folds": report.folds,
        "groups": report.groups,
        "classes": report.classes,
        "chance": report.chance,
        "expected": report.expected._asdict(),
        "results": [
            {
                "name": result.name,
                "table": str(result.table),
                "layer": result.layer,
                "method": result.method,
                "accuracy": result.accuracy._asdict(),
                "balanced": result.balanced._asdict(),
                "p": result.p,
                "confusion": result.confusion.tolist(),
                "by_class": report.by_class(result),
            }
            for result in report.results
        ],
    }


def _interval(estimate: "Estimate") -> str:
    return f"{estimate.low:.1%}–{estimate.high:.1%}"
