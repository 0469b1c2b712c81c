"""transformers' MobileNet V2, read off its files and their settings.

As transformers' models/mobilenet_v2/modeling_mobilenet_v2.py has it, with TensorFlow's padding;
where the settings leave something out, the defaults of MobileNetV2Config hold.
"""

from typing import TypeVar

from penult.errors import NetworkError
from penult.nets.design import Card, Shapes
from penult.nets.mbconv import Block, MobileConvolutions
from penult.nets.mbconv_names import SCHEMES
from penult.nets.mbconv_reading import Rows, finished, kernel, outputs, row
from penult.util.text import quoted

T = TypeVar("T", int, float, str, bool)

STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)  # of conv_stem, then of the layers
ACTS = {"relu6": "r6", "relu": "re", "silu": "sw", "swish": "sw", "hardswish": "hs"}


def read(shapes: Shapes, card: Card) -> MobileConvolutions | None:
    """Read a network off the tensors.

    Raises:
        NetworkError: The settings ask for something else than is built here.
    """
    base = "mobilenet_v2." if "mobilenet_v2.conv_1x1.convolution.weight" in shapes else ""
    stem = kernel(shapes, f"{base}conv_stem.first_conv.convolution")
    head = kernel(shapes, f"{base}conv_1x1.convolution")
    if card.library not in {"", "transformers"} or not (stem and head):
        return None
    stages = rows_of(shapes, base, stem[0])
    if len(stages) != len(STRIDES):
        return None
    if card.architecture not in {"", "mobilenet_v2"}:
        raise NetworkError(
            f"the tensors are those of a MobileNet V2, not of a {quoted(card.architecture)}"
        )
    act = ACTS.get(setting(card, "hidden_act", "relu6"), "")
    if not act or setting(card, "output_stride", 32) != 32:
        found = {name: card.config.get(name) for name in ("hidden_act", "output_stride")}
        raise NetworkError(
            f"a MobileNet V2 with {quoted(found)} can't be built; convert it to ONNX"
        )
    size = setting(card, "image_size", 224)
    return MobileConvolutions(
        library="transformers",
        variant="mobilenet_v2",
        size=size,
        classes=outputs(shapes, "classifier"),
        scheme="transformers" if base else "transformers_base",
        stem=str(Block("cn", stem[2], 2, 0, stem[0], n=act)),
        blocks=finished(stages, stem[0], STRIDES, [act]),
        head=str(Block("cn", head[2], 1, 0, head[0], n=act)),
        hidden=0,
        hidden_bias=False,
        hidden_norm=False,
        act=act,
        epsilon=setting(card, "layer_norm_eps", 1e-3),
        padding="SAME" if setting(card, "tf_padding", True) else "",
        gate="sigmoid",
        gate_act="",
        layer_scale=False,
        antialias="",
        resize=size + 32,
        squash=False,
        kernel="bilinear",
        scale="half",
    )


def rows_of(shapes: Shapes, base: str, width: int) -> Rows:
    """Read the blocks, as stages of one each; fewer if one is strange."""
    stages: Rows = []
    for name in ("conv_stem", *(f"layer.{number}" for number in range(16))):
        parts = ("expand_1x1", "conv_3x3", "reduce_1x1")
        each = [kernel(shapes, f"{base}{name}.{part}.convolution") for part in parts]
        block = row([found for found in each if found], width)
        if block is None or not SCHEMES["transformers"].has(block.kind, gate=False):
            break
        stages.append([block])
        width = block.c
    return stages


def setting(card: Card, name: str, default: T) -> T:
    """Return a setting, or what holds without it.

    Raises:
        NetworkError: It isn't of the kind that it should be.
    """
    value = card.config.get(name, default)
    if type(value) is not type(default):
        raise NetworkError(f"the setting {name} can't be {quoted(value)}")
    return value
