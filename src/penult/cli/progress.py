"""Progress on a terminal: images done, images/s, time left, failures; silent in a pipe."""

import sys
from types import TracebackType
from typing import Any, Self

from penult.counts import Counts


class Progress:
    """A progress bar on standard error; `counts` holds the last that were shown."""

    def __init__(self) -> None:
        self.counts = Counts()
        self._bar: Any = None

    def show(self, counts: Counts) -> None:
        """Draw the counts so far."""
        self.counts = counts
        if sys.stderr.isatty() and not self._bar:
            self._start(counts)
        if self._bar:
            self._bar.update(
                self._task,
                completed=counts.done,
                rate=f"{counts.rate:.1f} images/s",
                failed=f"{counts.failed} failed" if counts.failed else "",
            )

    def stop(self) -> None:
        """Remove the bar from the screen."""
        if self._bar:
            self._bar.stop()

    def _start(self, counts: Counts) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("[red]{task.fields[failed]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=counts.listed, rate="", failed="")
        self._bar.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
