"""An ONNX file as a network: any of its tensors as a layer, computed from NHWC images.

The file may come from anywhere: `reader` checks it, and what is handed to the engine is a new model
of the nodes that the layers need. What ONNX Runtime does with a hostile model that passes is
up to ONNX Runtime: it may take all memory.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from penult.checkpoints.base import WeightsFile, digest_of, unreadable
from penult.engine import Cut, OnnxRuntime
from penult.errors import CheckpointError, NetworkError, UsageError
from penult.graph import Value, placeholder, transpose
from penult.graph.pooling import Pool, pool_layers
from penult.graph.values import Array, Layout, Shape
from penult.onnx.external import DataFiles
from penult.onnx.head import Choice, choose, find_logits
from penult.onnx.initializers import encode_initializers, read_tensor
from penult.onnx.layouts import layout_of, map_layouts
from penult.onnx.messages import CODES, opset, value_info
from penult.onnx.origin import Origin
from penult.onnx.reader import (
    Graph,
    Input,
    Tensor,
    UnsupportedError,
    begins_like_model,
    read_graph,
)
from penult.onnx.wiring import Wiring
from penult.onnx.writer import MAX_BYTES, Nodes, encode_nodes
from penult.util.protobuf import MalformedError, encode
from penult.util.text import nearest, quoted

OWN = "penult/"  # begins the names that no other program gives
IMAGES, BATCH = f"{OWN}images", f"{OWN}batch"  # the input, and the number of images in it
FLOAT32 = "float32"
FLOATS = frozenset({FLOAT32, "float16", "float64"})  # of layers; features are float32
MAX_SIZE = 4096  # pixels, of a side
_CHANNELS = (1, 3)


class _Result(NamedTuple):
    """What a layer is for some images."""

    dtype: str
    shape: Shape

    @property
    def is_certain(self) -> bool:
        """Whether it was inferred in full; without sizes it may be of any shape."""
        sizes = bool(self.shape) and all(isinstance(size, int) for size in self.shape)
        return sizes and self.dtype in FLOATS


class OnnxFile:
    """An ONNX file, opened and checked.

    Attributes:
        path: The file.
        origin: What Penult wrote of it, if it did.
        layout: Where the channels of its input stand: "NHWC" or "NCHW".
        channels: How many its input has, 1 or 3.
        sides: Height and width of its input in pixels; None if any will do.
        layers: Names of all tensors that it computes, in order.
        outputs: Those that it has as outputs.

    Raises:
        CheckpointError: The file can't be read, is damaged, or is not one that is run.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self._file = WeightsFile(self.path)
        except (OSError, ValueError) as exc:
            raise unreadable(self.path, exc) from exc
        try:
            self._data = DataFiles(self._file)
            self._graph = _read(self._file, self._data)
            self.layout, self.channels, self.sides = _layout(self._graph)
        except MalformedError as exc:
            raise self._file.damaged(str(exc)) from exc
        except UnsupportedError as exc:
            raise CheckpointError(f"{quoted(self.path)} {exc}") from exc
        self.metadata = self._graph.metadata
        self.origin = Origin.of(self.metadata)
        self._wiring = Wiring(self._graph)
        self.layers = self._wiring.layers
        self._known_layers = frozenset(self.layers)
        self.outputs = tuple(each.name for each in self._graph.outputs)

    def choose(self, size: int | None = None) -> Choice:
        """Choose the layers by default: what Penult wrote, or else the one before the classifier.

        Raises:
            UsageError: The size isn't that of the file, or a layer has to be chosen: the message
                lists some.
            NetworkError: ONNX Runtime can't run the file.
        """
        if self.origin:
            return Choice(self.outputs, "what Penult wrote into it")
        size = self.checked_size(size)
        try:
            return choose(self._wiring, lambda layers: self._shapes(layers, size))
        except UsageError as exc:
            raise UsageError(f"{quoted(self.path)} {exc}") from exc

    @property
    def logits(self) -> str:
        """The output, or what it is before the softmax.

        Raises:
            UsageError: There are several.
        """
        if len(self.outputs) > 1:
            names = ", ".join(map(quoted, self.outputs[:4]))
            raise UsageError(f"{quoted(self.path)} has several outputs ({names}), so no classifier")
        return find_logits(self._wiring, self.outputs[0])

    @cached_property
    def digest(self) -> str:
        """The SHA-256 in hexadecimal, of several files as `digest_of` has it."""
        digest = digest_of(self.files)
        self.unload()
        return digest

    @property
    def opset(self) -> int:
        """The version of ONNX's operators that it uses."""
        return self._graph.opset

    @property
    def producer(self) -> str:
        """The program that wrote it, as far as it says."""
        return self._graph.producer

    @property
    def signature(self) -> tuple[Sequence[Input], Sequence[Input]]:
        """Its inputs and outputs, as it states them."""
        return self._graph.inputs, self._graph.outputs

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """Its weights."""
        return self._graph.initializers

    def read(self, name: str) -> Array:
        """Read one of its weights.

        Raises:
            CheckpointError: It hasn't as many numbers as its shape says.
        """
        try:
            return read_tensor(self.tensors[name])
        except MalformedError as exc:
            raise self._file.damaged(f"{quoted(name)}: {exc}") from exc

    @property
    def files(self) -> tuple[WeightsFile, ...]:
        """The files that it consists of: itself first, then those with its data."""
        return self._data.files

    def unload(self) -> None:
        """Give the system back what is in memory of the files."""
        for file in self.files:
            file.unload()

    def cut(
        self,
        layers: Sequence[str],
        pool: Pool = "avg",
        size: int | None = None,
        *,
        normalized: bool = False,
    ) -> Cut:
        """Make a model of what some layers need, with images (n, height, width, channels) as input.

        What a layer is follows from the file's operators (see `penult.onnx.layouts`), and what
        `pool` makes of it is said at `penult.graph.pooling.pool_layers`.

        Args:
            layers: Some of `layers`.
            pool: What to make of layers that are not vectors.
            size: Height and width of the images; needed only if the file leaves them open.
            normalized: Whether vectors are divided by their lengths.

        Raises:
            UsageError: There is no such layer, the size isn't that of the file, or a map has no
                class token.
            NetworkError: A layer isn't made of one vector, map or row of tokens an image, or ONNX
                Runtime can't run the file.
        """
        size, layers = self.checked_size(size), list(dict.fromkeys(layers))
        for name in layers:
            if name not in self._known_layers:
                near = nearest(name, self.layers)
                raise UsageError(
                    f"{quoted(self.path)} has no layer {quoted(name)}; nearest: {near}"
                )
            if name not in self._wiring.seeing:
                raise NetworkError(
                    f"{quoted(self.path)}: layer {quoted(name)} isn't made of the images: choose"
                    " another (-l)"
                )
        results = self._results(layers, size)
        values = {name: self._value(name, result) for name, result in results.items()}
        features = pool_layers(values, pool, normalized=normalized)
        outputs = {f"{OWN}output/{i}": value for i, value in enumerate(features.values())}
        after = encode_nodes(outputs, f"{OWN}after/")
        shapes = {name: value.shape for name, value in features.items()}
        return self._cut(shapes, size, after, list(outputs))._replace(release=self.unload)

    def shapes(self, size: int | None = None) -> dict[str, Shape]:
        """List the layers that `cut` takes, in order, each with its shape for one image.

        Raises:
            UsageError: The size isn't that of the file.
            NetworkError: ONNX Runtime can't run the file.
        """
        return self._shapes(self.layers, self.checked_size(size))

    def _shapes(self, layers: Iterable[str], size: int) -> dict[str, Shape]:
        """Of those of some layers that `cut` takes."""
        possible = self._known_layers & self._wiring.seeing
        known = [name for name in layers if name in possible]
        shapes = {}
        for name, result in self._results(known, size).items() if known else ():
            with suppress(NetworkError):
                shapes[name] = self._value(name, result).channels_last
        return shapes

    def checked_size(self, size: int | None) -> int:
        """Return the size of the images, by default the file's; the height if it is no square.

        Raises:
            UsageError: It isn't that of the file, or the file leaves it open.
        """
        chosen = size or (self.sides and self.sides[0])
        if chosen is None:
            raise UsageError(f"{quoted(self.path)} takes images of any size: say which (--size)")
        if self.sides and self.sides[0] != chosen:
            text = _text(self.sides) if self.sides[0] != self.sides[1] else self.sides[0]
            raise UsageError(f"{quoted(self.path)} takes images of {text} pixels, not {chosen}")
        if not 0 < chosen <= MAX_SIZE:
            raise UsageError(f"{quoted(self.path)}: a size of {chosen} isn't from 1 to {MAX_SIZE}")
        return chosen

    def sides_of(self, size: int) -> tuple[int, int]:
        """Height and width of the images, of a size that was checked."""
        return self.sides or (size, size)

    def _results(self, layers: Sequence[str], size: int) -> dict[str, _Result]:
        """Find out what layers are, as ONNX Runtime infers it or else by running black images.

        What a file says of its shapes needn't be there, nor be true, so the model is without it.
        """
        unknown: dict[str, Shape] = dict.fromkeys(layers, ())
        engine = OnnxRuntime(self._cut(unknown, size, Nodes([], {}, {}), layers), once=True)
        inferred = {
            name: _Result(dtype, tuple(self._probes if size == BATCH else size for size in shape))
            for name, (dtype, shape) in self._inferred(engine).items()
        }
        if all(result.is_certain for result in inferred.values()):
            return inferred
        results = engine.run(
            np.zeros((self._probes, *self.sides_of(size), self.channels), np.float32)
        )
        return {
            name: _Result(str(getattr(result, "dtype", "no tensor")), getattr(result, "shape", ()))
            for name, result in results.items()
        }

    def _inferred(self, engine: OnnxRuntime) -> Mapping[str, tuple[str, Sequence[Any]]]:
        try:
            return engine.inferred
        except NetworkError as exc:
            if "till opset" not in str(exc.__cause__):
                raise
            raise NetworkError(
                f"{quoted(self.path)} uses version {self.opset} of ONNX's operators, which the ONNX"
                " Runtime here doesn't know: export it for an earlier one, or upgrade onnxruntime"
            ) from exc

    @property
    def _probes(self) -> int:
        """How many black images: where the batch may be of any size, two tell it from others."""
        return self._graph.input.shape[0] or 2

    @cached_property
    def _map_layouts(self) -> dict[str, Layout]:
        return map_layouts(self._graph, self.layout)

    def _value(self, name: str, result: _Result) -> Value:
        """Return a layer as a value of a graph, which is given from outside."""
        dtype, shape = result
        if dtype not in FLOATS:
            raise NetworkError(f"{quoted(self.path)}: layer {quoted(name)} is {dtype}, not float32")
        if not 2 <= len(shape) <= 4 or shape[0] != self._probes or not prod(shape):
            raise NetworkError(
                f"{quoted(self.path)}: layer {quoted(name)} of {self._probes} images is"
                f" {shape}, not a vector, tokens or a map for each: choose another (-l)"
            )
        layout = layout_of(shape[1:], self._map_layouts.get(name, "NCHW"))
        return _cast(placeholder(name, shape[1:], layout=layout, dtype=dtype), FLOAT32)

    def _cut(
        self, layers: dict[str, Shape], size: int, after: Nodes, outputs: Sequence[str]
    ) -> Cut:
        """Write the nodes that some layers need, and the nodes after them."""
        graph = self._graph
        nodes, names = self._wiring.select(layers)
        images = placeholder(IMAGES, (*self.sides_of(size), self.channels), layout="NHWC")
        given = _cast(transpose(images, self.layout), graph.input.dtype)
        before = encode_nodes({graph.input.name: given}, f"{OWN}before/")
        used = {name: tensor for name, tensor in graph.initializers.items() if name in names}
        initializers, weights = encode_initializers(used, after.constants)
        encoded = encode(
            *((1, each) for each in before.encoded),
            *((1, bytes(node.encoded)) for node in nodes),
            *((1, each) for each in after.encoded),
            (2, "penult"),
            *((5, each) for each in initializers),
            (11, value_info(IMAGES, (graph.input.shape[0] or BATCH, *images.shape))),
            *((12, encode((1, name))) for name in outputs),
        )
        version = max(graph.ir_version, 4)  # before, initializers had to be inputs too
        model = encode((1, version), (7, encoded), (8, opset(graph.opset)))
        computing = {name for node in nodes if node.op != "Cast" for name in node.inputs}
        kinds = {graph.input.dtype, *(each.dtype for n, each in used.items() if n in computing)}
        precision = "float16" if "float16" in kinds else FLOAT32
        return Cut(model, weights, layers, quoted(self.path), precision=precision)


