"""A model: a network with its weights and preprocessing, made ready to run."""

import math
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, Self, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from penult.checkpoints.recorded import recorded_digest
from penult.engine import Cut, EngineFactory, engine_on
from penult.errors import CheckpointError, ImageError, UsageError
from penult.images import ImageLike
from penult.images.processes import warm_up
from penult.images.shared import Setup
from penult.model.gathering import chosen, gather
from penult.model.network import CheckpointNetwork, Network, load_network
from penult.model.recipe import ModelOptions, Recipe, takes_options, weights_of
from penult.model.stream import Outcome, Pace, stream
from penult.model.with_text import WithText
from penult.nets import PackagedWeights, lookup
from penult.onnx.file import is_onnx
from penult.onnx.origin import Origin
from penult.util.checks import require_one_of
from penult.util.machine import workers
from penult.util.progress import Timings
from penult.util.text import quoted
from penult.version import __version__

Floats = NDArray[np.float32]
Shape = tuple[int, ...]


class Model(WithText):
    """A network that turns images into features; `load_model` makes one.

    Args:
        network: A network with its weights.
        recipe: What is asked of it; or say it by options, those of `load_model` that don't choose
            weights or network.
        engine: What makes an engine.

    Attributes:
        network: The network with its weights.
        outputs: The layers asked for, each with the shape of one image's features.
        preprocessing: How pixels become the network's input; prints as one line.
        pool: How maps and tokens become vectors: `avg`, `max`, `cls`, `cls+avg`; `none`
            keeps them.
        preprocess: The name of the preprocessing, or `custom` if it has none.
        decode: How JPEGs that are much larger than needed are decoded: `exact` or `fast`.
        limits: What an image may take.
        engine: What runs the network; it may still be getting ready.
    """

    @takes_options("weights", "size", "ema", "prefix", "exact")
    def __init__(
        self,
        network: Network,
        recipe: Recipe | None = None,
        engine: EngineFactory | None = None,
        **options: Unpack[ModelOptions],
    ) -> None:
        if recipe and options:
            raise UsageError(f"a recipe has its {', '.join(options)}: change it, or leave it out")
        asked = recipe or Recipe.of(network, **options)
        layers = [network.layer_name(name) for name in asked.layers]
        cut = network.cut(layers, asked.pool, normalized=asked.normalize)
        self.network = network
        self.outputs = cut.outputs
        self.preprocessing = asked.preprocessing
        self.pool, self.preprocess, self.decode = asked.pool, asked.preprocess, asked.decode
        self.limits = asked.limits
        self._asked = asked
        self._is_closed = False
        self._decoders = workers(sum(array.nbytes for array in cut.weights.values()))
        self._make_engine = engine or engine_on(asked.device)
        self._start(cut)

    def _start(self, cut: Cut) -> None:
        """Make the engine, and a decoder beside it."""
        warm_up()
        self.engine = self._make_engine(cut)
        self._pace = Pace(self.engine)
        self._process = os.getpid()

    def _require_open(self) -> None:
        """Refuse a closed model; start anew in a forked child, which lacks the engine's threads."""
        if self._is_closed:
            raise UsageError(f"this {self.network.name} is closed: load it again")
        if self._process != os.getpid():
            layers, normalized = list(self.outputs), self._asked.normalize
            self._start(self.network.cut(layers, self.pool, normalized=normalized))

    def close(self) -> None:
        """Let go of the engine and its memory; calls that are under way end well."""
        self._is_closed = True
        self.__dict__.pop("engine", None)
        self.__dict__.pop("text", None)
        if "classifier" in self.__dict__:
            self.classifier.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def recipe(self) -> Recipe:
        """All that decides what features an image gets; reads the weights file for its digest."""
        made_by = self.engine.description
        return replace(
            self._asked,
            layers=self.outputs,
            weights_sha256=self.network.digest(),
            engine=made_by["engine"],
            device=made_by["device"],
            precision=made_by["precision"],
        )

    @overload
    def features(
        self,
        images: Iterable[ImageLike],
        layer: str,
        *,
        errors: Literal["raise"] = "raise",
        contained: bool = True,
    ) -> Floats: ...
    @overload
    def features(
        self,
        images: Iterable[ImageLike],
        layer: None = None,
        *,
        errors: Literal["raise"] = "raise",
        contained: bool = True,
    ) -> Any: ...  # noqa: ANN401 -- an array, or a dict of them if the model has several layers
    @overload
    def features(
        self,
        images: Iterable[ImageLike],
        layer: str | None = None,
        *,
        errors: Literal["skip"],
        contained: bool = True,
    ) -> tuple[Any, dict[int, ImageError]]: ...
    def features(
        self,
        images: Iterable[ImageLike],
        layer: str | None = None,
        *,
        errors: Literal["raise", "skip"] = "raise",
        contained: bool = True,
    ) -> object:
        """Return one row of features an image; `model(images)` does the same.

        Args:
            images: Paths, encoded bytes, PIL images or RGB arrays (height, width, 3) of uint8.
            layer: One of `outputs`, or the end of its name; by default all.
            errors: `skip` leaves images out that can't be used, and returns the features and a
                dict of errors, by the place in `images` from 0.
            contained: As for `stream`.

        Returns:
            float32 (n, features), or (n, height, width, channels) for a map left unpooled; if the
            model has several layers and none is named, a dict of these by the layer's name.

        Raises:
            ImageError: An image can't be used; the message names it, and counts from 0.
            UsageError: `images` is a single one, or `layer` is not one of `outputs`.

        Example:
            >>> import penult
            >>> penult.load_model().features(["examples/photos/cat_chelsea.jpg"]).shape
            (1, 1280)
        """
        require_one_of(("raise", "skip"), "errors", errors)
        layers = chosen(layer, self.outputs)
        outcomes = partial(self.stream, contained=contained)
        found, skipped = gather(images, outcomes, layers, skip=errors == "skip")
        features = found if len(layers) > 1 else found.popitem()[1]
        return (features, skipped) if errors == "skip" else features

    __call__ = features

    def logits(self, images: Iterable[ImageLike], *, contained: bool = True) -> Floats:
        """Return the classifier's output before the softmax, float32 (n, classes).

        Args:
            images: As for `features`.
            contained: As for `stream`.

        Raises:
            ImageError: An image can't be used; the message counts from 0 to say which.
            NetworkError: The weights hold no classifier.
        """
        return self.classifier.features(images, self.network.logits, contained=contained)

    @cached_property
    def classifier(self) -> "Model":
        """The same network with its logits as the layer."""
        if list(self.outputs) == [self.network.logits]:
            return self
        layers: dict[str, Shape] = {self.network.logits: ()}
        asked = replace(self._asked, layers=layers, pool="avg", normalize=False)
        return Model(self.network, asked, self._make_engine)

    def with_layers(self, layers: Sequence[str]) -> "Model":
        """The same model with other layers: an engine of its own on the same weights.

        Raises:
            UsageError, NetworkError: As of `load_model`.
        """
        asked = replace(self._asked, layers=dict.fromkeys(layers, ()), note="")
        return Model(self.network, asked, self._make_engine)

    def write_onnx(self, out: str | Path) -> Path:
        """Write the network up to the layers asked for as an ONNX file, weights included.

        Its input is `images`, float32 (n, size, size, channels), as `preprocessing` makes them; its
        outputs are those of this model.

        Raises:
            UsageError: It is an ONNX file already, or the file can't be written.
        """
        if not isinstance(self.network, CheckpointNetwork):
            raise UsageError(f"{quoted(self.network.path)} is an ONNX file already")
        origin = Origin(
            network=self.network.name,
            layers=tuple(self.outputs),
            pool=self.pool,
            preprocessing=self.preprocess,
            preprocessing_text=str(self.preprocessing),
            size=self.network.size,
            weights_sha256=self.network.digest(),
            version=__version__,
        )
        self.network.write(
            Path(out),
            list(self.outputs),
            self.pool,
            origin.metadata(),
            normalized=self._asked.normalize,
        )
        return Path(out)

    @property
    def layers(self) -> Mapping[str, Shape]:
        """All layers of the network, in order, each with its shape: (height, width, channels)."""
        return self.network.layers

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the logits."""
        return self.network.classes

    def stream(
        self,
        images: Iterable[ImageLike],
        timings: Timings | None = None,
        *,
        contained: bool = True,
    ) -> Generator[Outcome]:
        """Yield the outcome of each image, in order, with a bounded number of them in memory.

        Paths and bytes are decoded in processes, which all models share: an image that crashes its
        decoder, takes too long or too much memory fails, and the others go on.

        Args:
            images: As for `features`.
            timings: Is added to as outcomes are made.
            contained: False decodes in this process, for those who know their images: none may
                then have more pixels or bytes than allowed, but nothing bounds its time and memory,
                and what crashes a decoder ends the program. Pixels that are in memory already, and
                a Pillow image, are always taken as they are here.
        """
        self._require_open()
        return stream(
            images,
            Setup(self.preprocessing, self.decode, self.limits),
            self.engine,
            self._pace,
            timings or Timings(),
            decoders=self._decoders,
            outcome_bytes=4 * sum(math.prod(shape) for shape in self.outputs.values()),
            contained=contained,
        )

    def __reduce__(self) -> tuple[object, ...]:
        return rebuild, (self.recipe, self.network.path)

    def __repr__(self) -> str:
        outputs = ", ".join(f"{name} {shape}" for name, shape in self.outputs.items())
        return f"Model({self.network.name} from {self.network.path.name}: {outputs})"


def rebuild(recipe: Recipe, file: Path, weights: str | Path | None = None) -> Model:
    """Make the model of a recipe again.

    Args:
        recipe: Its weights are looked for where they come from, if that is a package, and where
            they were. A file there is read only if its size and SHA-256 are those of the recipe,
            which may be a stranger's.
        file: Where the recipe stood, which messages name.
        weights: Where the weights are, if in neither place.

    Raises:
        CheckpointError: The weights aren't there or can't be read.
        UsageError: They are others, or another version of Penult would make other features.
    """
    if weights:
        model = _with_weights(recipe, Path(weights))
    elif _is_packaged(recipe):
        model = _with_weights(recipe, None)
    else:
        require_recorded(recipe, file)
        model = _with_weights(recipe, recipe.weights)
    if differences := recipe.differences(model.recipe):
        raise _others(model.network.path, file, differences)
    return model


def require_recorded(recipe: Recipe, file: Path) -> None:
    """Refuse weights that aren't those of the recipe, before anything in them is parsed."""
    try:
        digest = recorded_digest(recipe.weights, recipe.weights_files)
    except CheckpointError as exc:
        where = f"say where the weights of {quoted(file)} are (-w)"
        raise CheckpointError(f"{exc}; {where}") from exc
    if differences := recipe.differences(replace(recipe, weights_sha256=digest)):
        raise _others(recipe.weights, file, differences)


def _others(weights: Path, file: Path, differences: Sequence[str]) -> UsageError:
    said = "; ".join(differences[:3])
    return UsageError(
        f"{quoted(weights)} didn't make {quoted(file)}: {said}: name the weights that did (-w)"
    )


def _with_weights(recipe: Recipe, weights: Path | None) -> Model:
    name = None if weights is not None and is_onnx(weights) else recipe.network
    network = load_network(
        name,
        weights,
        recipe.size,
        ema=recipe.ema,
        prefix=recipe.prefix,
        exact=recipe.exact,
        settings=recipe.settings,
    )
    return Model(network, replace(recipe, network=network.name, **weights_of(network)))


def _is_packaged(recipe: Recipe) -> bool:
    """Whether the weights come as a package, which lies elsewhere on each machine."""
    spec = lookup(recipe.network)
    packaged = spec.weights if spec else None
    return isinstance(packaged, PackagedWeights) and packaged.sha256 == recipe.weights_sha256
