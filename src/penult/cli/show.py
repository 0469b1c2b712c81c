"""What the commands print: data to standard output, messages to standard error."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from penult.cli.progress import sentence
from penult.cli.voice import complain, is_json
from penult.cli.voice import say as say  # noqa: PLC0414 -- the commands take it from here
from penult.util.progress import Counts
from penult.util.text import plural, printable

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table
    from rich.text import Text

    from penult.analysis.near_duplicates import Duplicates
    from penult.analysis.neighbours import IndexReport, Match, Metric
    from penult.extraction.classification import Classification
    from penult.extraction.verification import Verification
    from penult.table.features import Features

FAILURES_SHOWN = 5
TEXTS = {"network", "layer", "variable", "dtype", "role", "weights", "paper"}  # columns
HINT_SECONDS = 10  # of a run that is long enough for a hint


def recovered(features: "Features") -> None:
    """Say so if a table's newest version was unreadable and an earlier one was taken."""
    if features.recovered:
        say(features.recovered)


def out_of_reach(features: "Features") -> None:
    """Say how many images are in buckets that nobody has named."""
    from penult.extraction.row_files import out_of_reach

    if said := out_of_reach(features.facts(["path"])["path"]):
        say(said)


def extracted(features: "Features", counts: Counts, *, as_json: bool) -> None:
    """Sum up a finished run."""
    failures = features.failures
    if as_json:
        print_json(
            {
                "table": str(features.path),
                "listed": counts.listed,
                "ok": counts.ok,
                "failed": counts.failed,
                "failed_before": counts.failed_before,
                "skipped": counts.skipped,
                "moved": counts.moved,
                "renamed": counts.renamed,
                "removed": counts.removed,
                "seconds": round(counts.seconds, 3),
                "failures": failures,
            }
        )
        return
    if not counts.failures:
        failures = {}  # those of other sources
    for key, reason in list(failures.items())[:FAILURES_SHOWN]:
        say(f"{key}: {reason}")
    if len(failures) > FAILURES_SHOWN:
        say(f"… and {len(failures) - FAILURES_SHOWN} more: penult failures {features.path}")
    say(f"{features.path}: {sentence(counts)}")
    share = counts.timings.reducible / (counts.timings.working or 1)
    if share > 0.5 and counts.seconds > HINT_SECONDS:
        option = "--decode fast is quicker and changes features a little, so it takes a new table"
        say(f"{share:.0%} of the work was decoding large JPEGs: {option}")


def profile(counts: Counts) -> None:
    """Say where the time of a run went; cores that did nothing else were idle or at other work."""
    from penult.util.machine import cores

    timings, available = counts.timings, cores() * counts.seconds
    shares = {
        "network": timings.network,
        "decoding": timings.decoding,
        "preprocessing": timings.preprocessing,
        "other": max(available - timings.working, 0),
    }
    parts = ", ".join(f"{name} {seconds / available:.0%}" for name, seconds in shares.items())
    clock = f"{timings.reading:.1f} s reading, {timings.writing:.1f} s writing"
    say(
        f"{plural(cores(), 'core')} for {counts.seconds:.1f} s: {parts}; "
        f"by the clock, {clock}, {timings.waiting:.1f} s waiting for features"
    )


def interrupted(counts: Counts, code: int) -> None:
    """Say what an interrupted run leaves, and other programs that it was stopped."""
    done = f"; {sentence(counts)}, all saved" if counts.listed else ""
    message = f"stopped{done}; run the same command again to continue"
    if is_json():
        complain("Interrupted", message, code)
    else:
        say(message)


def classified(result: "Classification", *, as_json: bool) -> None:
    """Print one image's classes on one line."""
    if as_json:
        print(_json(asdict(result)))
    elif result.error:
        say(f"{result.key}: {result.error}")
    else:
        classes = ", ".join(f"{name} {probability:.1%}" for name, probability in result.classes)
        print(printable(f"{result.key}: {classes}"))


