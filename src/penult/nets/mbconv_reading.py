"""What readers of networks of mobile convolutions share: rows from tensors' shapes."""

from collections.abc import Callable, Sequence

from penult.nets.design import Shapes
from penult.nets.mbconv import VAST, Block

Rows = list[list[Block]]  # by stages


def kernel(shapes: Shapes, name: str) -> tuple[int, ...] | None:
    """Return the shape of a convolution's kernel, if there is one that can be: square, not vast."""
    shape = shapes.get(f"{name}.weight", ())
    sound = len(shape) == 4 and 0 < min(shape) <= max(shape) < VAST and shape[2] == shape[3]
    return shape if sound else None


def outputs(shapes: Shapes, name: str) -> int:
    """Count what a dense layer gives; 0 if there is none."""
    shape = shapes.get(f"{name}.weight", ())
    return shape[0] if len(shape) == 2 and 0 < shape[0] < VAST else 0


def row(kernels: Sequence[tuple[int, ...]], width: int, se: int = 0) -> Block | None:
    """Read a block off its kernels' shapes; None if it is none of the usual kinds.

    Args:
        kernels: Of one convolution to three.
        width: Channels that go in.
        se: Channels within its gate; 0 if it has none.
    """
    if not 1 <= len(kernels) <= 3:
        return None
    first, last = kernels[0], kernels[-1]
    group = 0 if first[1] == width else first[1]
    if len(kernels) == 1:
        return Block("cn", first[2], 1, 0, last[0], se, g=group)
    if len(kernels) == 3:
        return Block("ir", kernels[1][2], 1, first[0], last[0], se, g=kernels[1][1])
    if first[0] == width and group == 1:
        return Block("ds", first[2], 1, 0, last[0], se, g=group)
    return Block("er", first[2], 1, first[0], last[0], se, g=group)


def finished(
    stages: Rows,
    width: int,
    strides: Sequence[int],
    acts: Sequence[str],
    may_skip: Callable[[int, Block], bool] = lambda stage, block: True,
) -> tuple[str, ...]:
    """Write the rows of a network by stages, with what tensors don't tell.

    Args:
        stages: As tensors tell them.
        width: Channels that go in.
        strides: Of the first block of each stage.
        acts: The activations of the stages, the last of which stands for the rest.
        may_skip: Whether a block of a stage adds its input where shapes allow it.
    """
    rows: list[str] = []
    for number, stage in enumerate(stages):
        said = []
        for place, block in enumerate(stage):
            stride = 1 if place else strides[number]
            skip = stride == 1 and block.c == width and may_skip(number, block)
            act = acts[min(number, len(acts) - 1)]
            said.append(str(block._replace(s=stride, n=act, skip=skip)))
            width = block.c
        rows.append(" ".join(said))
    return tuple(rows)
