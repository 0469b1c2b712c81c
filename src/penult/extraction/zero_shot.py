"""Classes that nobody trained a classifier for: images beside the texts that name them.

Radford et al., Learning transferable visual models from natural language supervision,
arXiv:2103.00020, section 3.1; Zhai et al., Sigmoid loss for language image pre-training,
arXiv:2303.15343, section 3.2.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from penult.errors import NetworkError, UsageError
from penult.util.text import quoted

if TYPE_CHECKING:
    from penult.model.model import Model
    from penult.model.text import TextModel

SHARED = "image_features"  # the layer that words are compared with, in every network that has one
SUCH_AS = "clip, siglip2 or chinese_clip"


class Labels:
    """Probabilities of labels, by what a text tower makes of them.

    A network that was trained by softmax, as CLIP, shares one among all labels; one trained by
    sigmoids, as SigLIP, which has a bias, tells for each label alone whether it fits.

    Args:
        tower: The text tower.
        labels: The labels.
        templates: What stands around them; the vectors of several are averaged.

    Raises:
        UsageError: There is one label where probabilities are shared, or a text can't be used.
    """

    def __init__(self, tower: "TextModel", labels: Sequence[str], templates: Sequence[str]) -> None:
        if len(labels) == 1 and tower.logit_bias is None:
            raise UsageError(
                f"{quoted(labels[0])} alone would get 100% of every image: add another label, such "
                "as 'something else'"
            )
        vectors = tower.embed_text(labels, templates=templates).astype(np.float64)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._unit = vectors / np.where(lengths, lengths, 1)
        self._scale, self._bias = tower.logit_scale, tower.logit_bias

    def probabilities(self, vector: NDArray[np.float32]) -> NDArray[np.floating]:
        """The probability of each label, (labels,), for an image's features, (values,)."""
        image = vector.astype(np.float64).ravel()
        logits = self._scale * (self._unit @ image) / (np.linalg.norm(image) or 1)
        if self._bias is None:
            return softmax(logits)
        return np.asarray((1 + np.tanh((logits + self._bias) / 2)) / 2)  # a sigmoid, no overflow


def softmax(logits: NDArray[np.floating]) -> NDArray[np.floating]:
    """Make probabilities of logits, (classes,)."""
    exponentials = np.exp(logits - logits.max())
    return np.asarray(exponentials / exponentials.sum())


def require_shared(model: "Model") -> None:
    """Raise a NetworkError if a model's one layer isn't that which words are compared with."""
    if list(model.outputs) != [SHARED]:
        raise NetworkError(
            f"{model.network.name} gives {', '.join(model.outputs)}, with which no words are "
            f"compared: take a network of images and words, such as {SUCH_AS}, and its layer "
            f"{SHARED} alone"
        )
