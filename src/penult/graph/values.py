"""What a graph is made of: variables of a checkpoint, constants made from them, and values."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal, TypeAlias

from numpy.typing import NDArray

Shape = tuple[int, ...]
Layout: TypeAlias = Literal["NCHW", "NHWC", "NLC", "NCL", "NC", ""]
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Variable:
    """A tensor of the checkpoint, by its name there and the shape that the network needs."""

    name: str
    shape: Shape
    trainable: bool = True  # moving averages are not: they don't count as parameters


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """An array that is computed from variables when the graph is written, and not before.

    `compute` takes the variables' arrays; its result is rounded to `dtype`, a name of NumPy's.
    """

    shape: Shape
    variables: tuple[Variable, ...]
    compute: Callable[..., Array]
    dtype: str = "float32"


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """The result of an ONNX operator on other values and constants, or an input of the graph.

    `shape` is that of one example, without the batch. `layout` says what its sizes count, the batch
    included: "NCHW" and "NHWC" are feature maps, "NLC" and "NCL" tokens (L is their number), "NC"
    is a vector, and "" anything else. An input has the operator "Input" and a name in `attributes`.
    """

    op: str
    inputs: tuple["Value | Constant", ...]
    shape: Shape
    attributes: Mapping[str, Any] = field(default_factory=dict)
    multiply_adds: int = 0  # for one example
    layout: Layout = ""
    dtype: str = "float32"

    @property
    def channels_last(self) -> Shape:
        """The shape as features have it: (height, width, channels) or (tokens, channels)."""
        if self.layout not in {"NCHW", "NCL"}:
            return self.shape
        channels, *places = self.shape
        return (*places, channels)


def walk(outputs: Iterable[Value]) -> Iterator[Value]:
    """Yield what `outputs` depend on, themselves included, each once, inputs before their users."""
    done: set[Value] = set()
    stack = [*reversed(list(outputs))]
    while stack:
        value = stack[-1]
        waiting = [i for i in value.inputs if isinstance(i, Value) and i not in done]
        if waiting:
            stack.extend(reversed(waiting))
            continue
        stack.pop()
        if value not in done:
            done.add(value)
            yield value


def rebuilt(outputs: Mapping[str, Value], rewrite: Callable[[Value], Value]) -> dict[str, Value]:
    """Make a graph anew, with what `rewrite` makes of each value; its inputs are rewritten ones."""
    done: dict[Value, Value] = {}
    for value in walk(outputs.values()):
        inputs = tuple(done[each] if isinstance(each, Value) else each for each in value.inputs)
        done[value] = rewrite(replace(value, inputs=inputs))
    return {name: done[value] for name, value in outputs.items()}


def constants(outputs: Iterable[Value]) -> list[Constant]:
    """List the constants that `outputs` depend on, each once, in order of use."""
    used = (i for value in walk(outputs) for i in value.inputs if isinstance(i, Constant))
    return list(dict.fromkeys(used))


def variables(outputs: Iterable[Value]) -> list[Variable]:
    """List the variables that `outputs` depend on, each once, in order of use."""
    return list(dict.fromkeys(v for c in constants(outputs) for v in c.variables))


def parameters(outputs: Iterable[Value]) -> int:
    """Count the trainable parameters that `outputs` depend on."""
    return sum(prod(v.shape) for v in variables(outputs) if v.trainable)


def multiply_adds(outputs: Iterable[Value]) -> int:
    """Count the multiply-adds of convolutions and dense layers for one example."""
    return sum(value.multiply_adds for value in walk(outputs))
