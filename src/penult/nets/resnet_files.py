"""ResNets read off the tensors of a file; see `penult.nets.resnet`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from penult.errors import NetworkError, UsageError
from penult.graph import images, variables
from penult.nets import pytorch
from penult.nets.design import Card, Shapes
from penult.nets.resnet import Names, ResNet, Stages, title
from penult.nets.resnet_published import TIMM
from penult.nets.torchvision import networks
from penult.util.text import quoted

IMAGENET = 1000  # classes
MOST_STAGES = 8
MOST_BLOCKS = 512  # of a stage; published ones have up to 87


def read(shapes: Shapes, card: Card) -> ResNet | None:
    """Read the network off the tensors of a file.

    What they don't tell is how maps are blurred where they are halved: that timm's name says.
    Without one, a network that torchvision has too is taken for that, unless all that is there are
    the 1000 classes of ImageNet, for which timm has published blurred ones.

    Raises:
        UsageError: Several networks of timm fit.
        NetworkError: The card says another network than the tensors, or they are of none.
    """
    hugging = [p for p in ("resnet.", "") if f"{p}embedder.embedder.convolution.weight" in shapes]
    names = Names("transformers", hugging[0]) if hugging else Names("timm")
    stem = _stem(shapes, names)
    stages = tuple(_stages(shapes, names))
    if not stem or not stages:
        return None
    second = names.block(min(1, len(stages) - 1), 0)
    pooled = not hugging and f"{names.shortcut(second, pooled=True)[1]}.weight" in shapes
    halving = shapes.get(f"{names.shortcut(second, pooled=pooled)[0]}.weight")
    config = card.config if hugging else {}
    try:
        attention, attended = _attention(shapes, names, len(stages))
        found = ResNet(
            library="transformers" if hugging else "timm",
            prefix="resnet." if names.prefix else "",
            size=224,
            classes=pytorch.classes_of(shapes, names.classifier, stages[-1][0][-1]),
            stem=stem,
            stem_pool="conv" if "maxpool.0.weight" in shapes else "max",
            stages=stages,
            groups=_groups(shapes, names, stages),
            shortcut="avg" if pooled else "conv",
            shortcut_kernel=halving[-1] if halving else 1,
            attention=attention,
            attended=attended,
            antialias="",
            norm="batch" if f"{names.stem()[1]}.running_mean" in shapes else "group",
            first_stride=2 if config.get("downsample_in_first_stage") is True else 1,
            stride_in_1x1=config.get("downsample_in_bottleneck") is True,
        )
    except (ValueError, LookupError, ZeroDivisionError):
        return None
    if not _explains(found, shapes):
        return None
    if not hugging:
        return _by_name(found, card)
    _compare(found, config)
    return found


def _explains(design: ResNet, shapes: Shapes) -> bool:
    """Whether the file has all that the network needs, and in its stages nothing else."""
    graph = design.architecture().build(images(design.size), design.classes)
    needed = {each.name: each.shape for each in variables(graph.values())}
    stages = tuple(f"{design.names.stage(stage)}." for stage in range(len(design.stages)))
    return all(shapes.get(name) == shape for name, shape in needed.items()) and all(
        name in needed or name.endswith(".num_batches_tracked")
        for name in shapes
        if name.startswith(stages)
    )


def _stem(shapes: Shapes, names: Names) -> tuple[int, ...]:
    conv = names.stem()[0]
    kernels = {f"{conv}.{n}": 3 for n in (0, 3, 6)} if f"{conv}.0.weight" in shapes else {conv: 7}
    found = [shapes.get(f"{each}.weight", ()) for each in kernels]
    if [each[2:] for each in found] != [(kernel, kernel) for kernel in kernels.values()]:
        return ()
    if found[0][1] != 3:
        raise NetworkError(f"{next(iter(kernels))} takes {found[0][1]} channels rather than 3")
    return tuple(filters for filters, *_ in found)


def _stages(shapes: Shapes, names: Names) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield each stage's channels, by block and convolution."""
    for stage in range(MOST_STAGES):
        blocks = []
        for block in range(MOST_BLOCKS):
            convs = (names.conv(names.block(stage, block), n)[0] for n in range(3))
            widths = [shapes[f"{c}.weight"][0] for c in convs if shapes.get(f"{c}.weight")]
            if not widths:
                break
            blocks.append(tuple(widths))
        if not blocks:
            return
        yield tuple(blocks)


def _groups(shapes: Shapes, names: Names, stages: Stages) -> int:
    widths = stages[0][0]
    if len(widths) == 2:
        return 1
    grouped = shapes[f"{names.conv(names.block(0, 0), 1)[0]}.weight"]
    return widths[0] // grouped[1]


def _attention(
    shapes: Shapes, names: Names, stages: int
) -> tuple[Literal["", "se", "eca"], tuple[int, ...]]:
    blocks = [names.block(stage, 0) for stage in range(stages)]
    if f"{blocks[0]}.se.fc1.weight" in shapes:
        return "se", tuple(shapes.get(f"{at}.se.fc1.weight", (0,))[0] for at in blocks)
    if f"{blocks[0]}.se.conv.weight" in shapes:
        return "eca", tuple(shapes.get(f"{at}.se.conv.weight", (0,))[-1] for at in blocks)
    return "", ()


def _compare(found: ResNet, config: Mapping[str, Any]) -> None:
    """Compare transformers' settings with what the tensors tell."""
    if (act := config.get("hidden_act", "relu")) != "relu":
        raise NetworkError(f"config.json: a ResNet with hidden_act {quoted(act)} isn't supported")
    depths = [len(stage) for stage in found.stages]
    if (said := config.get("depths", depths)) != depths:
        raise NetworkError(f"config.json says depths {quoted(said)}, but the tensors {depths}")


def _by_name(found: ResNet, card: Card) -> ResNet:
    """Add what torchvision's or timm's name of the network says."""
    kinds: tuple[Literal["", "avg", "blur"], ...] = ("", "avg", "blur")
    alike: dict[str, ResNet] = {}
    for kind in kinds:
        each = replace(found, antialias=kind)
        alike.setdefault(title(each), each)  # not all names tell
    plain, *blurred = alike
    if not (card.library or card.architecture) and found.classes == IMAGENET:
        _require_only(plain, blurred)
    if card.library == "torchvision" or (card.library != "timm" and plain in networks()):
        alike = {plain: replace(found, library="torchvision")}
    if (name := card.architecture) in alike:
        return _sized(alike[name])
    if name in TIMM or name in networks():
        raise NetworkError(f"the tensors are of {plain}, not of {name} as is said")
    known = [each for each in alike if each in TIMM]
    if len(known) > 1 and not name:
        choices = ", ".join(f"-m timm/{each}" for each in known)
        raise UsageError(f"several networks have such tensors; say which it is: {choices}")
    return _sized(alike[plain if plain in TIMM or not known or name else known[0]])


def _require_only(plain: str, blurred: Sequence[str]) -> None:
    """Ask, where tensors of torchvision's network may be of one that timm has published."""
    others = [f"-m timm/{each}" for each in blurred if each in TIMM]
    if plain in networks() and others:
        choices = ", ".join([f"-m torchvision/{plain}", *others])
        raise UsageError(f"several networks have such tensors; say which it is: {choices}")


def _sized(found: ResNet) -> ResNet:
    if found.library == "torchvision":
        return found
    return replace(found, size=TIMM.get(title(found), (224, 0))[0])
