"""Progress on a terminal, on standard error; silent in a pipe. What it comes to, in a sentence."""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from penult.cli.voice import is_quiet
from penult.util.progress import Counts
from penult.util.text import plural

if TYPE_CHECKING:
    from rich.progress import ProgressColumn


def sentence(counts: Counts) -> str:
    """Sum up the counts of a run."""
    before = f", {counts.failed_before} failed before" if counts.failed_before else ""
    found = {"moved": counts.moved, "under another name": counts.renamed}
    where = ", ".join(f"{count} {how}" for how, count in found.items() if count)
    removed = f", {counts.removed} gone and removed" if counts.removed else ""
    return (
        f"{counts.listed} images: {counts.ok} computed, {counts.failed} failed{before}, "
        f"{counts.skipped} already there{where and f' ({where})'}{removed}, "
        f"in {counts.seconds:.1f} s ({counts.rate:.1f} images/s)"
    )


class _Bar:
    """A bar that appears when it is first drawn, and goes when its block ends."""

    def __init__(self) -> None:
        self._bar: Any = None

    def stop(self) -> None:
        """Remove the bar from the screen."""
        if self._bar:
            self._bar.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _draw(
        self,
        columns: Callable[[], list["ProgressColumn"]],
        done: int,
        total: int | None,
        **texts: str,
    ) -> None:
        if is_quiet() or not sys.stderr.isatty():
            return
        if not self._bar:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(*columns(), console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", **texts)
            self._bar.start()
        self._bar.update(self._task, completed=done, total=total, **texts)


class Progress(_Bar):
    """Images done, images/s, time left, failures; `counts` holds the last that were shown."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counts()

    def show(self, counts: Counts) -> None:
        """Draw the counts so far."""
        self.counts = counts
        rate = f"{counts.rate:.1f} images/s"
        failed = f"{counts.failed} failed" if counts.failed else ""
        nodes = plural(counts.nodes, "node") if counts.nodes else ""
        texts = {"rate": rate, "failed": failed, "nodes": nodes}
        total = None if counts.listing else counts.listed
        self._draw(_image_columns, counts.done, total, **texts)


class DownloadProgress(_Bar):
    """Bytes done, bytes/s, time left."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def show(self, done: int, total: int | None) -> None:
        """Draw the bytes so far."""
        self._draw(_byte_columns, done, total, name=self._name)


class StepProgress(_Bar):
    """Steps done, time taken: steps aren't alike. What turns shows that a long one goes on."""

    def show(self, done: int, total: int) -> None:
        """Draw the steps so far."""
        self._draw(_step_columns, done, total)


def _image_columns() -> list["ProgressColumn"]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    return [
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[nodes]}"),
        TextColumn("[red]{task.fields[failed]}"),
    ]


def _byte_columns() -> list["ProgressColumn"]:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return [
        TextColumn("{task.fields[name]}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    ]


def _step_columns() -> list["ProgressColumn"]:
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TimeElapsedColumn

    return [SpinnerColumn(), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()]
