"""How shards go to extractors, with a stand-in for Ray: what no cluster does on demand."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from penult.errors import MachineError, UsageError
from penult.runners import pool as pools
from penult.runners.extractor import Done, Heard, Ready, Refusal
from penult.runners.pool import Pool
from penult.runners.shards import Shards
from penult.store import File, Part
from penult.util.progress import Timings
from runners.listing import Listing

DONE = Done(Part([], 1, {}, []), Timings())


class LostError(Exception):
    """What Ray raises of a dead actor."""


class FailedError(LostError):
    """What Ray raises of an actor's own error."""


class Cluster:
    """Ray, of which `says(node, question)` gives the answers, one after another."""

    exceptions = SimpleNamespace(RayError=LostError, RayTaskError=FailedError)

    def __init__(self, says, *nodes):
        self.says, self.alive, self.killed = says, list(nodes), []

    def nodes(self):
        room = {"CPU": 1.0, "memory": 1000.0}
        return [
            {"NodeID": name, "NodeManagerHostname": name, "Alive": True, "Resources": room}
            for name in self.alive
        ]

    def put(self, value):
        return value

    def remote(self, *_, **__):
        return self if _ else lambda kind: self

    def options(self, scheduling_strategy, **_):
        return SimpleNamespace(remote=lambda work: self.actor(scheduling_strategy.node))

    def actor(self, node):
        def ask(question):
            call = SimpleNamespace(remote=lambda *files: Answers(self.says(node, question, *files)))
            return SimpleNamespace(remote=call.remote, options=lambda **_: call)

        return SimpleNamespace(
            node=node, start=ask("start"), extract=ask("extract"), ping=ask("ping")
        )

    def wait(self, asked, **_):
        ready = [each for each in asked if each.is_ready]
        return ready, [each for each in asked if each not in ready]

    def get(self, answer, timeout=None):
        peeked = timeout is not None or not isinstance(answer, Answers)
        said = getattr(answer, "left", [answer])[0] if peeked else next(answer)
        if isinstance(said, Exception):
            raise said
        return said

    def kill(self, actor):
        self.killed.append(actor.node)


class Answers:
    """What comes of a question; nothing yet, if it is None."""

    def __init__(self, answers):
        self.left = answers if isinstance(answers, list) else [answers]

    @property
    def is_ready(self):
        return bool(self.left) and self.left[0] is not None

    def __next__(self):
        return self.left.pop(0)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Strategies without Ray, and a cluster that is looked at each time."""
    strategies = ModuleType("ray.util.scheduling_strategies")
    strategies.NodeAffinitySchedulingStrategy = lambda node, soft: SimpleNamespace(node=node)
    for name in ("ray", "ray.util"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, strategies.__name__, strategies)
    monkeypatch.setattr(pools, "STAFF_SECONDS", 0.0)


def shards(count):
    """So many shards of an image each."""
    files = [File(f"{number}.jpg", 1, 1) for number in range(count)]
    return Shards(Listing(files), cores=1, most=1)


def done(pool, count):
    """The shards that come out, each saved at once if it's its turn."""
    out = []
    for answer in pool.run(shards(count)):
        if answer and isinstance(answer.said, Done):
            out.append(answer.shard.number)
            while pool.saved in out:
                pool.saved += 1
    return out


def make(cluster):
    return Pool(cluster, SimpleNamespace(cores=1), memory=100)


def test_each_shard_is_computed_once():
    heard = [Heard(1, 0), DONE]
    cluster = Cluster(lambda _, q, *__: Ready("m") if q == "start" else [*heard], "a", "b")
    with make(cluster) as pool:
        assert pool.slots == 2
        assert sorted(done(pool, 7)) == [*range(7)]
    assert sorted(cluster.killed) == ["a", "b"]


def test_a_lost_shard_goes_to_one_that_has_answered():
    given = []

    def says(node, question, *files):
        if question == "start":
            return Ready(node) if node != "b" or "b" not in given else None  # never again
        given.append(node)
        return [DONE] if node == "a" else [LostError("died")]

    with make(Cluster(says, "a", "b")) as pool:
        assert sorted(done(pool, 6)) == [*range(6)]
    assert given.count("b") == 1


def test_no_shard_is_far_ahead_of_what_is_saved():
    given = []

    def says(node, question, *files):
        if question == "start":
            return Ready(node)
        number = int(files[0][0].key.removesuffix(".jpg"))
        given.append(number)
        return [DONE] if number else [None, DONE]

    cluster = Cluster(says, "a", "b")
    with make(cluster) as pool:
        running = pool.run(shards(50))
        for _ in range(40):
            next(running)
        assert max(given) == 2 * pools.WINDOW - 1


def test_a_shard_that_costs_many_extractors_ends_the_run():
    def says(node, question, *_):
        return Ready(node) if question == "start" else [LostError("no memory")]

    with (
        make(Cluster(says, "a")) as pool,
        pytest.raises(MachineError, match=r"5 extractors were lost at images '0.jpg'.*no memory"),
    ):
        done(pool, 3)


def test_a_machine_that_was_there_and_refuses_ends_the_run():
    with (
        make(Cluster(lambda node, *_: Refusal(node, "it lacks all"), "a")) as pool,
        pytest.raises(MachineError, match="machine 'a' of the cluster: it lacks all; what was"),
    ):
        done(pool, 3)


def test_a_machine_that_comes_later_and_refuses_is_left_out():
    def says(node, question, *_):
        if question == "start":
            return Ready(node) if node == "a" else Refusal(node, "it lacks all")
        cluster.alive = ["a", "b"]
        return [DONE]

    cluster = Cluster(says, "a")
    with (
        make(cluster) as pool,
        pytest.warns(UserWarning, match="machine 'b' of the cluster: it lacks all; it is left out"),
    ):
        assert sorted(done(pool, 9)) == [*range(9)]
    assert cluster.killed.count("b") == 1


def test_where_no_extractor_can_be_made_the_run_ends_at_once():
    error = LostError("an error raised in its creation task\nModuleNotFoundError: no penult")
    with (
        make(Cluster(lambda *_: error, "a")) as pool,
        pytest.raises(MachineError, match="no extractor starts: ModuleNotFoundError: no penult"),
    ):
        done(pool, 1)


def test_one_that_is_silent_is_taken_for_lost(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pools, "monotonic", lambda: now[0])
    asked = []

    def says(node, question, *_):
        asked.append((now[0], node, question))
        now[0] += 1.0
        if question == "start":
            return Ready(node)
        if node == "b":
            return LostError("silent") if question == "ping" else [None]
        return [DONE] if question == "extract" else None

    cluster = Cluster(says, "a", "b")
    ticking = cluster.nodes

    def tick():
        now[0] += 1.0
        return ticking()

    cluster.nodes = tick
    with make(cluster) as pool:
        running = pool.run(shards(4))
        for _ in range(100):
            next(running)
            if "b" in cluster.killed:
                break
    assert "b" in cluster.killed
    assert any(question == "ping" for _, _, question in asked)
    assert now[0] < 60


def test_a_cluster_without_room_is_refused():
    with pytest.raises(UsageError, match=r"no machine of the cluster has room for 1 core and"):
        make(Cluster(print))