def info(features: "Features", *, as_json: bool) -> None:
    """Print what a table holds and which images failed."""
    facts, failures = features.info, features.failures
    if as_json:
        print_json(facts | {"failures": failures})
        return
    made_by = facts.pop("provenance")
    made_by.pop("transform", None)  # its text is there too
    facts |= {name: facts[name] or None for name in ("columns", "indexes")}
    print_facts({**facts, "": "", **made_by})
    for key, reason in failures.items():
        print(f"{printable(key)}: {printable(reason)}")


def failures(features: "Features", *, as_json: bool) -> None:
    """Print the images that failed, and how many of each kind there are."""
    reasons = features.failures
    kinds = dict(Counter(reason.partition(":")[0] for reason in reasons.values()).most_common())
    if as_json:
        print_json({"table": str(features.path), "kinds": kinds, "failures": reasons})
        return
    for key, reason in reasons.items():
        print(f"{printable(key)}: {printable(reason)}")
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    say(f"{features.path}: {len(reasons)} failed{': ' * bool(kinds)}{counted}")


def merged(features: "Features", tables: int) -> None:
    """Tell what became of several tables."""
    failed = f", {len(features.failures):,} failed" if features.failures else ""
    say(f"{features.path}: {plural(len(features), 'image')} of {plural(tables, 'table')}{failed}")
    if features.left_out:
        say(f"left out, as not all tables have them alike: {', '.join(features.left_out)}")


def verified(verification: "Verification", *, as_json: bool) -> None:
    """Print how computed rows compare with those of the table."""
    if as_json:
        print_json(asdict(verification) | {"ok": verification.ok})
        return
    for kind, keys in {"changed": verification.changed, "vanished": verification.vanished}.items():
        for key in keys[:FAILURES_SHOWN]:
            say(f"{key}: {kind}, not compared")
        if len(keys) > FAILURES_SHOWN:
            say(f"… and {len(keys) - FAILURES_SHOWN} more {kind}")
    for key, reason in verification.failures.items():
        say(f"{key}: {reason}")
    where = f" ({printable(verification.key)})" if verification.key is not None else ""
    if verification.made_on != verification.device:
        print(f"{'made on':15}{printable(verification.made_on)}")
        print(f"{'computed on':15}{verification.device}")
    print(f"{'compared':15}{verification.compared}")
    print(f"{'largest':15}{verification.largest:.2g}{where}")
    for name in ("changed", "vanished", "failures"):
        print(f"{name:15}{len(getattr(verification, name))}")


def matches(found: Sequence["Match"], *, as_json: bool) -> None:
    """Print the images that a search found, the nearest first."""
    if as_json:
        print_json([match._asdict() for match in found])
        return
    if not found:
        say("no image found")
    rank = len(str(len(found)))
    score = max((len(f"{match.score:.3f}") for match in found), default=0)
    for number, match in enumerate(found, 1):
        print(f"{number:{rank}}  {match.score:{score}.3f}  {printable(match.key)}")


def slow_search(features: "Features", seconds: float, layer: str | None, metric: "Metric") -> None:
    """Say which index would have made a search faster, if the table is large and has none."""
    from penult.analysis.neighbours import EXACT_BELOW, is_indexed

    if len(features) >= EXACT_BELOW and not is_indexed(features, layer, metric):
        option = ("" if layer is None else f" --layer {layer}") + f" --metric {metric}"
        say(
            f"{len(features):,} rows were compared one by one, {seconds:.1f} s in all; "
            f"faster with an index: penult index {features.path}{option}"
        )


def served(address: str) -> None:
    """Print the address of a page that is being served."""
    print(address, flush=True)
    say("only this machine can open it; Ctrl-C ends it")


def indexed(table: "Path", report: "IndexReport", *, as_json: bool) -> None:
    """Say how much of what is near an index finds."""
    if as_json:
        print_json(asdict(report))
        return
    say(
        f"{table}: {report.rows:,} rows indexed in {report.built:.1f} s: {report.metric} search "
        f"finds {report.recall:.1%} of the 10 nearest, in {report.seconds * 1e3:.1f} ms"
    )


