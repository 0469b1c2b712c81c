"""The whole job: list the images, leave out what is known, compute the rest, store as it goes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from penult.errors import UsageError
from penult.extraction import changes
from penult.extraction.changes import Job
from penult.images import ImageFile, find_images, scope
from penult.model.model import Model, load_classifier
from penult.model.recipe import ModelOptions, takes_options
from penult.model.stream import Outcome
from penult.store import Row, TableWriter
from penult.util.checks import require_at_least
from penult.util.progress import Counts, Timings, show_nothing
from penult.util.signals import held_back

Sources = str | Path | Sequence[str | Path]

COMMIT_ROWS = 256
COMMIT_SECONDS = 2.0


Progress = Callable[[Counts], None]


def fill(
    table: TableWriter,
    model: Model,
    files: Sequence[ImageFile],
    *,
    retry_failed: bool,
    checksum: bool,
    prune: Sources,
    progress: Progress | None,
) -> None:
    """Give each file a row in a table of the model's features, as `penult.extract` describes it.

    Args:
        table: The table.
        model: What makes its features.
        files: All images that there are now, whether the table has them or not.
        retry_failed: As in `extract`.
        checksum: As in `extract`.
        prune: Sources whose rows are removed if their file has gone.
        progress: As in `extract`.
    """
    todo = changes.plan(files, table.known(), checksum=checksum, retry_failed=retry_failed)
    counts = _adopt(table, todo, files)
    if prune:
        counts.removed = _prune(table, files, prune)
    _compute(table, model, todo.compute, counts, progress or show_nothing)


@dataclass(frozen=True, slots=True)
class Classification:
    """The likeliest classes of one image, or the error that left it without."""

    key: str
    classes: tuple[tuple[str, float], ...] = ()  # (name, probability), the likeliest first
    error: str | None = None


@takes_options("layer", "pool")
def classify(
    sources: Sources = (),
    model: str | Model | None = None,
    *,
    k: int = 5,
    from_file: str | Path | None = None,
    **options: Unpack[ModelOptions],
) -> Iterator[Classification]:
    """Yield the `k` likeliest classes of each image.

    Sources and model are those of `extract`; options are those of `load_model` but for
    layer and pool.

    Raises:
        SourceError: A source doesn't exist.
        UsageError, CheckpointError, NetworkError: See `load_model`.
    """
    require_at_least(1, "k", k)
    files = find_images(listed(sources), from_file=from_file)
    if not isinstance(model, Model):
        classifier = load_classifier(model, **options)
    elif options:
        raise UsageError(f"a Model has its {', '.join(options)}: give them to load_model")
    else:
        classifier = model.classifier
    return classified(files, classifier, classifier.classes, k)


def classified(
    files: Sequence[ImageFile],
    model: Model,
    classes: Sequence[str],
    k: int,
    logits: Callable[[NDArray[np.float32]], NDArray[np.floating]] = np.ravel,
) -> Iterator[Classification]:
    """Yield the likeliest of `classes` for each image, by what `logits` makes of its features."""
    with closing(model.stream(file.path for file in files)) as outcomes:
        for file, outcome in zip(files, outcomes, strict=True):
            if outcome.error:
                yield Classification(file.key, error=str(outcome.error))
            else:
                (vector,) = outcome.vectors.values()
                yield Classification(file.key, _likeliest(logits(vector), classes, k))


def _adopt(table: TableWriter, todo: changes.Plan, files: Sequence[ImageFile]) -> Counts:
    """Keep the rows whose features are right for other files now; what can't be is to compute."""
    counts = Counts(listed=len(files), skipped=todo.skipped)
    moved = any(row != key for key, (row, _) in todo.adopt.items())
    heirs = changes.heirs(todo, files, table.paths() if moved else {})
    adopted = table.adopt(heirs)
    counts.skipped += len(adopted)
    counts.moved = sum(heir.file.key in adopted and not heir.is_own for heir in heirs)
    todo.compute += [job for key, (_, job) in todo.adopt.items() if key not in adopted]
    return counts


def _prune(table: TableWriter, files: Sequence[ImageFile], sources: Sources) -> int:
    gone = changes.gone(files, table.paths(), scope(sources))
    table.remove(gone)
    return len(gone)


def _compute(
    table: TableWriter, model: Model, todo: Sequence[Job], counts: Counts, report: Progress
) -> None:
    """Compute what the table lacks and commit it bit by bit; what is computed is always kept."""
    report(counts)
    rows: list[Row] = []
    last_commit = monotonic()
    try:
        with closing(model.stream((job.path for job in todo), counts.timings)) as outcomes:
            for job, outcome in zip(todo, outcomes, strict=True):
                rows.append(_row(job, outcome))
                counts.count(ok=outcome.error is None)
                report(counts)
                if len(rows) == COMMIT_ROWS or monotonic() - last_commit > COMMIT_SECONDS:
                    _commit(table, rows, counts.timings)
                    last_commit = monotonic()
    finally:
        _commit(table, rows, counts.timings)
    with held_back():
        table.compact()


def _commit(table: TableWriter, rows: list[Row], timings: Timings) -> None:
    started = monotonic()
    ready = rows.copy()
    rows.clear()  # first: rows that can't be written are not tried twice
    if ready:
        with held_back():
            table.append(ready)
    timings.writing += monotonic() - started


def _row(job: Job, outcome: Outcome) -> Row:
    file = job.file
    return Row(
        key=file.key,
        bytes=file.bytes,
        mtime_ns=file.mtime_ns,
        path=file.path,
        sha256=changes.true_digest(job),
        width=outcome.width,
        height=outcome.height,
        vectors=outcome.vectors or None,
        error=str(outcome.error) if outcome.error else None,
    )


def listed(sources: Sources) -> Sequence[str | Path]:
    """Sources as a sequence, a single one too."""
    return [sources] if isinstance(sources, str | Path) else sources


def _likeliest(
    logits: NDArray[np.floating], classes: Sequence[str], k: int
) -> tuple[tuple[str, float], ...]:
    exponentials = np.exp(logits - logits.max())
    probabilities = exponentials / exponentials.sum()
    best = np.argsort(-probabilities, kind="stable")[:k]
    return tuple((classes[i], float(probabilities[i])) for i in best)
