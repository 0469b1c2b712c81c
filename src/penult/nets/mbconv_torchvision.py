"""torchvision's networks of mobile convolutions, read off their files.

EfficientNet V1 and V2, MobileNet V2 and V3, MNASNet, as torchvision/models/efficientnet.py,
mobilenetv2.py, mobilenetv3.py and mnasnet.py build them. Tensors tell everything but strides,
activations and the batch norms' epsilon, which follow from the kind of network; EfficientNet's
epsilon from which of them it is.
"""

from typing import NamedTuple

from penult.errors import NetworkError
from penult.nets.design import Card, Shapes
from penult.nets.mbconv import Block, MobileConvolutions
from penult.nets.mbconv_names import SCHEMES
from penult.nets.mbconv_reading import Rows, finished, kernel, outputs, row
from penult.nets.torchvision import LIBRARY, find
from penult.util.text import quoted


class Kind(NamedTuple):
    """A kind of network: its modules, and what tensors don't tell of it."""

    scheme: str
    parts: tuple[str, ...]  # of a block, what may be a convolution
    strides: str  # of the stages
    acts: str  # of stem, stages; the last one stands for the rest
    epsilon: float


class Efficient(NamedTuple):
    """An EfficientNet."""

    depths: tuple[int, ...]  # blocks of the stages
    last: int  # channels of the last stage
    epsilon: float


_PLACES = tuple(f"block.{place}.0" for place in range(4))
_V2 = ("conv.0.0", "conv.1.0", "conv.1", "conv.2")  # the projection has no module of its own
_V3 = "torchvision_mobilenetv3"
KINDS = (
    Kind("torchvision_efficientnet", _PLACES, "1222121", "sw sw", 1e-5),
    Kind("torchvision_mobilenetv2", _V2, "12121121111112111", "r6 r6", 1e-5),
    Kind(_V3, _PLACES, "121211211111211", "hs re re re re re re hs", 1e-3),
    Kind(_V3, _PLACES, "22121111211", "hs re re re hs", 1e-3),
    Kind("torchvision_mnasnet", ("layers.0", "layers.3", "layers.6"), "1222121", "re re", 1e-5),
)
EFFICIENT = {
    "efficientnet_b0": Efficient((1, 2, 2, 3, 3, 4, 1), 320, 1e-5),
    "efficientnet_b1": Efficient((2, 3, 3, 4, 4, 5, 2), 320, 1e-5),
    "efficientnet_b2": Efficient((2, 3, 3, 4, 4, 5, 2), 352, 1e-5),
    "efficientnet_b3": Efficient((2, 3, 3, 5, 5, 6, 2), 384, 1e-5),
    "efficientnet_b4": Efficient((2, 4, 4, 6, 6, 8, 2), 448, 1e-5),
    "efficientnet_b5": Efficient((3, 5, 5, 7, 7, 9, 3), 512, 1e-3),
    "efficientnet_b6": Efficient((3, 6, 6, 8, 8, 11, 3), 576, 1e-3),
    "efficientnet_b7": Efficient((4, 7, 7, 10, 10, 13, 4), 640, 1e-3),
    "efficientnet_v2_s": Efficient((2, 4, 4, 6, 9, 15), 256, 1e-3),
    "efficientnet_v2_m": Efficient((3, 5, 5, 7, 14, 18, 5), 512, 1e-3),
    "efficientnet_v2_l": Efficient((4, 7, 7, 10, 19, 25, 7), 640, 1e-3),
}
MNASNETS = {160: "mnasnet0_5", 240: "mnasnet0_75", 320: "mnasnet1_0", 416: "mnasnet1_3"}


