"""The extractors of a run: as many as the cluster has room for, and a shard for each.

Shards go only to extractors that have answered, as one that is starting may never start; the shard
of a lost one goes first to the next that is free, as commits are in order and wait for it.
"""

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from time import monotonic, sleep
from types import TracebackType
from typing import Any, NamedTuple, Self

from penult.errors import MachineError, UsageError
from penult.runners.extractor import Done, Extractor, Heard, Ready, Refusal, Work
from penult.runners.shards import Shard, Shards
from penult.util.text import one_line, plural, quoted

WINDOW = 2  # shards an extractor that are handed out, at most, beyond the first that isn't saved
STAFF_SECONDS = 5.0  # after which the cluster is looked at again
WAIT_SECONDS = 1.0  # after which the pool looks up, if nothing is heard
GATHER_SECONDS = 0.02  # that answers are gathered for: each look at all of them has its price
SILENT_SECONDS = 60.0  # after which it is said that nothing has started yet
QUIET_SECONDS = 6.0  # after which an extractor that is at work is asked whether it is there
LOST_SECONDS = 18.0  # after which it is taken for lost; Ray itself may take 80 s to notice a cut
TRIES = 5  # lost extractors that a shard, or a machine where none ever started, may cost
_PINGS = "pings"  # which are answered while a shard is computed

NOTHING = Heard(0, 0)


class Answer(NamedTuple):
    """What an extractor said of its shard."""

    shard: Shard
    said: Heard | Done


@dataclass(eq=False)
class _Member:
    """An extractor, and what it is doing."""

    actor: Any
    node: str
    is_ready: bool = False  # it has answered
    shard: Shard | None = None
    heard: Heard = NOTHING
    last: float = 0.0  # when it last said anything
    ping: Any = None  # the question whether it is there, if it hasn't been answered


@dataclass
class _Node:
    """A machine of the cluster."""

    name: str
    was_first: bool  # it was there when the run began
    failed: int = 0  # extractors that were lost before one has ever started
    next_try: float = 0.0
    is_barred: bool = False


