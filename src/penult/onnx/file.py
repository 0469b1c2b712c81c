"""An ONNX file as a network: any of its tensors as a layer, computed from NHWC images.

The file may come from anywhere: `onnx_format` checks it, and what is handed to the engine is a new
model of the nodes that the layers need. What ONNX Runtime does with a hostile model that passes is
up to ONNX Runtime: it may take all memory.
"""

import mmap
import os
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from functools import cached_property
from math import prod
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.engine import Cut, OnnxRuntime
from penult.errors import CheckpointError, NetworkError, UsageError
from penult.graph.pooling import Pool
from penult.onnx.format import FLOAT, Graph, Node, Tensor, UnsupportedError, read_graph
from penult.onnx.messages import Attribute, external, node, opset, value_info
from penult.onnx.origin import Origin
from penult.util.machine import unload
from penult.util.protobuf import MalformedError, encode
from penult.util.text import nearest, quoted

Shape = tuple[int, ...]

IMAGES, OUTPUT = "penult/images", "penult/output"  # names that no other program gives
BATCH = "penult/batch"  # likewise, of a number of images
FLOAT32 = "float32"
MAX_BYTES = 2**31 - 1  # what Protocol Buffers read
MAX_SIZE = 4096  # pixels, of the square input
SMALL = 1024  # bytes of an initializer that stays in the model: shapes, scales and the like
_CHANNELS = (1, 3)

SOFTMAX = {"Identity", "LogSoftmax", "Sigmoid", "Softmax"}
AFTER_CLASSIFIER = SOFTMAX | {"Add", "Reshape", "Squeeze"}
MATRICES = {"Gemm", "MatMul"}
MAX_AFTER_CLASSIFIER = 6  # operators


class _Result(NamedTuple):
    """What a layer is for some images."""

    dtype: str
    shape: Shape

    @property
    def is_certain(self) -> bool:
        """Whether it was inferred in full; without sizes it may be of any shape."""
        sizes = bool(self.shape) and all(isinstance(size, int) for size in self.shape)
        return sizes and self.dtype == FLOAT32


