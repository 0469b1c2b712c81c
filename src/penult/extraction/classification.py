"""`classify`: the likeliest classes of images, by a network's classifier, a probe, or words."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import numpy as np
from numpy.typing import NDArray

from penult.extraction.wordlists import Templates, Words, read_templates, read_words
from penult.extraction.zero_shot import Labels, require_shared, softmax
from penult.images import ImageLike, Item, Sources, find_images
from penult.model.loading import load_classifier, load_model, make_model
from penult.model.model import Model
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
    labels: Words | None = None,
    template: Templates = "simple",
    **options: Unpack[ModelOptions],
) -> Iterator[Classification]:
    """Yield the `k` likeliest classes of each image.

    Sources and model are those of `extract`; options are those of `load_model` but for
    layer, pool and normalize.

    Args:
        sources: Images.
        model: The network; with labels one that has a text tower.
        k: How many classes to name.
        from_file: A list of images.
        labels: Classes in words instead of those that the network was trained for: a sequence,
            words with commas between, a text file of one a line; or `imagenet` or `nouns`, which
            come with Penult. Probabilities of CLIP add up to 1 over all labels; those of SigLIP
            are of each label alone.
        template: What stands around each label, with `{}` for it; of several the vectors are
            averaged. `simple` stands for seven, `imagenet` for OpenAI's 80.
        **options: As of `load_model`.

    Raises:
        SourceError: A source doesn't exist.
        UsageError, CheckpointError, NetworkError: See `load_model`; or the network has no
            classifier or, with labels, no text tower.
    """
    require_at_least(1, "k", k)
    source = find_images(sources, from_file=from_file)
    if labels is None:
        classifier = make_model(model, load_classifier, options).classifier
        return classify_items(source, classifier, classifier.classes, k)
    words, templates = read_words(labels), read_templates(template)
    loaded = make_model(model, load_model, options)
    require_shared(loaded)
    named = Labels(loaded.text, words, templates)
    return classify_items(source, loaded, words, k, named.probabilities)


def classify_items(
    items: Iterable[Item],
    model: Model,
    classes: Sequence[str],
    k: int,
    probabilities: Callable[[NDArray[np.float32]], NDArray[np.floating]] = softmax,
) -> Iterator[Classification]:
    """Yield the likeliest of `classes` for each image.

    Args:
        items: The images.
        model: Makes features of each, of one layer.
        classes: Their names.
        k: How many to name.
        probabilities: Makes those of all classes, (classes,), of an image's flat features.
    """
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
                found = probabilities(vector.ravel())
                yield Classification(keys.popleft(), _top_classes(found, classes, k))


def _top_classes(
    probabilities: NDArray[np.floating], classes: Sequence[str], k: int
) -> tuple[tuple[str, float], ...]:
    best = np.argsort(-probabilities, kind="stable")[:k]
    return tuple((classes[i], float(probabilities[i])) for i in best)
