"""Which layer of an ONNX file is the features: the one before its classifier, where it has one.

A classifier is told by how it ends: by a matrix, by a convolution of a map that was pooled before,
or by one that is pooled after. Detectors and files of several outputs are asked about.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from penult.errors import UsageError
from penult.graph.values import Shape
from penult.onnx.reader import Node
from penult.onnx.wiring import Wiring
from penult.util.text import plural, quoted

SOFTMAX = frozenset({"LogSoftmax", "Sigmoid", "Softmax"})
SHAPING = frozenset(
    "Cast DequantizeLinear Dropout Flatten Identity QuantizeLinear Reshape Squeeze"  # noqa: SIM905
    " Transpose".split()
)
_SCALING = frozenset({"Add", "Div", "Mul", "Sub"})  # by constants: biases, temperatures
_DECIDING = frozenset({"ArgMax", "Hardmax"})
_MATRICES = frozenset({"Gemm", "MatMul"})
_POOLS = frozenset(
    {"AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "ReduceMax", "ReduceMean"}
)
_AFTER_CLASSIFIER = SOFTMAX | SHAPING | _SCALING | _DECIDING | _POOLS
_ACTIVATIONS = frozenset({"BatchNormalization", "Clip", "LeakyRelu", "PRelu", "Relu"})
_RESIZING = frozenset({"ConvTranspose", "Resize", "Upsample"})
_EMBEDDING = ("embed", "feature", "pooler", "hidden_state")  # in names of outputs
_IMAGENET = frozenset({1000, 1001, 21841, 21843})  # classes
_MOST_STEPS = 16  # from an output back to the classifier
_MOST_OUTPUTS = 64  # that are looked at
_SHOWN = 4

ShapesOf = Callable[[Sequence[str]], Mapping[str, Shape]]
"""Some layers -> for each that can be features its shape for one image, channels last"""


@dataclass(frozen=True, slots=True)
class Choice:
    """The layers that are taken for the features, why, and whether that should be said."""

    layers: tuple[str, ...]
    reason: str
    is_sure: bool = True


def choose(wiring: Wiring, shapes_of: ShapesOf) -> Choice:
    """Choose the layer that is the features.

    Raises:
        UsageError: The file is a detector, or has several outputs or inputs; the message, which
            goes after the file's name, lists layers to choose from.
    """
    graph = wiring.graph
    outputs = [each.name for each in graph.outputs if each.name in wiring.seeing][:_MOST_OUTPUTS]
    nodes, _ = wiring.select(outputs)
    if any(node.op == "NonMaxSuppression" for node in nodes) or _are_boxes(
        wiring, outputs, shapes_of
    ):
        raise UsageError(_refusal(wiring, outputs, shapes_of))
    if len(graph.inputs) > 1 or len(graph.outputs) > 1:
        raise UsageError(_question(wiring, outputs, shapes_of))
    if not outputs:
        raise UsageError("has an output that isn't made of the images: choose a layer (-l)")
    choice = _before_head(wiring, outputs[0], shapes_of)
    if choice is None:
        choice = _itself(outputs[0])
        if outputs[0] not in shapes_of(outputs):
            raise UsageError(_refusal(wiring, outputs, shapes_of))
    return choice


def find_logits(wiring: Wiring, output: str) -> str:
    """Return what an output is before its softmax; itself if it has none."""
    name = output
    for _ in range(_MOST_STEPS):
        sources = wiring.sources(name)
        if len(sources) != 1 or wiring.makers[name].op not in SOFTMAX | SHAPING:
            break
        is_softmax = wiring.makers[name].op in SOFTMAX
        (name,) = sources
        if is_softmax:
            return name
    return output


def _before_head(wiring: Wiring, output: str, shapes_of: ShapesOf) -> Choice | None:
    """Walk back from an output to the classifier's matrix or convolution."""
    name, pooled, probable = output, False, False
    if any(word in output.lower() for word in _EMBEDDING):
        return Choice((output,), f"its output {quoted(output)} is called so")
    for _ in range(_MOST_STEPS):
        sources = wiring.sources(name)
        if len(sources) != 1:
            return None
        (source,), node = sources, wiring.makers[name]
        if node.op in _MATRICES:
            return Choice((source,), f"what its last matrix is multiplied with, to {quoted(name)}")
        if node.op == "Conv":
            return _before_convolution(node, source, shapes_of, pooled=pooled, probable=probable)
        probable = probable or node.op in SOFTMAX
        pooled = pooled or node.op in _POOLS
        if node.op not in _AFTER_CLASSIFIER and not (pooled and node.op in _ACTIVATIONS):
            return None
        name = source
    return None