def is_onnx(path: str | os.PathLike[str]) -> bool:
    """Whether a file's content is an ONNX model's, whatever its name; False if it can't be read."""
    try:
        return begins_like_model(WeightsFile(path).data)
    except (OSError, ValueError):
        return False


def _read(file: WeightsFile, data: DataFiles) -> Graph:
    if file.size > MAX_BYTES:
        raise UnsupportedError(f"has {file.size} bytes; an ONNX file has {MAX_BYTES} at most")
    return read_graph(memoryview(file.data), data.locate)


def _layout(graph: Graph) -> tuple[Layout, int, tuple[int, int] | None]:
    """Return layout, channels, and height and width."""
    shape = graph.input.shape
    if len(shape) != 4:
        raise UnsupportedError(f"takes an input of {len(shape)} dimensions, not images (4)")
    _, *image = shape
    first, last = image[0] in _CHANNELS, image[2] in _CHANNELS
    channels = _convolved(graph) if first == last else None
    if first == last and channels not in _CHANNELS:
        raise UnsupportedError(
            f"takes images of {_text(image)}, where 1 or 3 channels aren't clear"
        )
    layout: Layout = "NCHW" if first or channels else "NHWC"
    stated = image.pop(0 if layout == "NCHW" else -1)
    height, width = (side or image[1 - index] for index, side in enumerate(image))
    sides = (height, width) if height and width else None
    if sides and max(sides) > MAX_SIZE:
        raise UnsupportedError(f"takes images of {_text(sides)} pixels, more than {MAX_SIZE}")
    return layout, stated or channels or 0, sides


def _convolved(graph: Graph) -> int | None:
    """How many channels the images have by the kernel that they are convolved with, if they are."""
    for node in graph.nodes:
        kernel = graph.initializers.get(node.inputs[1]) if len(node.inputs) > 1 else None
        if node.op == "Conv" and node.inputs[0] == graph.input.name and kernel is not None:
            return kernel.shape[1] if len(kernel.shape) == 4 else None
    return None


def _text(sizes: Sequence[int | None]) -> str:
    return "×".join(str(size or "?") for size in sizes)


def _cast(value: Value, dtype: str) -> Value:
    if value.dtype == dtype:
        return value
    return replace(value, op="Cast", inputs=(value,), attributes={"to": CODES[dtype]}, dtype=dtype)
