"""What an engine is: it runs the part of a network that was cut out for it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

from numpy.typing import NDArray

Array = NDArray[Any]
Inputs: TypeAlias = Array | Mapping[str, Array]  # the only input, or several by name


class Cut(NamedTuple):
    """A model for an engine, cut out of a network.

    Whoever makes an engine of it keeps no reference to it, so that the weights can go as soon as
    the engine has laid them out anew.
    """

    model: bytes  # serialised ONNX
    weights: Mapping[str, Array]  # its external initializers; views of the file where possible
    outputs: dict[str, tuple[int, ...]]  # the layers, in the model's order; shapes of one image
    name: str = "the network"  # what to call it in errors
    release: Callable[[], None] = lambda: None  # the engine calls it when it has the weights
    precision: str = "float32"  # of the numbers that it computes with


class Engine(Protocol):
    """Runs a network on batches.

    Attributes:
        batch: How many images a call is best given.
        calls: How many calls may run at once, each from a thread of its own.
        description: What made a result, as it is recorded: `engine`, `device` and `precision`.
    """

    batch: int
    calls: int
    description: Mapping[str, str]

    def wait(self) -> None:
        """Return when it is ready, which `run` waits for too.

        Raises:
            NetworkError: The engine can't run the network.
        """
        ...

    def run(self, inputs: Inputs) -> dict[str, Array]:
        """Return each output for a batch, by its name.

        Args:
            inputs: The only input (n, …), or the inputs by their names.

        Raises:
            NetworkError: The engine can't run the network, or not on these.
        """
        ...


EngineFactory: TypeAlias = Callable[[Cut], Engine]  # NetworkError if there is no such engine here
