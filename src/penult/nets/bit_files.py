"""BiT and other pre-activation ResNets read off the tensors of a file; see `penult.nets.bit`."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

from penult.errors import NetworkError
from penult.graph import images, variables
from penult.nets.bit import GROUPS, MOST_BLOCKS, VARIANTS, Bit
from penult.nets.bit_names import NAMES, Library, Names
from penult.nets.design import Card, Shapes
from penult.util.text import quoted

MOST_STAGES = 8
Place = tuple[Library, Literal["", "bit."]]
PLACES: tuple[Place, ...] = (
    ("timm", ""),
    ("transformers", "bit."),
    ("transformers", ""),
    ("google", ""),
)
SETTINGS = {  # transformers' that no tensor tells: the only values that published files have
    "layer_type": "preactivation",
    "hidden_act": "relu",
    "num_groups": GROUPS,
    "global_padding": None,
    "embedding_dynamic_padding": False,
    "output_stride": 32,
}


def read(shapes: Shapes, card: Card) -> Bit | None:
    """Read the network off the tensors of a file.

    Only BiT has groups normalised and one convolution before the first stage; its kernels are
    standardised. Only networks with three have pooled shortcuts.

    Raises:
        NetworkError: The card says another network than the tensors.
    """
    found = next((each for each in (_read(shapes, place) for place in PLACES) if each), None)
    if not found:
        return None
    if found.library == "transformers":
        _compare(found, card.config)
        return replace(found, size=448)  # as their only file
    title, said = found.title, card.architecture
    if said in VARIANTS and said != title:
        raise NetworkError(f"the tensors are of {title}, not of {said} as is said")
    known = found.library == "timm" and title in VARIANTS
    return replace(found, size=VARIANTS[title][0]) if known else found


def _read(shapes: Shapes, place: Place) -> Bit | None:
    library, prefix = place
    names = NAMES[library]
    deep = library == "timm" and "stem.conv1.weight" in shapes
    single = f"{prefix}{names.stem_conv}"
    stem = ["stem.conv1", "stem.conv2", "stem.conv3"] if deep else [single]
    norm: Literal["batch", "group"] = "batch" if "norm.running_mean" in shapes else "group"
    stages = [*_stages(shapes, names, prefix)]
    last = -1 if names.is_transposed else 0
    first = f"{names.block_of(prefix, 0, 0)}{names.convs[2]}{names.kernel}"
    try:
        found = Bit(
            library=library,
            prefix=prefix,
            size=224,
            classes=_classes(shapes, names, stages[-1][1]),
            stem=tuple(shapes[f"{each}{names.kernel}"][last] for each in stem),
            blocks=tuple(blocks for blocks, _, _ in stages),
            channels=tuple(channels for _, channels, _ in stages),
            inner=tuple(inner for _, _, inner in stages),
            has_bottlenecks=first in shapes,
            norm=norm,
            is_standardised=norm == "group" and not deep,
            has_pooled_shortcuts=deep,
        )
    except (LookupError, ValueError):
        return None
    return found if _explains(found, shapes) else None


def _classes(shapes: Shapes, names: Names, features: int) -> int:
    """Count the classes; 0 where the head is another one than the network's."""
    (classes,) = shapes.get(f"{names.head}{names.bias}", ())[:1] or (0,)
    convolution = (1, 1, features, classes) if names.is_transposed else (classes, features, 1, 1)
    expected = convolution[:2] if names.has_linear_head else convolution
    return classes if shapes.get(f"{names.head}{names.kernel}") == expected else 0


def _stages(shapes: Shapes, names: Names, prefix: str) -> Iterator[tuple[int, int, int]]:
    """Yield each stage's blocks, its channels and those inside."""
    place = -1 if names.is_transposed else 0

    def filters(at: str, conv: str) -> int:
        shape = shapes.get(f"{at}{conv}{names.kernel}")
        return shape[place] if shape else 0

    for stage in range(MOST_STAGES):
        blocks = [names.block_of(prefix, stage, block) for block in range(MOST_BLOCKS)]
        known = [at for at in blocks if filters(at, names.convs[0])]
        if not known or known != blocks[: len(known)]:
            return
        inner, middle, last = (filters(known[0], conv) for conv in names.convs)
        yield len(known), last or middle, inner


def _explains(design: Bit, shapes: Shapes) -> bool:
    """Whether the file has all that the network needs, and in its stages nothing else."""
    graph = design.architecture().build(images(design.size), design.classes)
    needed = {each.name: each.shape for each in variables(graph.values())}
    names, prefix = NAMES[design.library], design.prefix
    stages = tuple(names.stage_of(prefix, stage) for stage in range(len(design.blocks)))
    return all(shapes.get(name) == shape for name, shape in needed.items()) and all(
        name in needed or name.endswith(".num_batches_tracked")
        for name in shapes
        if name.startswith(stages)
    )


def _compare(found: Bit, config: Mapping[str, Any]) -> None:
    """Compare transformers' settings with what is known, and with what the tensors tell."""
    for name, value in SETTINGS.items():
        if (said := config.get(name, value)) != value:
            raise NetworkError(f"config.json: a BiT with {name} {quoted(said)} isn't supported")
    if (said := config.get("depths", [*found.blocks])) != [*found.blocks]:
        raise NetworkError(
            f"config.json says depths {quoted(said)}, but the tensors {[*found.blocks]}"
        )
