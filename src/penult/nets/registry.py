"""The networks by name: ours, each family imported when it is asked for, then other packages'.

A network's name begins with that of its family's module, so that a name alone says which module to
import. Other packages name such modules as entry points of the group `penult.networks`; they are
looked for only where ours don't answer, as looking takes longer than making a network.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from penult.errors import UsageError
from penult.nets import torchvision
from penult.nets.design import Card, Design, Shapes, design_of, pretrained
from penult.nets.spec import Pretrained
from penult.util.text import nearest, one_line, quoted

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

FAMILIES = (
    "efficientnet_lite",
    "inception_v1",
    "inception_v2",
    "inception_v3",
    "inception_v4",
    "inception_resnet_v2",
    "resnet_v1",
    "resnet_v2",
    "vgg",
    "alexnet_v2",
    "overfeat",
    "lenet",
    "cifarnet",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3",
    "nasnet",
    "pnasnet",
)
ANCHORS: tuple[tuple[str, str], ...] = (
    # a tensor that all files of some network have, and the module that reads them
    ("visual.trunk.patch_embed.proj.weight", "vision_transformer_files"),
    ("visual.transformer.resblocks.0.ln_1.weight", "vision_transformer_files"),
    ("vision_model.embeddings.patch_embedding.weight", "vision_transformer_files"),
    ("vit.embeddings.cls_token", "vision_transformer_files"),
    ("deit.embeddings.cls_token", "vision_transformer_files"),
    ("dinov2.embeddings.cls_token", "vision_transformer_files"),
    ("dinov2_with_registers.embeddings.cls_token", "vision_transformer_files"),
    ("embeddings.patch_embeddings.projection.weight", "vision_transformer_files"),
    ("embeddings.patch_embeddings.weight", "vision_transformer_files"),
    ("encoder.layers.encoder_layer_0.ln_1.weight", "vision_transformer_files"),
    ("blocks.0.attn.qkv.weight", "vision_transformer_files"),
    ("visual.attnpool.positional_embedding", "clip_resnet_files"),
    ("attnpool.positional_embedding", "clip_resnet_files"),
    ("stages.0.0.conv1_1x1.conv.weight", "clip_resnet_files"),
    ("stages.0.blocks.0.norm1.weight", "bit_files"),
    ("bit.embedder.convolution.weight", "bit_files"),
    ("embedder.convolution.weight", "bit_files"),
    ("resnet/root_block/standardized_conv2d/kernel", "bit_files"),
    ("resnet.embedder.embedder.convolution.weight", "resnet_files"),
    ("embedder.embedder.convolution.weight", "resnet_files"),
    ("layer1.0.conv1.weight", "resnet_files"),
    ("trunk_output.block1.block1-0.f.a.0.weight", "regnet"),
    ("s1.b1.conv1.conv.weight", "regnet"),
    ("regnet.embedder.embedder.convolution.weight", "regnet"),
    ("embedder.embedder.convolution.weight", "regnet"),
    ("conv_stem.weight", "mbconv_timm"),
    ("features.1.0.block.0.0.weight", "mbconv_torchvision"),
    ("features.1.block.0.0.weight", "mbconv_torchvision"),
    ("features.1.conv.0.0.weight", "mbconv_torchvision"),
    ("layers.8.0.layers.0.weight", "mbconv_torchvision"),
    ("mobilenet_v2.conv_stem.first_conv.convolution.weight", "mbconv_transformers"),
    ("conv_stem.first_conv.convolution.weight", "mbconv_transformers"),
    ("visual.trunk.stages.0.blocks.0.conv_dw.weight", "convnext_files"),
    ("stages.0.blocks.0.conv_dw.weight", "convnext_files"),
    ("features.1.0.layer_scale", "convnext_files"),
    ("convnext.embeddings.patch_embeddings.weight", "convnext_files"),
    ("convnextv2.embeddings.patch_embeddings.weight", "convnext_files"),
    ("encoder.stages.0.layers.0.dwconv.weight", "convnext_files"),
    ("stages.0.layers.0.depthwise_conv.weight", "convnext_files"),
    ("downsample_layers.0.0.weight", "convnext_files"),
    ("features.0.weight", "alexnet"),
    ("features.0.weight", "vgg_torchvision"),
    ("features.0.weight", "squeezenet"),
    ("features.conv0.weight", "densenet"),
    ("inception3a.branch1.conv.weight", "googlenet"),
    ("Mixed_5b.branch1x1.conv.weight", "inception_v3_torchvision"),
    ("stage2.0.branch1.0.weight", "shufflenet_v2"),
)
DESIGNS = {  # of families that are read off tensors
    "alexnet": "AlexNet",
    "bit": "Bit",
    "clip_resnet": "ClipResNet",
    "convnext": "ConvNeXt",
    "densenet": "DenseNet",
    "googlenet": "GoogLeNet",
    "inception_v3_torchvision": "InceptionV3",
    "mbconv": "MobileConvolutions",
    "regnet": "RegNet",
    "resnet": "ResNet",
    "shufflenet_v2": "ShuffleNetV2",
    "squeezenet": "SqueezeNet",
    "vgg_torchvision": "Vgg",
    "vision_transformer": "VisionTransformer",
}
GROUP = "penult.networks"
DEFAULT = "efficientnet_lite0"


def lookup(name: str) -> Pretrained | None:
    """Return the network of that name, ours or an installed package's; None if there is none.

    Raises:
        UsageError: It isn't ours, and an installed package's networks can't be used.
    """
    return _find_ours(name) or next(
        (network for network in installed() if network.name == name), None
    )


def get(name: str) -> Pretrained:
    """Return the network of that name.

    Raises:
        UsageError: There is none, and the message names the nearest; or as of `lookup`.
    """
    network = lookup(name)
    if network is None:
        library = [f"{torchvision.LIBRARY}{name}"] if name in torchvision.networks() else []
        known = nearest(name, [*library, *(network.name for network in networks())])
        raise UsageError(
            f"no network is named {quoted(name)}; nearest: {known} (see `penult models`)"
        )
    return network


def networks() -> Iterator[Pretrained]:
    """Yield all networks: ours in their order, then those of installed packages.

    Raises:
        UsageError: An installed package's networks can't be used.
    """
    yield from ours()
    yield from installed()


def ours() -> tuple[Pretrained, ...]:
    """List all networks of this package."""
    return tuple(network for family in FAMILIES for network in _family(family))


@cache
def installed() -> tuple[Pretrained, ...]:
    """List the networks that installed packages add.

    Raises:
        UsageError: A package's module can't be imported, or holds no networks, or one has a name
            that another network has; the message names the package.
    """
    from importlib.metadata import entry_points

    owners: dict[str, str] = {}
    added = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.value):
        package = entry.dist.name if entry.dist else entry.value
        for network in _load(entry, package):
            owner = "Penult" if _find_ours(network.name) else owners.get(network.name)
            if owner:
                raise _refusal(package, f"{owner} has a network named {quoted(network.name)} too")
            owners[network.name] = package
            added.append(network)
    return tuple(added)


def made_again(settings: Mapping[str, Any], name: str) -> Pretrained:
    """Make the network of `Pretrained.settings`, which a stranger may have written.

    Raises:
        ValueError: They are of no network; the message is one line.
    """
    return pretrained(design_of(settings, DESIGNS), name)


def read_designs(shapes: Shapes, card: Card) -> dict[str, Design]:
    """Find the networks that a file's tensors are of, by what stands before their names.

    Raises:
        UsageError: The tensors can't tell which one of several, nor does the card.
        NetworkError: The card contradicts the tensors.
    """
    for anchor, family in ANCHORS:
        found = {}
        for prefix in [name.removesuffix(anchor) for name in shapes if name.endswith(anchor)]:
            if not prefix or prefix[-1] in "./":
                module = import_module(f"penult.nets.{family}")
                found[prefix] = module.read(_below(shapes, prefix), card)
        if designs := {prefix: design for prefix, design in found.items() if design}:
            if not card.library:
                _require_undilated(shapes, designs)
            return designs
    return {}


def _require_undilated(shapes: Shapes, designs: Mapping[str, Design]) -> None:
    """Refuse parts of networks that divide images into regions, whose strides no tensor tells.

    torchvision's DeepLab and FCN, and MMSegmentation's, have dilations in the place of some.
    """
    for prefix, design in designs.items():
        whole = prefix.removesuffix("backbone.")
        heads = f"{whole}classifier.0.convs.0.0.weight", f"{whole}decode_head.conv_seg.weight"
        head = next((each for each in heads if each in shapes), f"{whole}classifier.0.weight")
        if whole != prefix and len(shapes.get(head, ())) == 4:
            raise UsageError(
                f"{prefix} is part of a network for segmentation (beside it is {head}), whose last "
                f"stages are mostly dilated, which isn't read; -m {design.name} takes it for one "
                "that isn't"
            )


def _below(shapes: Shapes, prefix: str) -> Shapes:
    return {n.removeprefix(prefix): s for n, s in shapes.items() if n.startswith(prefix)}


def _find_ours(name: str) -> Pretrained | None:
    families = (family for family in FAMILIES if name.startswith(family))
    return next((network for f in families for network in _family(f) if network.name == name), None)


def _family(name: str) -> Iterable[Pretrained]:
    family: Iterable[Pretrained] = import_module(f"penult.nets.{name}").PRETRAINED
    return family


def _load(entry: "EntryPoint", package: str) -> list[Pretrained]:
    try:
        listed = list(entry.load().PRETRAINED)
    except Exception as exc:  # it is another's code
        reason = f"{type(exc).__name__}: {one_line(str(exc))}"
        raise _refusal(package, f"{quoted(entry.value)} gives {reason}") from exc
    if not all(isinstance(network, Pretrained) for network in listed):
        raise _refusal(package, f"PRETRAINED of {quoted(entry.value)} holds more than networks")
    return listed


def _refusal(package: str, reason: str) -> UsageError:
    return UsageError(
        f"the networks of package {quoted(package)} can't be used: {reason}; "
        "install another version of it, or uninstall it"
    )
