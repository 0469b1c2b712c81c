"""Where the channels stand in the tensors of an ONNX file, as far as its operators tell.

Convolutions and pools take (n, channels, height, width); other operators keep what they are given,
or turn it, as programs do whose own order is (n, height, width, channels).
"""

from collections.abc import Mapping, Sequence

from penult.graph.values import Layout, Shape
from penult.onnx.reader import Graph, Node, Tensor

_CHANNELS_FIRST = frozenset(
    "AveragePool BatchNormalization Conv ConvInteger ConvTranspose"  # noqa: SIM905, a page of lines
    " DepthToSpace GlobalAveragePool GlobalLpPool GlobalMaxPool GroupNormalization"
    " InstanceNormalization LRN LpPool MaxPool QLinearConv SpaceToDepth".split()
)
_KEEPING = frozenset(
    "Abs Add Cast Ceil Celu Clip Concat CumSum DequantizeLinear Div Dropout Elu"  # noqa: SIM905
    " Erf Exp Floor Gelu HardSigmoid HardSwish Hardmax Identity LayerNormalization LeakyRelu Log"
    " LogSoftmax LpNormalization MatMul Max Mean MeanVarianceNormalization Min Mish Mul Neg PRelu"
    " Pad Pow QuantizeLinear Reciprocal ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum"
    " Relu Resize Round Selu Sigmoid Sign Slice Softmax Softplus Softsign Split Sqrt Sub Sum Tanh"
    " ThresholdedRelu Upsample Where".split()
)
_WEIGHTS = {"LayerNormalization": 1, "MatMul": 2}  # dimensions of those for the last axis only


def layout_of(shape: Shape, map_layout: Layout) -> Layout:
    """Say what a tensor of 1 to 3 sizes for one image is: a vector, tokens or a map."""
    layouts: dict[int, Layout] = {1: "NC", 2: "NLC", 3: map_layout}
    return layouts[len(shape)]


def map_layouts(graph: Graph, images: Layout) -> dict[str, Layout]:
    """Tell the layout of the tensors that are maps, by name, from that of the images.

    Those of which no operator tells are left out; they are taken as (channels, height, width),
    which is ONNX's own order.
    """
    layouts = {graph.input.name: images}
    for node in graph.nodes:
        layout = _result(node, layouts, graph.initializers)
        if layout:
            layouts.update((name, layout) for name in node.outputs if name)
    return layouts


def _result(
    node: Node, layouts: Mapping[str, Layout], weights: Mapping[str, Tensor]
) -> Layout | None:
    if node.op in _CHANNELS_FIRST:
        return "NCHW"
    given = next((layouts[name] for name in node.inputs if name in layouts), None)
    if node.op == "Transpose":
        return _transpose(given or "NCHW", node.integers.get("perm", ()))
    if node.op not in _KEEPING:
        return None
    return given or ("NHWC" if _weighs_last_axis(node, weights) else None)


def _transpose(layout: Layout, perm: Sequence[int]) -> Layout | None:
    if sorted(perm) != [0, 1, 2, 3] or perm[0] != 0:
        return None
    layouts: dict[int, Layout] = {1: "NCHW", 3: "NHWC"}
    return layouts.get(perm.index(layout.index("C")))


def _weighs_last_axis(node: Node, weights: Mapping[str, Tensor]) -> bool:
    """Whether its second input is weights for the last axis, where channels stand then."""
    second = weights.get(node.inputs[1]) if len(node.inputs) > 1 else None
    return second is not None and len(second.shape) == _WEIGHTS.get(node.op)
