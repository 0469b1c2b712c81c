"""`Embedder`: features of images as a transformer of scikit-learn, for pipelines.

>>> from penult.sklearn import Embedder
>>> Embedder("efficientnet_lite0").fit_transform(["examples/photos/cat_chelsea.jpg"]).shape
(1, 1280)
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from penult.errors import MissingExtraError, UsageError
from penult.graph.pooling import Pool
from penult.images import Decode, ImageLike
from penult.images.preprocess import Transform
from penult.model.model import Model, load_model
from penult.util.text import quoted

try:
    from sklearn.base import BaseEstimator, TransformerMixin
except ImportError:
    raise MissingExtraError("penult.sklearn", "analysis") from None

__all__ = ["Embedder"]

Floats = NDArray[np.float32]


class Embedder(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # it has no types
    """Turns images into features, one row an image; nothing is learned from them.

    `fit` loads the network, and `transform` does where that wasn't called. A copy by `clone` has
    the parameters only; a pickled one finds the same weights again, or refuses.

    Args:
        model: A network's name, as all others a parameter of `penult.load_model`, which explains
            them. Several layers come side by side, and maps as one vector each.
        weights: As of `load_model`, as what follows.
        layer: Layers.
        pool: What to make of maps and tokens.
        normalize: Whether each layer's vectors get length 1.
        size: Pixels of the network's input.
        preprocess: How its input is made.
        decode: How large JPEGs are decoded.
        ema: Whether to take moving averages.
        prefix: The copy of the network to take.
        exact: Whether to leave out what is faster.
        max_pixels: Width times height of an image at most.
        max_bytes: Size of a file at most.
        max_seconds: What decoding may take.

    Attributes:
        model_: The `penult.Model`, once it is loaded.

    Example:
        >>> from sklearn.linear_model import LogisticRegression
        >>> from sklearn.pipeline import make_pipeline
        >>> pipeline = make_pipeline(Embedder(), LogisticRegression())
        >>> pipeline.fit(["a/1.jpg", "b/1.jpg"], ["a", "b"])  # doctest: +SKIP
    """

    def __init__(  # noqa: PLR0913 -- scikit-learn reads the parameters off this
        self,
        model: str | None = None,
        *,
        weights: str | Path | None = None,
        layer: str | Sequence[str] | None = None,
        pool: Pool = "avg",
        normalize: bool = False,
        size: int | None = None,
        preprocess: str | Path | Transform | None = None,
        decode: Decode = "exact",
        ema: bool = False,
        prefix: str = "",
        exact: bool = False,
        max_pixels: int | None = None,
        max_bytes: int | None = None,
        max_seconds: float | None = None,
    ) -> None:
        self.model = model
        self.weights = weights
        self.layer = layer
        self.pool = pool
        self.normalize = normalize
        self.size = size
        self.preprocess = preprocess
        self.decode = decode
        self.ema = ema
        self.prefix = prefix
        self.exact = exact
        self.max_pixels = max_pixels
        self.max_bytes = max_bytes
        self.max_seconds = max_seconds

    def fit(self, X: object = None, y: object = None) -> Self:  # noqa: N803 -- its names
        """Load the network; images and labels aren't looked at.

        Raises:
            UsageError, CheckpointError, NetworkError: See `load_model`.
        """
        self.model_: Model = load_model(**self.get_params())
        return self

    def transform(self, X: Iterable[ImageLike]) -> Floats:  # noqa: N803
        """Return a row an image, float32 (n, features).

        Args:
            X: As for `Model.features`; also an array, a Series or a column of paths.

        Raises:
            ImageError: An image can't be used; the message names it.
            UsageError: `X` is a single image, or has several columns.
        """
        found = self._loaded().features(_images(X))
        layers = found.values() if isinstance(found, dict) else [found]
        return np.concatenate([each.reshape(len(each), -1) for each in layers], axis=1)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Name the columns: `pooled_features_0` and so on."""
        sizes = {name: int(np.prod(shape)) for name, shape in self._loaded().outputs.items()}
        names = [f"{name}_{i}" for name, size in sizes.items() for i in range(size)]
        return np.array(names, object)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _loaded(self) -> Model:
        return self.model_ if hasattr(self, "model_") else self.fit().model_


def _images(images: Any) -> Iterable[ImageLike]:  # noqa: ANN401 -- what its users have
    """Images one by one; of a column of paths the paths."""
    if not isinstance(images, np.ndarray) and not hasattr(images, "to_numpy"):
        return cast("Iterable[ImageLike]", images)
    array = np.asarray(images)
    if array.dtype.kind not in "OU":
        return array
    if array.ndim > 2 or array.size != len(array):
        shape = "×".join(map(str, array.shape))
        raise UsageError(f"a column of images is expected, not {quoted(shape)}: choose one")
    return cast("list[ImageLike]", array.ravel().tolist())
