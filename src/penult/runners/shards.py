"""The shards of a run: how many images are computed together, and which."""

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from penult.extraction.plan import Plan
from penult.store import File

MOST_ROWS = 4000  # of a shard
LEAST_ROWS = 1000  # of many: each is a fragment, which all later versions of the table name
FEW = 32  # rows of a shard at least, however few images there are
SHARES = 8  # shards that a core gets at least, so that none waits long for the last ones


class Shard(NamedTuple):
    """Images that are computed together.

    Attributes:
        number: Its place, from 0.
        files: The images as they were listed.
    """

    number: int
    files: Sequence[File]


class Shards:
    """The images of a plan as shards, in their order, while more are being listed.

    Args:
        plan: The images.
        cores: How many cores compute them.
        most: Rows that a fragment of the table may have.

    Attributes:
        number: The next one's.
    """

    def __init__(self, plan: Plan, cores: int, most: int) -> None:
        self._plan, self._left = plan, iter(plan)
        self._cores, self._most = cores, most
        self._drawn: list[File] = []  # the next one's, as far as they were needed
        self._taken = self.number = 0

    @property
    def is_over(self) -> bool:
        """Whether there are no more, and none will come."""
        return not (self._plan.is_listing(0) or self._draw(1))

    def take(self) -> Shard | None:
        """The next one; None if there is none, or not yet."""
        is_listing = self._plan.is_listing(0)
        rows = shard_rows(len(self._plan), self._cores, self._most)
        if is_listing:
            rows = max(rows, min(LEAST_ROWS, self._most))
            if len(self._plan) - self._taken < rows:
                return None
        if not self._draw(rows):
            return None
        shard = Shard(self.number, self._drawn)
        self._drawn = []
        self._taken += len(shard.files)
        self.number += 1
        return shard

    def _draw(self, rows: int) -> int:
        """Have that many images at hand, or all that are left; tells how many."""
        more = islice(self._left, max(0, rows - len(self._drawn)))
        self._drawn.extend(job.file for job in more)
        return len(self._drawn)


def shard_rows(images: int, cores: int, most: int) -> int:
    """How many images a shard has.

    Args:
        images: How many there are to compute.
        cores: On how many cores.
        most: Rows that a fragment of the table may have.
    """
    least = min(LEAST_ROWS, max(FEW, images // LEAST_ROWS))
    return max(1, min(MOST_ROWS, most, max(least, images // (SHARES * cores))))
