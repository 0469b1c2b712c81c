"""CLIP's ResNets read off the tensors of a file; see `penult.nets.clip_resnet`."""

from collections.abc import Mapping
from math import isqrt
from typing import Any, Literal

from penult.errors import NetworkError
from penult.graph import images, variables
from penult.nets import pytorch
from penult.nets.clip_resnet import (
    MOST_BLOCKS,
    NAMES,
    PUBLISHED,
    REDUCTION,
    STAGES,
    ClipResNet,
    Library,
)
from penult.nets.design import Card, Shapes
from penult.util.text import quoted

MOST_PIXELS = 4096  # of an image's side
Place = tuple[Library, Literal["", "visual."]]
PLACES: tuple[Place, ...] = (("open_clip", "visual."), ("open_clip", ""), ("timm", ""))


def read(shapes: Shapes, card: Card) -> ClipResNet | None:
    """Read the network off the tensors of a file, both towers or the image's alone.

    Raises:
        NetworkError: What is said beside the file is another network than the tensors.
    """
    config = card.config.get("vision_cfg")
    settings = config if isinstance(config, Mapping) else {}
    found = next((each for each in (_read(shapes, p, settings) for p in PLACES) if each), None)
    if not found:
        return None
    _compare(found, settings)
    title, said = found.name.removeprefix("timm/"), card.architecture
    ours = {f"resnet{kind}_clip{pool}" for kind, _ in PUBLISHED.values() for pool in ("", "_gap")}
    if said in ours and said != title:
        raise NetworkError(f"the tensors are of {title}, not of {said} as is said")
    return None if found.pool == "avg" and said not in {"", title} else found


def _read(shapes: Shapes, place: Place, settings: Mapping[str, Any]) -> ClipResNet | None:
    library, base = place
    names = NAMES[library]
    table = shapes.get(f"{base}{names.places}")
    if table is None and library == "open_clip":
        return None
    width = _first(shapes, f"{base}{names.conv.format(3)}.weight")
    blocks = tuple(
        _blocks(shapes, f"{base}{names.stage.format(stage, stage + 1)}", names.convs[0])
        for stage in range(STAGES)
    )
    _, size = PUBLISHED.get((blocks, width), ("", 224))
    if table is not None:
        size = REDUCTION * isqrt(max(0, table[0] - 1)) if len(table) == 2 else 0
    head_width = settings.get("head_width", 64)
    channels = REDUCTION * width
    projected = _first(shapes, f"{base}{names.projection}.weight")
    head = names.projection if table else "head.fc"
    classes = 0 if library == "open_clip" else pytorch.classes_of(shapes, head, channels)
    if not 0 < size <= MOST_PIXELS or type(head_width) is not int or head_width < 1:
        return None
    try:
        found = ClipResNet(
            library=library,
            base=base,
            size=size,
            classes=classes,
            blocks=blocks,
            width=width,
            pool="attention" if table else "avg",
            heads=channels // head_width,
            features=projected if library == "open_clip" else channels,
        )
    except ValueError:
        return None
    return found if _explains(found, shapes) else None


def _first(shapes: Shapes, name: str) -> int:
    return next(iter(shapes.get(name, ())), 0)


def _blocks(shapes: Shapes, stage: str, conv: str) -> int:
    known = (f"{stage}.{block}{conv}.weight" in shapes for block in range(MOST_BLOCKS))
    return next((count for count, known_ in enumerate(known) if not known_), MOST_BLOCKS)


def _explains(design: ClipResNet, shapes: Shapes) -> bool:
    """Whether the file has all that the network needs, and in its stages nothing else."""
    graph = design.architecture().build(images(design.size), design.classes)
    needed = {each.name: each.shape for each in variables(graph.values())}
    stage = NAMES[design.library].stage
    stages = tuple(f"{design.base}{stage.format(n, n + 1)}." for n in range(STAGES))
    if design.pool == "avg":
        stages += ("head.",)  # timm has other networks with such stages
    return all(shapes.get(name) == shape for name, shape in needed.items()) and all(
        name in needed or name.endswith(".num_batches_tracked")
        for name in shapes
        if name.startswith(stages)
    )


def _compare(found: ClipResNet, settings: Mapping[str, Any]) -> None:
    """Compare what open_clip_config.json says with the tensors."""
    told = {"layers": [*found.blocks], "width": found.width, "image_size": found.size}
    for name, value in told.items():
        if (said := settings.get(name, value)) != value:
            raise NetworkError(
                f"open_clip_config.json says {name} {quoted(said)}, but the tensors {value}"
            )