class Pool:
    """Extractors on the machines of a cluster; close it or use it in a `with`.

    Args:
        ray: Ray, which is connected.
        work: What they do.
        memory: Bytes that each needs.

    Attributes:
        saved: The first shard that isn't in the table; whoever commits says so.
        slots: How many extractors the cluster has room for.

    Raises:
        UsageError: It has room for none.
    """

    def __init__(self, ray: Any, work: Work, memory: int) -> None:  # noqa: ANN401 -- a module
        self._ray = ray
        self._cores, self._memory = work.cores, memory
        self._work = ray.put(work)
        self._members: list[_Member] = []
        self._asked: dict[Any, _Member] = {}  # by what an answer will come from
        self._again: list[tuple[int, Shard]] = []  # shards of lost extractors, the first one first
        self._losses: Counter[int] = Counter()  # by shard
        self._nodes: dict[str, _Node] = {}
        self._began = monotonic()
        self._has_warned = False
        self._looked = 0.0
        self.saved = self.slots = 0
        self._staff()
        if not self.slots:
            raise UsageError(f"no machine of the cluster has room for {self._needs}: add one")

    @property
    def _needs(self) -> str:
        return f"{plural(self._cores, 'core')} and {self._memory / 1e9:.1f} GB of memory"

    @property
    def nodes(self) -> int:
        """How many machines are at work."""
        return len({member.node for member in self._members if member.shard})

    def heard(self) -> list[Heard]:
        """How far the shards are that are being computed."""
        return [member.heard for member in self._members if member.shard]

    def run(self, shards: Shards) -> Iterator[Answer | None]:
        """Have shards computed; yields what is heard of them in any order, and None now and then.

        Raises:
            MachineError: A machine that was there at the start, or all there are, can't do it; or
                a shard has cost several extractors.
        """
        self._staff()
        while self._give_out(shards):
            yield from self._hear()
            self._miss()
            yield None
            self._staff()

    def _give_out(self, shards: Shards) -> bool:
        """Give shards to extractors that are free; tell whether there is more to wait for."""
        ahead = self.saved + WINDOW * len(self._members)
        for member in [each for each in self._members if each.is_ready and not each.shard]:
            if self._again:
                self._give(member, heappop(self._again)[1])
            elif shards.number < ahead and (shard := shards.take()):
                self._give(member, shard)
        return bool(self.heard() or self._again or not shards.is_over)

    def _staff(self) -> None:
        """Start extractors where there is room for more; machines come and go."""
        now = monotonic()
        if now - self._looked < STAFF_SECONDS:
            return
        alive = [node for node in self._ray.nodes() if node["Alive"]]
        room = {node["NodeID"]: self._room(node["Resources"]) for node in alive}
        for found in alive:
            name = found["NodeManagerHostname"]
            self._nodes.setdefault(found["NodeID"], _Node(name, was_first=not self._looked))
        self._looked = now
        usable = {each: n for each, n in room.items() if not self._nodes[each].is_barred}
        self.slots = sum(usable.values())
        there = Counter(member.node for member in self._members)
        for node, slots in usable.items():
            if now >= self._nodes[node].next_try:
                for _ in range(slots - there[node]):
                    self._start(node)
        self._complain(now)

    def _room(self, resources: dict[str, float]) -> int:
        cores, memory = resources.get("CPU", 0), resources.get("memory", 0)
        return int(min(cores // self._cores, memory // self._memory))

    def _complain(self, now: float) -> None:
        if not self._members and any(node.is_barred for node in self._nodes.values()):
            raise MachineError("no machine of the cluster is left that can do this: add others")
        silent = not any(member.is_ready for member in self._members)
        if silent and not self._has_warned and now - self._began > SILENT_SECONDS:
            self._has_warned = True
            warnings.warn(
                f"no extractor has started yet; each needs {self._needs} that no other job has",
                stacklevel=2,
            )

    def _start(self, node: str) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        kind = self._ray.remote(concurrency_groups={_PINGS: 1})(Extractor).options(
            num_cpus=self._cores,
            memory=self._memory,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        member = _Member(kind.remote(self._work), node)
        self._members.append(member)
        self._asked[member.actor.start.remote()] = member

    def _give(self, member: _Member, shard: Shard) -> None:
        member.shard, member.heard, member.last = shard, NOTHING, monotonic()
        answers = member.actor.extract.options(num_returns="streaming").remote(shard.files)
        self._asked[answers] = member

    def _hear(self) -> Iterator[Answer]:
        """Wait for answers, if only for a moment, and yield those that are of shards."""
        asked = list(self._asked)
        if not asked:
            sleep(WAIT_SECONDS)
            return
        ready, rest = self._ray.wait(asked, timeout=WAIT_SECONDS, fetch_local=False)
        if ready and rest:
            more, _ = self._ray.wait(
                rest, num_returns=len(rest), timeout=GATHER_SECONDS, fetch_local=False
            )
            ready += more
        for source in ready:
            member = self._asked[source]
            shard, member.last = member.shard, monotonic()
            try:
                said = self._ray.get(next(source) if shard else source)
            except self._ray.exceptions.RayTaskError:
                raise  # a bug
            except self._ray.exceptions.RayError as error:
                self._lose(self._drop(source), str(error).strip())
                continue
            if isinstance(said, Refusal):
                self._drop(source)
                self._bar(self._nodes[member.node], said.reason)
            elif isinstance(said, Ready):
                del self._asked[source]
                member.is_ready, self._nodes[member.node].failed = True, 0
            elif shard:
                member.heard = said if isinstance(said, Heard) else member.heard
                if isinstance(said, Done):
                    del self._asked[source]
                    member.shard = None
                yield Answer(shard, said)

    def _miss(self) -> None:
        """Find out who isn't there any more, although nobody has said so."""
        now = monotonic()
        for source, member in [*self._asked.items()]:
            if not member.shard:
                continue
            if member.ping is not None and self._is_answered(member.ping):
                member.last, member.ping = now, None
            if now - member.last > LOST_SECONDS:
                self._lose(self._drop(source), "it answers no more")
            elif now - member.last > QUIET_SECONDS and member.ping is None:
                member.ping = member.actor.ping.options(concurrency_group=_PINGS).remote()

    def _is_answered(self, ping: object) -> bool:
        try:
            self._ray.get(ping, timeout=0)
        except self._ray.exceptions.RayError:
            return False
        return True

    def _drop(self, source: object) -> _Member:
        """Let an extractor go; its shard, if it had one, is another's."""
        member = self._asked.pop(source)
        self._members.remove(member)
        self._ray.kill(member.actor)
        if member.shard:
            heappush(self._again, (member.shard.number, member.shard))
        return member

    def _lose(self, member: _Member, error: str) -> None:
        """Note that an extractor died or can't be reached."""
        node, shard = self._nodes[member.node], member.shard
        reason = one_line(error.rpartition("\n")[2])
        if shard:
            self._losses[shard.number] += 1
            if self._losses[shard.number] >= TRIES:
                raise MachineError(
                    f"{TRIES} extractors were lost at images {quoted(shard.files[0].key)} to "
                    f"{quoted(shard.files[-1].key)}: {reason}; run again to go on"
                )
        elif not member.is_ready:
            node.failed += 1
            node.next_try = monotonic() + STAFF_SECONDS * 2**node.failed
            if "creation task" in error or node.failed >= TRIES:
                self._bar(node, f"no extractor starts: {reason}")

    def _bar(self, node: _Node, reason: str) -> None:
        """Use a machine no more; one that was there from the start is a reason to stop."""
        message = f"machine {quoted(node.name)} of the cluster: {reason}"
        if node.was_first:
            raise MachineError(f"{message}; what was saved is safe, run again to go on")
        if not node.is_barred:
            node.is_barred = True
            warnings.warn(f"{message}; it is left out", stacklevel=2)

    def close(self) -> None:
        """End all extractors; what they haven't answered is lost."""
        for member in self._members:
            self._ray.kill(member.actor)
        self._members.clear()
        self._asked.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()