def read(shapes: Shapes, card: Card) -> MobileConvolutions | None:
    """Read a network off the tensors of torchvision's file.

    Raises:
        NetworkError: They aren't of the network that the card names.
    """
    if card.library not in {"", "torchvision"}:
        return None
    for kind in KINDS:
        stem = kernel(shapes, SCHEMES[kind.scheme].stem.conv)
        stages = rows_of(shapes, kind, stem[0]) if stem else []
        name = name_of(kind, stages) if len(stages) in {len(kind.strides), 6} else ""
        if stem and name:
            if card.architecture not in {"", name}:
                asked = quoted(card.architecture)
                raise NetworkError(f"the tensors are those of torchvision/{name}, not of {asked}")
            return design(shapes, kind, stem, stages, name)
    return None


def name_of(kind: Kind, stages: Rows) -> str:
    """Return torchvision's name; empty if there is none for so many blocks."""
    count, last = len(stages), stages[-1][-1].c
    match kind.scheme.removeprefix("torchvision_"), count:
        case "efficientnet", 6 | 7:
            depths = tuple(map(len, stages))
            return next((n for n, e in EFFICIENT.items() if e[:2] == (depths, last)), "")
        case "mobilenetv2", 17:
            return "mobilenet_v2"
        case "mobilenetv3", 15:
            return "mobilenet_v3_large"
        case "mobilenetv3", 11:
            return "mobilenet_v3_small"
        case "mnasnet", 7:
            return MNASNETS.get(last, "")
    return ""


def rows_of(shapes: Shapes, kind: Kind, width: int) -> Rows:
    """Read the blocks by stages, of one block each where they are numbered through."""
    names = SCHEMES[kind.scheme]
    stages: Rows = []
    for number in range(len(kind.strides)):
        stage: list[Block] = []
        while found := row_at(shapes, kind, names.block(number, len(stage)), width):
            stage.append(found)
            width = found.c
            if not names.stages(number):
                break
        if not stage:
            break
        stages.append(stage)
    return stages


def row_at(shapes: Shapes, kind: Kind, name: str, width: int) -> Block | None:
    """Read the block of that name; None if there is none."""
    names = [f"{name}.{part}" for part in kind.parts]
    if name == SCHEMES[kind.scheme].first:  # of MNASNet, which lists its layers
        names = ["layers.3", "layers.6"]
    each = [kernel(shapes, part) for part in names]
    gates = [kernel(shapes, f"{name}.block.{place}.fc1") for place in (1, 2)]
    gate = next((found[0] for found in gates if found), 0)
    block = row([found for found in each if found], width, gate)
    return block if block and SCHEMES[kind.scheme].has(block.kind, gate=gate > 0) else None


def design(
    shapes: Shapes, kind: Kind, stem: tuple[int, ...], stages: Rows, name: str
) -> MobileConvolutions:
    """Fill in what follows from the kind of network."""
    names = SCHEMES[kind.scheme]
    act, *acts = kind.acts.split()
    head = kernel(shapes, names.head(len(stages)).conv)
    hidden = outputs(shapes, "classifier.0") if names.hidden else 0
    weights = find(f"{LIBRARY}{name}")
    assert weights, name
    return MobileConvolutions(
        library="torchvision",
        variant=name,
        size=weights.size,
        classes=outputs(shapes, names.classifier),
        scheme=kind.scheme,
        stem=str(Block("cn", stem[2], 2, 0, stem[0], n=act)),
        blocks=finished(stages, stem[0], [int(stride) for stride in kind.strides], acts),
        head=str(Block("cn", 1, 1, 0, head[0], n=act)) if head else "",
        hidden=hidden,
        hidden_bias=True,
        hidden_norm=False,
        act=act,
        epsilon=EFFICIENT[name].epsilon if name in EFFICIENT else kind.epsilon,
        padding="",
        gate="hard_sigmoid" if kind.scheme == _V3 else "sigmoid",
        gate_act="re" if kind.scheme == _V3 else "",
        layer_scale=False,
        antialias="",
        resize=weights.resize,
        squash=False,
        kernel=weights.kernel,
        scale="half" if name == "efficientnet_v2_l" else "imagenet",
    )