def _before_convolution(
    node: Node, source: str, shapes_of: ShapesOf, *, pooled: bool, probable: bool
) -> Choice | None:
    """Tell whether the last convolution is the classifier.

    It is if its result is a single place, or if that is pooled to probabilities or to as many
    numbers as ImageNet has classes; a pooled map without these is taken for features.
    """
    result = node.outputs[0]
    shape = shapes_of([result]).get(result, ())
    if len(shape) != 3:
        return None
    height, width, filters = shape
    if (height, width) == (1, 1):
        return Choice(
            (source,), f"what its last convolution, the classifier, makes {quoted(result)} of"
        )
    if pooled and (probable or filters in _IMAGENET):
        return Choice(
            (source,), f"the map whose convolution {quoted(result)}, pooled, is the classifier"
        )
    return None


def _itself(output: str) -> Choice:
    return Choice(
        (output,),
        f"no classifier was found at its end, so its own output {quoted(output)} is taken for the"
        " features; -l takes another layer",
        is_sure=False,
    )


def _are_boxes(wiring: Wiring, outputs: Sequence[str], shapes_of: ShapesOf) -> bool:
    """Whether outputs are (boxes, numbers), or the reverse, and none is a vector or a map."""
    joined = [name for name in outputs if _is_joined(wiring, name)]
    return bool(joined) and all(len(shape) == 2 for shape in shapes_of(outputs).values())


def _is_joined(wiring: Wiring, output: str) -> bool:
    """Whether an output joins what several branches of the network found."""
    name = output
    for _ in range(_MOST_STEPS):
        sources = wiring.sources(name)
        if len(sources) > 1:
            return wiring.makers[name].op == "Concat"
        if not sources or wiring.makers[name].op not in SOFTMAX | SHAPING | _SCALING:
            return False
        (name,) = sources
    return False


def _question(wiring: Wiring, outputs: Sequence[str], shapes_of: ShapesOf) -> str:
    """Ask which of several outputs is meant; a classifier's input is offered along with it."""
    graph = wiring.graph
    offered: list[str] = []
    for name in outputs:
        choice = _before_head(wiring, name, shapes_of)
        offered += [*(choice.layers if choice else ()), name]
    likely = (
        shapes_of(list(dict.fromkeys(offered)))
        or _deep_maps(wiring, outputs, shapes_of)
        or shapes_of(wiring.layers[-_SHOWN:])
    )
    counts = f"{plural(len(graph.inputs), 'input')} and {plural(len(graph.outputs), 'output')}"
    of_images = " made of images alone" if len(graph.inputs) > 1 else ""
    return f"has {counts}: choose a layer{of_images} (-l){_listed(likely)}"


def _refusal(wiring: Wiring, outputs: Sequence[str], shapes_of: ShapesOf) -> str:
    deep = _deep_maps(wiring, outputs, shapes_of)
    names = ", ".join(map(quoted, outputs[:_SHOWN]))
    what = f"is a detector or the like: {names} hold{'s' * (len(outputs) == 1)} no features"
    return f"{what}: choose a layer (-l){_listed(deep)}"


def _deep_maps(wiring: Wiring, outputs: Sequence[str], shapes_of: ShapesOf) -> dict[str, Shape]:
    """The last map of each size before a map is enlarged and before the last convolutions.

    The smallest first; for a detector these are the stages of its backbone.
    """
    ahead = wiring.count_ahead("Conv", outputs)
    names = []
    for node in wiring.graph.nodes:
        if node.op in _RESIZING:
            break
        names += [name for name in node.outputs if ahead.get(name, 0)]
    sizes: dict[tuple[int, int], str] = {}
    shapes = {name: shape for name, shape in shapes_of(names).items() if len(shape) == 3}
    for name, shape in shapes.items():
        sizes[shape[0], shape[1]] = name
    nearest_first = sorted(sizes, key=lambda size: size[0] * size[1])
    deep = [sizes[size] for size in nearest_first if size != (1, 1)]
    return {name: shapes[name] for name in deep[: _SHOWN - 1]}


def _listed(shapes: Mapping[str, Shape]) -> str:
    """Some layers to choose from, for the end of a message."""
    shown = list(shapes.items())[:_SHOWN]
    names = ", ".join(f"{quoted(name)} {'x'.join(map(str, shape))}" for name, shape in shown)
    return f", such as {names}" if names else ""
