"""The whole job: list the images, leave out what is known, compute the rest, store as it goes."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING

from penult.extraction.plan import Plan
from penult.images import Readable, Source
from penult.model.model import Model
from penult.model.stream import Outcome
from penult.store import File, Row, TableWriter
from penult.util.notebook import shown
from penult.util.progress import Counts, Timings
from penult.util.signals import delay_stops

if TYPE_CHECKING:
    from penult.extraction.backlog import Job

COMMIT_ROWS = 256
COMMIT_SECONDS = 2.0


Progress = Callable[[Counts], None]
Compute = Callable[[TableWriter, Model, Plan, Counts, Progress], None]


def fill(
    table: TableWriter,
    model: Model,
    source: Source,
    *,
    retry_failed: bool,
    checksum: bool,
    prune: bool,
    progress: Progress | None,
    compute: Compute | None = None,
) -> Counts:
    """Give each image a row in a table of the model's features, as `penult.extract` describes it.

    Args:
        table: The table.
        model: What makes its features.
        source: All images that there are now, whether the table has them or not.
        retry_failed: As in `extract`.
        checksum: As in `extract`.
        prune: As in `extract`.
        progress: As in `extract`.
        compute: Gives the images that the table lacks their rows; by default this process does.

    Returns:
        What it came to.
    """
    table.note(model.recipe.weights_notes)
    counts, show = Counts(listing=True), shown(progress)
    how = {"retry_failed": retry_failed, "checksum": checksum, "prune": prune}
    with Plan(table, source, **how) as plan:

        def report(counts: Counts) -> None:
            plan.update(counts)
            show(counts)

        report(counts)
        (compute or _compute)(table, model, plan, counts, report)
        report(counts)
    return counts


def _compute(
    table: TableWriter, model: Model, plan: Plan, counts: Counts, report: Progress
) -> None:
    """Compute what the table lacks and commit it bit by bit; what is computed is always kept."""
    rows: list[Row] = []
    waiting: deque[Job] = deque()  # images that are being computed
    last_commit = monotonic()

    def images() -> Iterator[Readable]:
        for job in plan:
            waiting.append(job)
            yield job.item.image

    try:
        with closing(model.stream(images(), counts.timings)) as outcomes:
            for outcome in outcomes:
                rows.append(row_of(waiting.popleft().decoded, outcome))
                counts.count(ok=outcome.error is None)
                report(counts)
                if len(rows) == COMMIT_ROWS or monotonic() - last_commit > COMMIT_SECONDS:
                    _commit(table, rows, counts.timings)
                    last_commit = monotonic()
    finally:
        _commit(table, rows, counts.timings)
    with delay_stops():
        table.compact()


def _commit(table: TableWriter, rows: list[Row], timings: Timings) -> None:
    started = monotonic()
    ready = rows.copy()
    rows.clear()  # first: rows that can't be written are not tried twice
    if ready:
        with delay_stops():
            table.append(ready)
    timings.writing += monotonic() - started


def row_of(file: File, outcome: Outcome) -> Row:
    """The row of an image, with what was known of its file when it was decoded."""
    return Row(
        key=file.key,
        bytes=file.bytes,
        mtime_ns=file.mtime_ns,
        path=file.path,
        sha256=file.sha256,
        width=outcome.width,
        height=outcome.height,
        vectors=outcome.vectors or None,
        error=str(outcome.error) if outcome.error else None,
    )