class OnnxFile:
    """An ONNX file, opened and checked.

    Attributes:
        path: The file.
        origin: What Penult wrote of it, if it did.
        layout: Where the channels of its input stand: "NHWC" or "NCHW".
        channels: How many its input has, 1 or 3.
        size: Height and width of its input in pixels; None if any will do.
        layers: Names of all tensors that it computes, in order.
        outputs: Those that it has as outputs.

    Raises:
        CheckpointError: The file can't be read, is damaged, or is not one that is run.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with self._named():
            self._data = _mapped(self.path)
            self._graph = read_graph(memoryview(self._data))
            self.layout, self.channels, self.size = _layout(self._graph.input.shape)
        self.metadata = self._graph.metadata
        self.origin = Origin.of(self.metadata)
        self.layers = tuple(n for each in self._graph.nodes for n in each.outputs if n)
        self.outputs = tuple(self._graph.outputs)

    @property
    def features(self) -> tuple[str, ...]:
        """The layers by default: what Penult wrote, or else the one before the classifier.

        That is what the last matrix is multiplied with; where there is none, the first output.
        """
        if self.origin:
            return self.outputs
        for name in self._backwards(AFTER_CLASSIFIER):
            computed = self._computed(name)
            if computed and self._makers[name].op in MATRICES:
                return (computed[0],)
        return self.outputs[:1]

    @property
    def logits(self) -> str:
        """The first output, or what it is before the softmax."""
        *_, last = self._backwards(SOFTMAX)
        return last

    def _backwards(self, operators: Set[str]) -> Iterator[str]:
        """Walk back from the first output as long as it is made of one tensor by `operators`."""
        name = self.outputs[0]
        for _ in range(MAX_AFTER_CLASSIFIER):
            yield name
            computed = self._computed(name)
            if len(computed) != 1 or self._makers[name].op not in operators:
                return
            name = computed[0]

    @cached_property
    def _makers(self) -> dict[str, Node]:
        return {name: each for each in self._graph.nodes for name in each.outputs}

    def _computed(self, name: str) -> list[str]:
        """What a tensor is made of, weights and the file's input aside."""
        maker = self._makers.get(name)
        return [each for each in maker.inputs if each in self._makers] if maker else []

    @cached_property
    def digest(self) -> str:
        """The file's SHA-256 in hexadecimal."""
        import hashlib

        found = hashlib.sha256(self._data).hexdigest()
        self.unload()
        return found

    def unload(self) -> None:
        """Give the system back what is in memory of the file."""
        unload(self._data)

    def cut(self, layers: Sequence[str], pool: Pool = "avg", size: int | None = None) -> Cut:
        """Make a model of what some layers need, with images (n, size, size, channels) as input.

        Vectors stay as they are. Of maps, as of the tokens of a transformer (all of them, class
        token included), `pool` takes the average or the largest values; `none` keeps (height,
        width, channels) or (tokens, channels). A map is taken as (channels, height, width), which
        is what ONNX's operators make, unless only the first two are equal.

        Args:
            layers: Some of `layers`.
            pool: What to make of layers that are not vectors.
            size: Height and width of the images; needed only if the file leaves it open.

        Raises:
            UsageError: There is no such layer, or the size isn't that of the file.
            NetworkError: A layer isn't made of one vector, map or row of tokens an image, or ONNX
                Runtime can't run the file.
        """
        size, layers = self.checked_size(size), list(dict.fromkeys(layers))
        for name in layers:
            if name not in self.layers:
                near = nearest(name, self.layers)
                raise UsageError(
                    f"{quoted(self.path)} has no layer {quoted(name)}; nearest: {near}"
                )
        pooled = {
            name: _pooled(name, self._shape(name, result), pool, f"{OUTPUT}/{index}")
            for index, (name, result) in enumerate(self._results(layers, size).items())
        }
        nodes = [node for each in pooled.values() for node in each.nodes]
        model, weights = self._model(layers, nodes, [each.output for each in pooled.values()], size)
        shapes = {name: each.shape for name, each in pooled.items()}
        return Cut(model, weights, shapes, quoted(self.path), self.unload)

    def shapes(self, size: int | None = None) -> dict[str, Shape]:
        """List the layers that `cut` takes, in order, each with its shape for one image.

        Raises:
            UsageError: The size isn't that of the file.
            NetworkError: ONNX Runtime can't run the file.
        """
        found = {}
        for name, result in self._results(self.layers, self.checked_size(size)).items():
            with suppress(NetworkError):
                found[name] = _pooled(name, self._shape(name, result), "none", name).shape
        return found

    def checked_size(self, size: int | None) -> int:
        """Return the size of the images, by default the file's.

        Raises:
            UsageError: It isn't that of the file, or the file leaves it open.
        """
        found = size or self.size
        if found is None:
            raise UsageError(f"{quoted(self.path)} takes images of any size: say which (--size)")
        if self.size not in {None, found}:
            raise UsageError(f"{quoted(self.path)} takes images of {self.size} pixels, not {found}")
        if not 0 < found <= MAX_SIZE:
            raise UsageError(f"{quoted(self.path)}: a size of {found} isn't from 1 to {MAX_SIZE}")
        return found

    def _results(self, layers: Sequence[str], size: int) -> dict[str, _Result]:
        """Find out what layers are, as ONNX Runtime infers it or else by running black images.

        What a file says of its shapes needn't be there, nor be true, so the model is without it.
        """
        model, weights = self._model(layers, [], layers, size)
        cut = Cut(model, weights, dict.fromkeys(layers, ()), quoted(self.path))
        engine = OnnxRuntime(cut, once=True)
        inferred = {
            name: _Result(dtype, tuple(self._probes if each == BATCH else each for each in shape))
            for name, (dtype, shape) in engine.inferred.items()
        }
        if all(result.is_certain for result in inferred.values()):
            return inferred
        found = engine.run(np.zeros((self._probes, size, size, self.channels), np.float32))
        return {
            name: _Result(str(getattr(result, "dtype", "no tensor")), getattr(result, "shape", ()))
            for name, result in found.items()
        }

    @property
    def _probes(self) -> int:
        """How many black images: where the batch may be of any size, two tell it from others."""
        return self._graph.input.shape[0] or 2

    def _shape(self, name: str, result: _Result) -> Shape:
        """Return the shape of a layer for one image."""
        dtype, shape = result
        if dtype != FLOAT32:
            raise NetworkError(f"{quoted(self.path)}: layer {quoted(name)} is {dtype}, not float32")
        if not 2 <= len(shape) <= 4 or shape[0] != self._probes or not prod(shape):
            raise NetworkError(
                f"{quoted(self.path)}: layer {quoted(name)} of {self._probes} images is"
                f" {shape}, not a vector, tokens or a map for each: choose another (-l)"
            )
        return shape[1:]

    def _model(
        self, layers: Sequence[str], after: Sequence[bytes], outputs: Sequence[str], size: int
    ) -> tuple[bytes, dict[str, NDArray[np.float32]]]:
        """Write the nodes that some layers need, and nodes after them."""
        graph = self._graph
        nodes, names = _needed(graph, layers)
        used = {name: each for name, each in graph.initializers.items() if name in names}
        large = {name: each for name, each in used.items() if _is_large(each)}
        perm = [0, 3, 1, 2] if self.layout == "NCHW" else []
        batch = graph.input.shape[0] or BATCH
        encoded = encode(
            (1, _turned(IMAGES, graph.input.name, perm)),
            *((1, bytes(each.encoded)) for each in nodes),
            *((1, each) for each in after),
            (2, "penult"),
            *((5, bytes(each.encoded)) for name, each in used.items() if name not in large),
            *((5, external(name, each.shape)) for name, each in large.items()),
            (11, value_info(IMAGES, (batch, size, size, self.channels))),
            *((12, encode((1, name))) for name in outputs),
        )
        version = max(graph.ir_version, 4)  # before, initializers had to be inputs too
        model = encode((1, version), (7, encoded), (8, opset(graph.opset)))
        return model, {name: _array(each) for name, each in large.items()}

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name the file in errors about its content."""
        try:
            yield
        except MalformedError as exc:
            raise CheckpointError(
                f"{quoted(self.path)}: {exc}; damaged or forged: fetch the file again"
            ) from exc
        except UnsupportedError as exc:
            raise CheckpointError(f"{quoted(self.path)} {exc}") from exc
        except (OSError, ValueError) as exc:
            reason = getattr(exc, "strerror", None) or str(exc)
            raise CheckpointError(f"{quoted(self.path)}: {reason.lower()}") from exc


def _mapped(path: Path) -> mmap.mmap:
    if not path.is_file() and path.exists():
        raise OSError("not a regular file")
    with path.open("rb") as stream:
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    if len(data) > MAX_BYTES:
        raise UnsupportedError(f"has {len(data)} bytes; an ONNX file has {MAX_BYTES} at most")
    return data


def _layout(shape: tuple[int | None, ...]) -> tuple[str, int, int | None]:
    """Return layout, channels and size."""
    if len(shape) != 4:
        raise UnsupportedError(f"takes an input of {len(shape)} dimensions, not images (4)")
    batch, *image = shape
    if batch not in {None, 1}:
        raise UnsupportedError(f"takes {batch} images at once: export it for any number, or for 1")
    first, last = image[0] in _CHANNELS, image[2] in _CHANNELS
    if first == last:
        raise UnsupportedError(
            f"takes images of {_text(image)}, where 1 or 3 channels aren't clear"
        )
    layout, channels = ("NCHW", image.pop(0)) if first else ("NHWC", image.pop())
    sizes = {side for side in image if side is not None}
    if len(sizes) > 1:
        raise UnsupportedError(f"takes images of {_text(image)} pixels; only squares are made")
    return layout, channels or 0, next(iter(sizes), None)


def _text(sizes: Sequence[int | None]) -> str:
    return "×".join(str(size or "?") for size in sizes)


def _needed(graph: Graph, layers: Sequence[str]) -> tuple[list[Node], set[str]]:
    """Walk back from some layers; the nodes of an ONNX graph are in order of computation."""
    names, nodes = set(layers), []
    for each in reversed(graph.nodes):
        if not names.isdisjoint(each.outputs):
            names.update(each.inputs)
            nodes.append(each)
    return nodes[::-1], names


def _is_large(tensor: Tensor) -> bool:
    return tensor.dtype == FLOAT and len(tensor.raw) >= SMALL


def _array(tensor: Tensor) -> NDArray[np.float32]:
    array = np.frombuffer(tensor.raw, "<f4").reshape(tensor.shape)
    return np.require(array, np.float32, "A")  # aligned: the file needn't have it so


class _Pooled(NamedTuple):
    """A layer as features: the nodes that make them, the name and shape of what these make."""

    nodes: list[bytes]
    output: str
    shape: Shape


def _pooled(name: str, shape: Shape, pool: Pool, output: str) -> _Pooled:
    """Make a vector of a layer, or a map with its channels last; by operators of every opset."""
    if len(shape) == 1:
        return _Pooled([_turned(name, output, [])], output, shape)
    last = len(shape) == 2 or (shape[0] == shape[1] != shape[2])
    channels, *places = (shape[-1], *shape[:-1]) if last else shape
    if pool == "none":
        order = [] if last else [0, *range(2, len(shape) + 1), 1]
        return _Pooled([_turned(name, output, order)], output, (*places, channels))
    order = [0, len(shape), *range(1, len(shape))] if last else []
    operator = {"avg": "GlobalAveragePool", "max": "GlobalMaxPool"}[pool]
    nodes = [
        _turned(name, f"{output}/first", order),
        node(operator, [f"{output}/first"], f"{output}/pooled", {}),
        node("Flatten", [f"{output}/pooled"], output, {"axis": 1}),
    ]
    return _Pooled(nodes, output, (channels,))


def _turned(name: str, output: str, perm: list[int]) -> bytes:
    """Transpose, or leave as it is."""
    attributes: Mapping[str, Attribute] = {"perm": perm} if perm else {}
    return node("Transpose" if perm else "Identity", [name], output, attributes)
