"""A bar in a notebook, for functions that aren't told where to show their progress."""

import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

from penult.util.progress import Counts, show_nothing

SECONDS_BEFORE = 0.5  # of a call that is over sooner nothing is shown
SECONDS_BETWEEN = 0.2  # from one drawing to the next


def shown(progress: Callable[..., Any] | None) -> Callable[..., Any]:
    """A function to call with progress: the caller's, else a bar in a notebook, else nothing."""
    if progress:
        return progress
    ipython: Any = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return NotebookBar() if hasattr(shell, "kernel") else show_nothing  # a terminal has none


class NotebookBar:
    """Draws what is done of what there is into the output of a notebook's cell."""

    def __init__(self) -> None:
        self._next = monotonic() + SECONDS_BEFORE
        self._handle: Any = None

    def __call__(self, *counts: Any) -> None:  # noqa: ANN401 -- of images or of steps
        """Draw counts of images, or the steps done and their number."""
        first = counts[0]
        is_run = isinstance(first, Counts)
        done, total = (first.done, first.listed) if is_run else counts
        is_last = self._handle is not None and done >= total and not (is_run and first.listing)
        if monotonic() < self._next and not is_last:
            return
        from IPython.display import HTML, display

        bar = f'<progress value="{done}" max="{total}"></progress> {done:,} of {total:,}'
        if self._handle is None:
            self._handle = display(HTML(bar), display_id=True)
        else:
            self._handle.update(HTML(bar))
        self._next = monotonic() + SECONDS_BETWEEN
