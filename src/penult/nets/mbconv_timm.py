"""timm's networks of mobile convolutions, read off their files.

All that timm/models/_efficientnet_builder.py builds of plain convolutions: EfficientNet V1, V2,
Lite and EdgeTPU, MobileNet V1 to V4, MNASNet, FBNet, LCNet, TinyNet. Tensors tell blocks, kernels
and channels; `mbconv_timm_table` strides and activations; names padding. Networks that differ in
those alone have the same tensors, so which one it is must be said.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from penult.errors import NetworkError, UsageError
from penult.nets.design import Card, Shapes
from penult.nets.mbconv import Block, MobileConvolutions
from penult.nets.mbconv_reading import Rows, finished, kernel, outputs, row
from penult.nets.mbconv_timm_table import FAMILIES, VARIANTS, Variant
from penult.util.text import quoted


class Numerics(NamedTuple):
    """What timm's names tell by what they are made of."""

    padding: Literal["", "SAME"]
    epsilon: float
    antialias: Literal["", "avg", "blurpc"]


def read(shapes: Shapes, card: Card) -> MobileConvolutions | None:
    """Read a network off the tensors of timm's file.

    Raises:
        UsageError: They are of several networks that compute different numbers.
        NetworkError: They aren't of the network that the card names.
    """
    stages = rows_of(shapes)
    if card.library not in {"", "timm"} or not stages:
        return None
    fitting = [name for name in VARIANTS if fits(shapes, stages, VARIANTS[name])]
    if card.architecture and card.architecture not in fitting:
        raise NetworkError(contradiction(card.architecture, fitting))
    if not fitting:
        return None
    check_settings(card.config)
    return design(shapes, stages, card.architecture or the_one(fitting))


def rows_of(shapes: Shapes) -> Rows:
    """Read the blocks by stages, apart from strides, activations, skips; none if one is strange."""
    stages: Rows = []
    heads = {".".join(name.split(".")[:3]) for name in shapes if name.startswith("blocks.")}
    stem = kernel(shapes, "conv_stem")
    if stem is None:
        return []
    width = stem[0]
    while f"blocks.{len(stages)}.0" in heads:
        stages.append([])
        while (at := f"blocks.{len(stages) - 1}.{len(stages[-1])}") in heads:
            block = row_of(shapes, at, width)
            if block is None:
                return []
            stages[-1].append(block)
            width = block.c
    return stages


