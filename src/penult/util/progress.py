"""How far a run is, and where its time went."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from time import monotonic
from typing import TypeAlias

Steps: TypeAlias = Callable[[int, int], object]  # is called with the steps done and their number


def show_nothing(*counts: object) -> None:
    """Take the place of a function that shows progress."""


class Stages:
    """Counts the stages of a call for a function that shows progress.

    Args:
        show: The function.
        total: How many stages there are, at most.
    """

    def __init__(self, show: Steps, total: int) -> None:
        self._show, self._done, self._total = show, 0, total
        show(0, total)

    def advance(self) -> None:
        """Tell that one more is done."""
        self._done += 1
        self._show(self._done, self._total)

    def finish(self) -> None:
        """Tell that all are."""
        self._show(self._total, self._total)


@dataclass(slots=True)
class Timings:
    """Where the time of a run went, in seconds.

    Decoding, preprocessing and the network are summed over cores; of reading, writing and waiting
    for outcomes it is time by the clock, while cores may be at work.

    Attributes:
        reducible: The part of decoding that JPEGs took which `fast` would make smaller.
    """

    reading: float = 0.0
    decoding: float = 0.0
    reducible: float = 0.0
    preprocessing: float = 0.0
    network: float = 0.0
    writing: float = 0.0
    waiting: float = 0.0

    def add(self, other: "Timings") -> None:
        """Add those of another part of a run."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def working(self) -> float:
        """Seconds of all cores together."""
        return self.decoding + self.preprocessing + self.network


@dataclass(slots=True)
class Counts:
    """Numbers of images; when a run has ended, all add up.

    listed = ok + failed + failed_before + skipped
    """

    listed: int = 0  # so far, while `listing`
    ok: int = 0
    failed: int = 0
    failed_before: int = 0  # in an earlier run, and unchanged since
    skipped: int = 0  # in the table already, and unchanged since
    moved: int = 0  # of these, in another place than before
    renamed: int = 0  # of these, found under another name by their content
    removed: int = 0  # rows whose files have gone
    listing: bool = False  # whether more may be listed
    nodes: int = 0  # machines of a cluster that are at work; 0 where this one is
    started: float = field(default_factory=monotonic)
    timings: Timings = field(default_factory=Timings)

    def count(self, *, ok: bool) -> None:
        """Count one image more."""
        if ok:
            self.ok += 1
        else:
            self.failed += 1

    @property
    def failures(self) -> int:
        """How many of the listed images have no features, as they failed now or before."""
        return self.failed + self.failed_before

    @property
    def done(self) -> int:
        """How many of the listed images need nothing more."""
        return self.ok + self.failures + self.skipped

    @property
    def seconds(self) -> float:
        """How long the run has taken."""
        return monotonic() - self.started

    @property
    def rate(self) -> float:
        """Images computed a second."""
        return (self.ok + self.failed) / max(self.seconds, 1e-3)