def duplicates(table: "Path", duplicates: "Duplicates", *, as_json: bool) -> None:
    """Print groups of near-duplicates, the image to keep first in each, and a sum."""
    if as_json:
        from penult.analysis.filing import rows

        print_json(
            {
                "threshold": duplicates.threshold,
                "neighbours": duplicates.neighbours,
                "images": list(rows(duplicates)),
            }
        )
        return
    for group in duplicates.groups:
        for image in (group.keep, *group.drop):
            why = "same" if image.exact else "features" if image.features_alone else ""
            mark = "keep" if image is group.keep else why
            size = f"{image.width}×{image.height}"
            print(
                f"{mark:8}  {image.similarity:.3f}  {size:>11}  {image.bytes:>11,} bytes  "
                f"{printable(image.key)}"
            )
        print()
    if duplicates.neighbours is not None:
        say(
            f"features alone decide from cosine {duplicates.threshold:g} on, as the third nearest "
            f"image is at {duplicates.neighbours:g} (--threshold says another)"
        )
    if duplicates.unread:
        unread = f"{duplicates.unread} files are gone, changed, unreadable or out of reach"
        say(f"{unread}: their features alone decided")
    dropped, by_pixels = duplicates.dropped, duplicates.by_pixels
    alone = duplicates.by_features_alone
    say(
        f"{table}: {plural(duplicates.images, 'image')}, "
        f"{plural(len(dropped), 'near-duplicate')} of {len(duplicates.groups):,} to keep "
        f"({len(dropped) - by_pixels - alone:,} by pixels and features, "
        f"cosine {duplicates.threshold:g} and above; {by_pixels:,} by pixels; "
        f"{alone:,} by features alone), "
        f"{sum(image.exact for image in dropped):,} of them to the byte; "
        f"{sum(image.bytes for image in dropped):,} bytes could be spared"
    )


def shape_text(shape: Sequence[int]) -> str:
    """Write a shape as people do."""
    return "×".join(map(str, shape))


def print_facts(facts: Mapping[str, Any]) -> None:
    """Print facts that are known, one a line."""
    for name, value in facts.items():
        if value is not None:
            print(f"{printable(name):18}{printable(_text(value))}")


def _text(value: Any) -> str:  # noqa: ANN401 -- plain data
    """Names with their values, a shape, or whatever it is."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    return shape_text(value) if isinstance(value, list | tuple) else str(value)


def print_json(value: Any) -> None:  # noqa: ANN401 -- any JSON value
    """Print plain data for other programs."""
    print(_json(value, indent=2))


def _json(value: Any, indent: int | None = None) -> str:  # noqa: ANN401 -- any JSON value
    """JSON that can be read by people, but for what would steer a terminal."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def columns(*names: str) -> "Table":
    """An empty table with a heading a column; numbers stand at the right."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold underline")
    for name in names:
        table.add_column(name, justify="left" if name in TEXTS else "right", no_wrap=True)
    return table


def print_table(table: "Table") -> None:
    """Print a table as wide as the terminal or, elsewhere, as it is."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 1000  # nothing is cut in a pipe
    console.print(table)


def print_fitting(rows: "Sequence[Mapping[str, Text | str]]", spare: Sequence[str]) -> None:
    """Print rows as a table that fits the terminal, without columns that can be spared if it must.

    Args:
        rows: The cells by heading, at least one row.
        spare: The columns that may go, the first of them first.
    """
    from rich.console import Console
    from rich.measure import Measurement

    console, left_out = Console(), list[str]()
    while True:
        names = [name for name in rows[0] if name not in left_out]
        table = columns(*names)
        for row in rows:
            table.add_row(*(row[name] for name in names))
        width = Measurement.get(console, console.options.update(max_width=1000), table).maximum
        if not console.is_terminal or width <= console.width or len(left_out) == len(spare):
            break
        left_out.append(spare[len(left_out)])
    print_table(table)
    if left_out:
        say(f"left out for want of room: {', '.join(left_out)} (a wider window, or --json)")
