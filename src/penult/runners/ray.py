"""`extract` on a Ray cluster: the driver, which hands out shards and commits what comes back.

Ray carries shards to actors (`extractor`) and their answers back; it keeps nothing that has to
last. Rows lie in the table's folder before the driver hears of them, and are in the table once it
has committed them, in the order of the images: whoever dies, a rerun does what isn't there.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from typing import Any

from penult.errors import MissingExtraError, UsageError
from penult.extraction.plan import Plan
from penult.extraction.run import COMMIT_SECONDS, Compute, Progress
from penult.model.model import Model
from penult.runners.extractor import Done, Heard, Work
from penult.runners.pool import Answer, Pool
from penult.runners.shards import LEAST_ROWS, Shard, Shards
from penult.store import TableWriter
from penult.store.parts import probe
from penult.util.machine import WORKER
from penult.util.progress import Counts
from penult.util.signals import delay_stops
from penult.util.text import one_line, quoted

SHOW_SECONDS = 0.5  # after which it is told how much is listed
CONNECT_SECONDS = 10.0  # that a cluster's head may take to answer
CORES = 1  # that an extractor takes

_SILENCE = "RAY_DEDUP_LOGS_SKIP_REGEX"  # read when Ray is imported
_HOW = "name the address of a cluster that runs (HOST:PORT), or auto on one of its machines"


def on_ray(address: str) -> Compute:
    """What computes rows on a Ray cluster, for `penult.extraction.run.fill`.

    Args:
        address: `auto` for the cluster that this machine is part of, or where its head listens,
            `HOST:PORT`. Penult never starts a cluster.

    Raises:
        UsageError: It is no such address.
        MissingExtraError: Ray isn't installed.
    """
    if "://" in address:
        raise UsageError(
            f"--ray {quoted(address)}: a client's address reaches no files: run this command on a "
            "machine of the cluster (ray job submit), with --ray auto"
        )
    if address in {"", "local"}:
        raise UsageError(
            f"--ray {quoted(address)}: Penult starts no cluster, which others might reach: {_HOW}; "
            "on one machine the plain command uses all cores"
        )
    _ray()

    def compute(
        table: TableWriter, model: Model, plan: Plan, counts: Counts, report: Progress
    ) -> None:
        while plan.is_listing(SHOW_SECONDS) and len(plan) < LEAST_ROWS:
            report(counts)
        report(counts)  # which settles what waited for the list's end
        if len(plan):
            _Run(table, model, counts, report).compute(address, plan)

    return compute


def _ray() -> Any:  # noqa: ANN401 -- a module that may not be there
    """Ray, which says on standard output who died, as results are said, unless told not to."""
    is_ours = "ray" not in sys.modules and _SILENCE not in os.environ
    if is_ours:
        os.environ[_SILENCE] = "^"  # all lines
    try:
        import ray
    except ImportError:
        raise MissingExtraError("extract on a cluster", "ray") from None
    finally:
        if is_ours:
            del os.environ[_SILENCE]
    return ray


class _Run:
    """One run: what comes from the extractors, counted and committed in order."""

    def __init__(self, table: TableWriter, model: Model, counts: Counts, report: Progress) -> None:
        recipe = model.recipe
        if recipe.device != "cpu":
            raise UsageError(
                f"--device {recipe.device} and --ray: on a cluster networks run on processors yet"
            )
        self._table, self._counts, self._report = table, counts, report
        self._recipe = replace(recipe, weights=recipe.weights.resolve())
        self._finished: dict[int, tuple[Shard, Done]] = {}  # that wait for those before them
        self._next = 0  # the first shard that isn't in the table
        self._committed = monotonic()

    def compute(self, address: str, plan: Plan) -> None:
        """Give all images a row, or as many as there are when it is stopped."""
        with connected(address) as ray, probe(self._table.path) as token:
            work = Work(
                self._recipe,
                self._table.path.resolve(),
                self._table.kind,
                token,
                self._recipe.notes["versions"],
                CORES,
            )
            memory = CORES * WORKER + 2 * sum(self._recipe.weights_files.values())
            with Pool(ray, work, memory) as pool:
                shards = Shards(plan, pool.slots * CORES, self._table.fragment_rows)
                try:
                    for answer in pool.run(shards):
                        self._take(pool, answer)
                finally:
                    self._commit(pool)
        with delay_stops():
            self._table.compact()
            self._table.clean()

    def _take(self, pool: Pool, answer: Answer | None) -> None:
        if answer and isinstance(answer.said, Done):
            self._finished[answer.shard.number] = answer.shard, answer.said
            self._counts.timings.add(answer.said.timings)
        if self._next in self._finished and monotonic() - self._committed > COMMIT_SECONDS:
            self._commit(pool)
        self._show(pool)

    def _commit(self, pool: Pool) -> None:
        """Save the shards that are finished, up to the first that isn't."""
        ready = []
        while self._next in self._finished:
            ready.append(self._finished.pop(self._next))
            self._next += 1
        if ready:
            with delay_stops():
                self._table.adopt([(shard.files, done.part) for shard, done in ready])
            for _, done in ready:
                self._counts.failed += len(done.part.errors)
                self._counts.ok += done.part.rows - len(done.part.errors)
        pool.saved = self._next
        self._committed = monotonic()

    def _show(self, pool: Pool) -> None:
        """Report what is saved, and beside it what is known of the rest."""
        heard = [*pool.heard(), *(_heard(done) for _, done in self._finished.values())]
        self._counts.nodes = pool.nodes
        self._report(
            replace(
                self._counts,
                ok=self._counts.ok + sum(each.ok for each in heard),
                failed=self._counts.failed + sum(each.failed for each in heard),
            )
        )


def _heard(done: Done) -> Heard:
    return Heard(done.part.rows - len(done.part.errors), len(done.part.errors))


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Be part of a cluster as its driver, unless the caller is one already; yields Ray.

    Raises:
        UsageError: There is no cluster at the address.
    """
    ray = _ray()
    if ray.is_initialized():
        yield ray
        return
    if address != "auto":
        _require_listener(address)
    with _own_sigterm():
        try:
            ray.init(
                address=address, log_to_driver=False, configure_logging=False, logging_level="error"
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"no Ray cluster at {quoted(address)}: {one_line(str(error).strip())}; {_HOW}"
            ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _require_listener(address: str) -> None:
    """Refuse an address where nothing listens, which Ray would go on asking for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise UsageError(f"no Ray cluster at {quoted(address)}: {error}; {_HOW}") from error


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep what SIGTERM does, which Ray would have exit in the middle of a commit."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
