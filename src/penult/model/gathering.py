"""From what became of images, one by one, to arrays of a row an image."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.errors import ImageError, UsageError
from penult.images import ImageLike
from penult.model.stream import Outcome
from penult.util.text import matching, quoted

Floats = NDArray[np.float32]
Shape = tuple[int, ...]


class Gathered(NamedTuple):
    """Features of images, and what became of those that have none.

    Attributes:
        layers: Of each layer (images, *shape).
        skipped: The errors of images that were left out, by their place from 0.
    """

    layers: dict[str, Floats]
    skipped: dict[int, ImageError]


def chosen(layer: str | None, outputs: Mapping[str, Shape]) -> Mapping[str, Shape]:
    """The layer of a name, or of the end of one, by default all, with shapes.

    Raises:
        UsageError: There's no such layer, or several.
    """
    if layer is None:
        return outputs
    matches = matching(layer, outputs)
    if len(matches) != 1:
        raise UsageError(f"layer must be one of {', '.join(outputs)}, not {layer!r}")
    return {name: outputs[name] for name in matches}


def gather(
    images: Iterable[ImageLike],
    stream: Callable[[Iterable[ImageLike]], Generator[Outcome]],
    layers: Mapping[str, Shape],
    *,
    skip: bool,
) -> Gathered:
    """Stream images and collect the vectors of some layers.

    Args:
        images: Several.
        stream: Yields the outcome of each, in order.
        layers: Those to collect, each with the shape of one image's features.
        skip: Whether images that fail are left out; otherwise the first one ends it.

    Raises:
        UsageError: `images` is a single one.
        ImageError: An image can't be used; the message names it.
    """
    names: deque[str] = deque()  # of the images that are being computed

    def named(images: Iterable[ImageLike]) -> Iterator[ImageLike]:
        for index, image in enumerate(images):
            path = f", {quoted(image)}" if isinstance(image, str | Path) else ""
            names.append(f"image {index}{path}")
            yield image

    rows = {name: [np.empty((0, *shape), np.float32)] for name, shape in layers.items()}
    skipped: dict[int, ImageError] = {}
    with closing(stream(named(_require_several(images)))) as outcomes:
        for index, outcome in enumerate(outcomes):
            name = names.popleft()
            if outcome.error:
                skipped[index] = ImageError(outcome.error.code, f"{name}: {outcome.error.detail}")
                if not skip:
                    raise skipped[index]
                continue
            for layer, vectors in rows.items():
                vectors.append(outcome.vectors[layer][None])
    return Gathered({layer: np.concatenate(each) for layer, each in rows.items()}, skipped)


def _require_several(images: Iterable[ImageLike]) -> Iterable[ImageLike]:
    if isinstance(images, str | Path | bytes) or not isinstance(images, Iterable):
        raise UsageError("features takes several images: put a single one in a list")
    if isinstance(images, np.ndarray) and images.ndim != 4:
        raise UsageError(
            f"an array of images has 4 dimensions (n, height, width, 3), not {images.ndim}: "
            "put a single image in a list"
        )
    return images
