"""`classify`: the likeliest classes of images, by a network's own classifier or by a probe."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from penult.images import ImageLike, Item, Sources, find_images
from penult.model.model import Model, load_classifier, make_model
from penult.model.recipe import ModelOptions, takes_options
from penult.util.checks import require_at_least


@dataclass(frozen=True, slots=True)
class Classification:
    """The likeliest classes of one image, or the error that left it without."""

    key: str
    classes: tuple[tuple[str, float], ...] = ()  # (name, probability), the likeliest first
    error: str | None = None


@takes_options("layer", "pool", "normalize")
def classify(
    sources: Sources = (),
    model: str | Model | None = None,
    *,
    k: int = 5,
    from_file: str | Path | None = None,
    **options: Unpack[ModelOptions],
) -> Iterator[Classification]:
    """Yield the `k` likeliest classes of each image.

    Sources and model are those of `extract`; options are those of `load_model` but for
    layer, pool and normalize.

    Raises:
        SourceError: A source doesn't exist.
        UsageError, CheckpointError, NetworkError: See `load_model`.
    """
    require_at_least(1, "k", k)
    source = find_images(sources, from_file=from_file)
    classifier = make_model(model, load_classifier, options).classifier
    return classify_items(source, classifier, classifier.classes, k)


def classify_items(
    items: Iterable[Item],
    model: Model,
    classes: Sequence[str],
    k: int,
    logits: Callable[[NDArray[np.float32]], NDArray[np.floating]] = np.ravel,
) -> Iterator[Classification]:
    """Yield the likeliest of `classes` for each image, by what `logits` makes of its features."""
    keys: deque[str] = deque()  # of the images that are being computed

    def images() -> Iterator[ImageLike]:
        for item in items:
            keys.append(item.key)
            yield item.image

    with closing(model.stream(images())) as outcomes:
        for outcome in outcomes:
            if outcome.error:
                yield Classification(keys.popleft(), error=str(outcome.error))
            else:
                (vector,) = outcome.vectors.values()
                yield Classification(keys.popleft(), _top_classes(logits(vector), classes, k))


def _top_classes(
    logits: NDArray[np.floating], classes: Sequence[str], k: int
) -> tuple[tuple[str, float], ...]:
    exponentials = np.exp(logits - logits.max())
    probabilities = exponentials / exponentials.sum()
    best = np.argsort(-probabilities, kind="stable")[:k]
    return tuple((classes[i], float(probabilities[i])) for i in best)
