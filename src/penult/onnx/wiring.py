"""How the tensors of an ONNX graph depend on each other, and on its inputs."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from penult.onnx.reader import Graph, Node

_OF_SIZES = frozenset({"Shape", "Size"})  # make numbers of sizes, not of values


class Wiring:
    """What is made of what in a graph.

    Attributes:
        graph: The graph.
        makers: The node that makes each tensor, by its name.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.makers: Mapping[str, Node] = {
            name: node for node in graph.nodes for name in node.outputs if name
        }

    @cached_property
    def seeing(self) -> set[str]:
        """The tensors whose values depend on those of the images."""
        images = self.graph.input.name
        return self._reached({images}, _OF_SIZES) - {images}

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """All tensors that are made without any input but the images, in order."""
        others = {each.name for each in self.graph.inputs} - {self.graph.input.name}
        foreign = self._reached(others) if others else set()
        return tuple(name for name in self.makers if name not in foreign)

    def sources(self, name: str) -> list[str]:
        """List what a tensor is made of: computed ones that depend on the images' values."""
        maker = self.makers.get(name)
        inputs = dict.fromkeys(maker.inputs) if maker else ()
        return [each for each in inputs if each in self.seeing]

    def select(self, layers: Iterable[str]) -> tuple[list[Node], set[str]]:
        """Walk back from some layers: the nodes that they need, in order, and all names in them."""
        names, nodes = set(layers), []
        for node in reversed(self.graph.nodes):  # which are in order of computation
            if not names.isdisjoint(node.outputs):
                names.update(node.inputs)
                nodes.append(node)
        return nodes[::-1], names

    def count_ahead(self, operator: str, ends: Sequence[str]) -> dict[str, int]:
        """Count for each tensor how many nodes of an operator lie on the longest way to `ends`."""
        ahead = dict.fromkeys(ends, 0)
        for node in reversed(self.graph.nodes):
            counts = [ahead[name] for name in node.outputs if name in ahead]
            if counts:
                most = max(counts) + (node.op == operator)
                ahead.update((name, max(most, ahead.get(name, 0))) for name in node.inputs)
        return ahead

    def _reached(self, names: set[str], stopping: frozenset[str] = frozenset()) -> set[str]:
        reached = set(names)
        for node in self.graph.nodes:
            if node.op not in stopping and not reached.isdisjoint(node.inputs):
                reached.update(name for name in node.outputs if name)
        return reached
