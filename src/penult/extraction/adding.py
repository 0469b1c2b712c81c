"""Layers that are added to a table: computed into a table within its folder, then laid beside.

So what is there is neither computed nor written again, a run that was killed goes on where it was,
and the table has the new layers for all rows or not at all.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from penult.errors import ImageError, StoreError
from penult.extraction.row_files import RowFile, same
from penult.extraction.run import Compute, Progress, fill
from penult.images import Item, Version
from penult.images.containers import item_at
from penult.model.model import Model
from penult.store import Known, TableWriter
from penult.store.versions import ADDING, versions
from penult.util.progress import Counts
from penult.util.text import quoted

_NAMED = 3  # images in a message


def add_layers(
    table: TableWriter,
    model: Model,
    order: Sequence[str],
    *,
    checksum: bool,
    before: Counts,
    progress: Progress | None,
    compute: Compute | None = None,
) -> None:
    """Give all rows of a table the layers of a model, which makes them as the table's are made.

    Args:
        table: The table.
        model: The model, up to the layers that the table lacks.
        order: All layers, as they are to be listed.
        checksum: As in `extract`.
        before: What the run has come to that brought the table up to date.
        progress: As in `extract`.
        compute: As in `fill`.

    Raises:
        StoreError: The image of a row is gone, has changed or fails; all else is saved for the
            next time.
    """

    def report(counts: Counts) -> None:
        if progress:
            failures = before.failures
            progress(
                replace(
                    counts,
                    listed=counts.listed + failures,
                    failed_before=counts.failed_before + failures,
                    removed=before.removed,
                )
            )

    recipe = model.recipe
    path = _place(table, model)
    with TableWriter.open_or_create(path, model.outputs, recipe.provenance, recipe.notes) as beside:
        source = _Rows(table.known())
        fill(
            beside,
            model,
            source,
            retry_failed=True,
            checksum=checksum,
            prune=False,
            progress=report if progress else None,
            compute=compute,
        )
        _require_all(table, beside)
        table.add_layers(beside, order)
    clear(table)


def clear(table: TableWriter) -> None:
    """Remove what was gathered of layers that the table has; what it lacks stays for later."""
    folder = table.path / ADDING
    if not folder.is_dir():
        return
    for gathered in [*folder.iterdir()]:
        if not versions(gathered):
            continue
        with TableWriter.open(gathered) as beside:
            done = beside.kind.layers.keys() <= table.kind.layers.keys()
        if done:
            shutil.rmtree(gathered)
    with suppress(OSError):  # something is left in it
        folder.rmdir()


def _place(table: TableWriter, model: Model) -> Path:
    """Where a set of layers is gathered: another set doesn't find what isn't its own."""
    what = hashlib.sha256(json.dumps(model.outputs).encode()).hexdigest()
    return table.path / ADDING / what[:16]


def _require_all(table: TableWriter, beside: TableWriter) -> None:
    """Raise a StoreError if a row has no counterpart of the same file."""
    there = beside.known()
    lacking = [
        key
        for key, row in table.known().items()
        if row.failure is None and not _is_counterpart(row, there.get(key))
    ]
    if lacking:
        some = ", ".join(map(quoted, lacking[:_NAMED])) + ", …" * (len(lacking) > _NAMED)
        first = RowFile(table.known()[lacking[0]].path or "", 0, 0)
        reason = first.refusal or _reason(there.get(lacking[0]))
        raise StoreError(
            f"{quoted(table.path)} can't get {quoted(', '.join(beside.kind.layers))}: of "
            f"{len(lacking):,} of its images no features can be computed any more, {some} "
            f"({reason}): put them back, or have their rows renewed or removed (extract their "
            "folder, --prune); the others are saved"
        )


def _is_counterpart(row: Known, other: Known | None) -> bool:
    return (
        other is not None
        and other.failure is None
        and same(row, Version(other.bytes, other.mtime_ns), other.sha256)
    )


def _reason(row: Known | None) -> str:
    return "gone" if row is None else row.failure or "changed"


class _Rows:
    """The images of a table's rows as the source of a run, those left out that failed or went."""

    metadata = ()

    def __init__(self, rows: Mapping[str, Known]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Item]:
        for key, row in self._rows.items():
            if row.failure is not None or not row.path:
                continue
            try:
                item = item_at(row.path)
                version = item.version()
            except (OSError, ValueError, ImageError):
                continue
            yield item.origin.item(key, item.place, version)

    def covers(self, place: str) -> bool:
        return False
