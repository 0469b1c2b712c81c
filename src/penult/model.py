"""A model: a network with its weights and preprocessing, made ready to run."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from penult.checkpoints import Checkpoint, open_checkpoint
from penult.engine import Engine, cores
from penult.errors import ImageError, UsageError
from penult.graph import Value, global_avg_pool, global_max_pool, to_nhwc
from penult.graph.onnx import to_onnx
from penult.images import ImageLike, load
from penult.images.preprocess import PREPROCESSING
from penult.nets import DEFAULT, NetSpec, class_names, get
from penult.nets.spec import describe
from penult.weights import fit, packaged_checkpoint, recognise

Pool = Literal["avg", "max", "none"]
Floats = NDArray[np.float32]
Shape = tuple[int, ...]
T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

BATCH = 8  # images to a call of the engine; more are no faster and take more memory
AHEAD = 4 * BATCH  # images being prepared or waiting for the engine


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image: its features by layer, or the error that left it without."""

    vectors: Mapping[str, Floats] = field(default_factory=dict)
    width: int | None = None  # pixels, upright
    height: int | None = None
    error: ImageError | None = None


class Model:
    """A network that turns images into features; `load_model` makes one.

    Attributes:
        spec: What is known of the network.
        weights: The checkpoint that it reads.
        pool: How spatial layers become vectors: `avg`, `max`, or `none`, which keeps the map.
        preprocess: The name of how pixels become the network's input.
        preprocessing: The same, ready to be called; prints as one line.
        outputs: The layers asked for, each with the shape of one image's features.
    """

    def __init__(
        self,
        spec: NetSpec,
        weights: Checkpoint,
        layers: Sequence[str] = (),
        pool: Pool = "avg",
        preprocess: str | None = None,
    ) -> None:
        self.spec = spec
        self.weights = weights
        self.pool = pool
        self.preprocess = preprocess or spec.preprocessing
        self.preprocessing = PREPROCESSING[self.preprocess](spec.size)
        names = tuple(layers) or (spec.features,)
        found = fit(spec, weights.shapes, names)
        found.check(spec.name, weights.path)
        graph = spec.layers(found.classes)
        values = {name: _pooled(graph[name], pool) for name in names}
        self.outputs = {name: value.shape for name, value in values.items()}
        self._classes = found.classes
        self._engine = _soon(Engine, *to_onnx(values, lambda v: weights[found.scope + v.name]))

    def features(self, images: Iterable[ImageLike], layer: str | None = None) -> Floats:
        """Return one row of features an image.

        Args:
            images: Paths, encoded bytes, PIL images or RGB arrays (height, width, 3) of uint8.
            layer: One of `outputs`; needed only where several were asked for.

        Returns:
            float32 (n, features), or (n, height, width, channels) for a map left unpooled.

        Raises:
            ImageError: An image can't be used; the message counts from 0 to say which.
            UsageError: `images` is a single one, or `layer` is not one of `outputs`.

        Example:
            >>> import penult
            >>> penult.load_model().features(["examples/photos/cat_chelsea.jpg"]).shape
            (1, 1280)
        """
        name = self._one_layer(layer)
        rows = [np.empty((0, *self.outputs[name]), np.float32)]
        for index, outcome in enumerate(self.stream(_several(images))):
            if outcome.error:
                raise ImageError(outcome.error.code, f"image {index}: {outcome.error.detail}")
            rows.append(outcome.vectors[name][None])
        return np.concatenate(rows)

    def logits(self, images: Iterable[ImageLike]) -> Floats:
        """Return the classifier's output before the softmax, float32 (n, classes).

        Raises:
            ImageError: An image can't be used; the message counts from 0 to say which.
            NetworkError: The weights hold no classifier.
        """
        return self.classifier.features(images)

    @cached_property
    def classifier(self) -> "Model":
        """The same network with its logits as the layer."""
        return Model(self.spec, self.weights, [self.spec.logits], preprocess=self.preprocess)

    @cached_property
    def layers(self) -> dict[str, Shape]:
        """All layers of the network, in order, each with its shape: (height, width, channels)."""
        return {layer.name: layer.shape for layer in describe(self.spec, self._classes).layers}

    @cached_property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the logits."""
        return class_names(self._classes)

    def stream(self, images: Iterable[ImageLike]) -> Generator[Outcome]:
        """Yield the outcome of each image, in order, with a bounded number of them in memory.

        Images are decoded and preprocessed on all cores while the network works on earlier ones.
        """
        prepared = _map_ahead(self._prepare, images)
        while batch := list(islice(prepared, BATCH)):
            yield from self._run(batch)

    def __repr__(self) -> str:
        outputs = ", ".join(f"{name} {shape}" for name, shape in self.outputs.items())
        return f"Model({self.spec.name} from {self.weights.path.name}: {outputs})"

    def _prepare(self, image: ImageLike) -> "_Prepared | ImageError":
        try:
            rgb = load(image)
        except ImageError as error:
            return error
        return _Prepared(self.preprocessing(rgb), *rgb.size)

    def _run(self, batch: Sequence["_Prepared | ImageError"]) -> Iterator[Outcome]:
        inputs = [image.input for image in batch if isinstance(image, _Prepared)]
        outputs = self._engine.result().run(np.stack(inputs)) if inputs else {}
        row = 0
        for image in batch:
            if isinstance(image, ImageError):
                yield Outcome(error=image)
            else:
                vectors = {name: output[row] for name, output in outputs.items()}
                yield _checked(vectors, image.width, image.height)
                row += 1

    def _one_layer(self, layer: str | None) -> str:
        names = list(self.outputs)
        if layer is None and len(names) == 1:
            return names[0]
        if layer not in names:
            raise UsageError(f"layer must be one of {', '.join(names)}, not {layer!r}")
        return layer


def load_model(
    model: str | None = None,
    *,
    weights: str | Path | None = None,
    layer: str | Sequence[str] = (),
    pool: Pool = "avg",
    preprocess: str | None = None,
) -> Model:
    """Make a network ready to run.

    Args:
        model: A network's name (see `penult.models`). By default the one that `weights` hold, or
            EfficientNet-Lite0 where there are no weights either.
        weights: A weights file as its authors published it. By default the package of published
            weights for `model`.
        layer: One or several layers (see `penult.describe`). By default the features before the
            classifier.
        pool: What to make of layers with height and width: their average (`avg`), their largest
            values (`max`), or the map as it is, height × width × channels (`none`).
        preprocess: How to make the network's input; by default what it was trained with. `raw` is
            what scripts without normalisation feed: squashed pixels from 0 to 255.

    Raises:
        UsageError: A name is unknown, or the weights have to be named.
        CheckpointError: The weights file can't be read.
        NetworkError: The weights are not of this network, or of none that is known.
    """
    if pool not in get_args(Pool):
        raise UsageError(f"pool must be avg, max or none, not {pool!r}")
    if preprocess is not None and preprocess not in PREPROCESSING:
        known = ", ".join(PREPROCESSING)
        raise UsageError(f"preprocess must be one of {known}, not {preprocess!r}")
    spec, checkpoint = _found(model, weights)
    layers = [layer] if isinstance(layer, str) else layer
    return Model(spec, checkpoint, layers, pool, preprocess)


def load_classifier(model: str | None = None, weights: str | Path | None = None) -> Model:
    """Make a network ready to run, with its logits as the layer; arguments as of `load_model`."""
    spec, checkpoint = _found(model, weights)
    return Model(spec, checkpoint, [spec.logits])


def _found(model: str | None, weights: str | Path | None) -> tuple[NetSpec, Checkpoint]:
    if weights is None:
        spec = get(model or DEFAULT)
        return spec, packaged_checkpoint(spec)
    checkpoint = open_checkpoint(weights)
    return get(model) if model else recognise(checkpoint), checkpoint


@dataclass(frozen=True, slots=True)
class _Prepared:
    input: Floats  # the network's, (size, size, 3)
    width: int
    height: int


def _several(images: Iterable[ImageLike]) -> Iterable[ImageLike]:
    if isinstance(images, str | Path | bytes) or not isinstance(images, Iterable):
        raise UsageError("features takes several images: put a single one in a list")
    if isinstance(images, np.ndarray) and images.ndim != 4:
        raise UsageError(
            f"an array of images has 4 dimensions (n, height, width, 3), not {images.ndim}: "
            "put a single image in a list"
        )
    return images


def _pooled(layer: Value, pool: Pool) -> Value:
    if len(layer.shape) == 1:
        return layer
    return {"avg": global_avg_pool, "max": global_max_pool, "none": to_nhwc}[pool](layer)


def _checked(vectors: Mapping[str, Floats], width: int, height: int) -> Outcome:
    for name, vector in vectors.items():
        if not np.isfinite(vector).all():
            error = ImageError("nonfinite", f"layer {name} holds values that are not finite")
            return Outcome(width=width, height=height, error=error)
    return Outcome(vectors, width, height)


def _soon(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
    """Call in the background: an engine is built while the caller imports what else it needs."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(function, *args, **kwargs)
    finally:
        pool.shutdown(wait=False)


def _map_ahead(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Map in threads, in order, working on at most AHEAD items before their results are taken."""
    waiting: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(cores())
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) == AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