def row_of(shapes: Shapes, at: str, width: int) -> Block | None:
    """Read one block that so many channels go into; None if it is none of these kinds."""
    gate = kernel(shapes, f"{at}.se.conv_reduce")
    asked, key, seen = (
        kernel(shapes, f"{at}.attn.{name}.proj") for name in ("query", "key", "output")
    )
    if asked and key and seen:
        down = kernel(shapes, f"{at}.attn.key.down_conv")
        return Block("mqa", down[2] if down else 0, 1, key[0], seen[0], h=asked[0] // key[0])
    wide, narrow = (kernel(shapes, f"{at}.{name}.conv") for name in ("pw_exp", "pw_proj"))
    if wide and narrow:
        three = (kernel(shapes, f"{at}.{name}.conv") for name in ("dw_start", "dw_mid", "dw_end"))
        first, middle, last = (each[2] if each else 0 for each in three)
        return Block("uir", middle, 1, wide[0], narrow[0], 0, first, last, g=1)
    parts = next(
        (kind for kind in _PARTS if all(f"{at}.{part}.weight" in shapes for part in kind)), ()
    )
    kernels = [found for part in parts if (found := kernel(shapes, f"{at}.{part}"))]
    whole = parts and len(kernels) == len(parts)
    return row(kernels, width, gate[0] if gate else 0) if whole else None


def fits(shapes: Shapes, stages: Rows, variant: Variant) -> bool:
    """Compare a network's row in the table with its tensors."""
    family = FAMILIES[variant.family]
    seen = [f"{b.kind}{max(b.k, b.a, b.p)}{'s' if b.se else ''}" for b, *_ in stages]
    depths = " ".join(str(len(stage)) for stage in stages)
    ends = shapes["conv_stem.weight"][0], stages[-1][-1].c
    return (
        seen == family.seen
        and (depths, *ends) == (variant.depths, variant.stem, variant.last)
        and head_of(shapes) in family.head.split()
    )


def head_of(shapes: Shapes) -> str:
    """Tell where the last convolution is, and what belongs to it."""
    if kernel(shapes, "conv_head") is None:
        return "none"
    if "bn2.weight" in shapes:
        return "unpooled"
    if "norm_head.weight" in shapes:
        return "normed"
    return "biased" if "conv_head.bias" in shapes else "bare"


def the_one(fitting: list[str]) -> str:
    """Choose the network, if all that fit compute the same numbers.

    Raises:
        UsageError: They don't.
    """
    kinds = {(VARIANTS[name].family, numerics(name)) for name in fitting}
    if len(kinds) > 1:
        choices = " or ".join(f"-m timm/{name}" for name in fitting)
        raise UsageError(
            f"the tensors fit several networks that compute different numbers: say {choices}"
        )
    return fitting[0]


def numerics(name: str) -> Numerics:
    """Say what timm's name tells."""
    tf = name.startswith("tf_") or (name.startswith("efficientnet_b") and "_pruned" in name)
    loose = tf or name in {"fbnetc_100", "mobilenetv3_rw"}
    antialias: Literal["", "avg", "blurpc"] = "avg" if "_aa_" in name else ""
    return Numerics(
        "SAME" if tf else "", 1e-3 if loose else 1e-5, "blurpc" if "_blur_" in name else antialias
    )


def design(shapes: Shapes, stages: Rows, name: str) -> MobileConvolutions:
    """Fill in what the table says."""
    variant, said = VARIANTS[name], numerics(name)
    family = FAMILIES[variant.family]
    act, *acts = family.acts.split()
    strides = [int(stage.partition("/")[2]) for stage in family.stages.split()]
    stem, head = (kernel(shapes, name) for name in ("conv_stem", "conv_head"))
    assert stem is not None  # or it would fit none
    pooled = head_of(shapes) not in {"none", "unpooled"}

    def may_skip(stage: int, block: Block) -> bool:
        kind = block.kind != "dsa" and (block.kind != "cn" or family.joined)
        return kind and stage not in family.alone

    if family.stages.startswith("dsa"):
        stages = [[block._replace(kind="dsa") for block in stage] for stage in stages]
    return MobileConvolutions(
        library="timm",
        variant=name,
        size=variant.size,
        classes=outputs(shapes, "classifier"),
        scheme="timm_mobilenetv3" if pooled else "timm",
        stem=str(Block("cn", stem[2], 2, 0, stem[0], n=act)),
        blocks=finished(stages, stem[0], strides, acts or [act], may_skip),
        head=str(Block("cn", 1, 1, 0, head[0], n=act)) if head and not pooled else "",
        hidden=head[0] if head and pooled else 0,
        hidden_bias="conv_head.bias" in shapes,
        hidden_norm="norm_head.weight" in shapes,
        act=act,
        epsilon=said.epsilon,
        padding=said.padding,
        gate=family.gate,
        gate_act=family.gate_act,
        layer_scale="blocks.1.0.layer_scale.gamma" in shapes,
        antialias=said.antialias,
        resize=int(variant.size / variant.crop),
        squash=variant.squash,
        kernel=variant.kernel,
        scale=variant.scale,
    )


def contradiction(name: str, fitting: list[str]) -> str:
    """Say that the tensors aren't those of the named network."""
    if name not in VARIANTS:
        return f"timm/{name} is none of the networks that Penult builds; convert it to ONNX"
    known = f"; they fit {' and '.join(f'timm/{each}' for each in fitting)}" if fitting else ""
    return f"the tensors aren't those of timm/{name}{known}"


def check_settings(settings: Mapping[str, Any]) -> None:
    """Check that settings beside the name change nothing that is built here.

    Raises:
        NetworkError: One might.
    """
    for key, value in settings.items():
        if key not in _HARMLESS and (key, value) not in _DEFAULTS and value is not None:
            raise NetworkError(
                f"timm's setting {quoted(f'{key}={value}')} can't be followed for this network; "
                "convert it to ONNX"
            )


_HARMLESS = {"num_classes", "in_chans", "img_size", "drop_rate", "drop_path_rate"}
_DEFAULTS = [("global_pool", "avg"), ("global_pool", ""), ("output_stride", 32)]
_PARTS = (  # of the other kinds of blocks; the first that is there is it
    ("conv",),
    ("conv_exp", "conv_pwl"),
    ("conv_pw", "conv_dw", "conv_pwl"),
    ("conv_dw", "conv_pw"),
)
