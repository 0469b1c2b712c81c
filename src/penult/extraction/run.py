"""The whole job: list the images, leave out what is known, compute the rest, store as it goes."""

from collections.abc import Callable, Sequence
from contextlib import closing
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any, Unpack

from penult.errors import UsageError
from penult.extraction.changes import Changes, Job
from penult.images import Source, Sources, find_images, several
from penult.models.model import Model, ModelOptions, load_model
from penult.models.stream import Outcome
from penult.store import Features, FeatureTable, Row, open_features
from penult.util.progress import Counts, Timings
from penult.util.signals import held_back

FILES = {".npz", ".npy", ".parquet", ".csv", ".pkl", ".h5"}  # that `export` writes
COMMIT_ROWS = 256
COMMIT_SECONDS = 2.0
MODULES = ("penult", "numpy", "onnxruntime", "PIL", "lance")  # whose versions a table records


Progress = Callable[[Counts], None]


def extract(
    sources: Sources = (),
    model: str | Model | None = None,
    *,
    out: str | Path | None = None,
    from_file: str | Path | None = None,
    retry_failed: bool = False,
    checksum: bool = False,
    prune: bool = False,
    progress: Progress | None = None,
    **options: Unpack[ModelOptions],
) -> Features:
    """Compute the features of images and store them in a table, one row an image.

    Run it again to continue: images that the table has are left alone unless their size or time of
    change did. An image that fails costs its row only; see `Features.failures`.

    Args:
        sources: Files, folders (searched recursively) and globs.
        model: A model, or a network's name.
        out: The table, a folder; by default named after the first source, in the current folder.
        from_file: A text file with a path a line; `-` is standard input.
        retry_failed: Try images again that failed, although they haven't changed.
        checksum: Read all files to tell by their content whether they changed. What has moved, or
            was copied, since a run with `checksum` keeps its features under its new name.
        prune: Remove the rows of files that have gone from the folders and patterns in `sources`.
        progress: Called with the counts so far at the start and after each image.
        options: Those of `load_model`: weights, layer, pool, size, preprocess, decode, ema,
            exact, max_pixels, max_bytes.

    Raises:
        SourceError: A source doesn't exist.
        StoreError: The table can't be written, or holds features of another kind.
        UsageError, CheckpointError, NetworkError: See `load_model`.

    Example:
        >>> import penult
        >>> features = penult.extract("examples/photos", out="photos.lance")  # doctest: +SKIP
    """
    path = _table_path(out) if out else table_name(sources, from_file)
    if prune and not several(sources):
        raise UsageError("a list doesn't say what has gone: prune needs a folder or a pattern")
    source = find_images(sources, from_file=from_file)
    if not isinstance(model, Model):
        model = load_model(model, **options)
    elif options:
        raise UsageError(f"a Model has its {', '.join(options)}: give them to load_model")
    with FeatureTable.open_or_create(path, model.outputs, provenance(model)) as table:
        changes = Changes(source, table.known(), checksum=checksum, retry_failed=retry_failed)
        counts, jobs = _reassign(table, changes)
        if prune:
            counts.removed = _prune(table, changes, source)
        _compute(table, model, jobs, counts, progress or (lambda counts: None))
    features = open_features(path)
    features.recovered = features.recovered or table.recovered
    return features


def table_name(sources: Sources, from_file: str | Path | None = None) -> Path:
    """Name a table after the first source: `photos/` gives `photos.lance`, here."""
    first = Path(next(iter(several(sources)), from_file or "")).resolve()
    stem = first.name if first.is_dir() else first.stem
    return Path(f"{stem if first.exists() else 'features'}.lance")


def _table_path(out: str | Path) -> Path:
    path = Path(out)
    if path.suffix in FILES:
        table = path.with_suffix(".lance")
        raise UsageError(f"a table is a folder: extract to {table}, then export it to {path}")
    return path


def provenance(model: Model) -> dict[str, Any]:
    """Say what made a table: rows of anything else are refused in it."""
    return {
        "network": model.network.name,
        "weights": model.network.path.name,
        "weights_path": str(model.network.path.resolve()),
        "weights_sha256": model.network.digest(),
        "ema": model.network.ema,
        "exact": model.network.exact,
        "pool": model.pool,
        "size": model.network.size,
        "preprocess": model.preprocess,
        "preprocessing": str(model.preprocessing),
        "decode": model.decode,
        "versions": {name: import_module(name).__version__ for name in MODULES},
    }


def _reassign(table: FeatureTable, changes: Changes) -> tuple[Counts, list[Job]]:
    """Keep the rows whose features are right for other files now; return what is to compute."""
    counts = Counts(listed=len(changes.keys), skipped=changes.skipped)
    asked = changes.reassignments(table.paths)
    given = table.reassign(asked)
    counts.skipped += len(given)
    counts.moved = sum(each.file.key in given and not each.keeps_key for each in asked)
    return counts, changes.remaining(given)


def _prune(table: FeatureTable, changes: Changes, source: Source) -> int:
    gone = changes.gone(table.paths(), source.covers)
    table.remove(gone)
    return len(gone)


def _compute(
    table: FeatureTable, model: Model, jobs: Sequence[Job], counts: Counts, report: Progress
) -> None:
    """Compute what the table lacks and commit it bit by bit; what is computed is always kept."""
    report(counts)
    rows: list[Row] = []
    last_commit = monotonic()
    try:
        with closing(model.stream((job.item.image for job in jobs), counts.timings)) as outcomes:
            for job, outcome in zip(jobs, outcomes, strict=True):
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


def _commit(table: FeatureTable, rows: list[Row], timings: Timings) -> None:
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
        sha256=job.decoded_digest(),
        width=outcome.width,
        height=outcome.height,
        vectors=outcome.vectors or None,
        error=str(outcome.error) if outcome.error else None,
    )
