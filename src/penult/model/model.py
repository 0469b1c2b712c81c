"""A model: a network with its weights and preprocessing, made ready to run."""

import math
import os
import warnings
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from penult.engine import Cut, EngineFactory, engine_on
from penult.errors import CheckpointError, ImageError, UsageError
from penult.images import ImageLike
from penult.images.processes import warm_up
from penult.images.shared import Setup
from penult.model.gathering import chosen, gather
from penult.model.network import CheckpointNetwork, Network, load_network
from penult.model.recipe import ModelOptions, Recipe, takes_options
from penult.model.stream import Outcome, Pace, stream
from penult.nets import PackagedWeights, lookup
from penult.onnx.file import is_onnx
from penult.onnx.origin import Origin
from penult.util.checks import require_one_of
from penult.util.machine import workers
from penult.util.progress import Timings
from penult.util.text import quoted
from penult.version import __version__

if TYPE_CHECKING:
    from penult.model.text import TextModel

Floats = NDArray[np.float32]
Shape = tuple[int, ...]


class Model:
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
            again = self.network.cut(
                list(self.outputs), self.pool, normalized=self._asked.normalize
            )
            self._start(again)

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
        self, images: Iterable[ImageLike], layer: str, *, errors: Literal["raise"] = "raise"
    ) -> Floats: ...
    @overload
    def features(
        self, images: Iterable[ImageLike], layer: None = None, *, errors: Literal["raise"] = "raise"
    ) -> Any: ...  # noqa: ANN401 -- an array, or a dict of them if the model has several layers
    @overload
    def features(
        self, images: Iterable[ImageLike], layer: str | None = None, *, errors: Literal["skip"]
    ) -> tuple[Any, dict[int, ImageError]]: ...
    def features(
        self,
        images: Iterable[ImageLike],
        layer: str | None = None,
        *,
        errors: Literal["raise", "skip"] = "raise",
    ) -> object:
        """Return one row of features an image; `model(images)` does the same.

        Args:
            images: Paths, encoded bytes, PIL images or RGB arrays (height, width, 3) of uint8.
            layer: One of `outputs`, or the end of its name; by default all.
            errors: `skip` leaves images out that can't be used, and returns the features and a
                dict of errors, by the place in `images` from 0.

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
        found, skipped = gather(images, self.stream, layers, skip=errors == "skip")
        features = found if len(layers) > 1 else found.popitem()[1]
        return (features, skipped) if errors == "skip" else features

    __call__ = features

    def embed_text(self, texts: Sequence[str], *, templates: Sequence[str] | None = None) -> Floats:
        """Return one row of features a text, to be compared with those of images by their cosine.

        Args:
            texts: Words in a language that the network was trained with; one that is too long for
                it is cut, as its library does.
            templates: Texts with `{}` in the place of the words, such as 'a photo of a {}.'. With
                them a row is the average over all, each normalised, and normalised again.

        Returns:
            float32 (n, width); not normalised, unless there are templates.

        Raises:
            NetworkError: The network has no text tower; the message names some that have.
            UsageError: A text can't be used, or there is no tokenizer beside the weights.
            MissingExtraError: `penult[text]` isn't installed.
        """
        self._require_open()
        return self.text.embed_text(texts, templates=templates)

    @cached_property
    def text(self) -> "TextModel":
        """The text tower beside the network, loaded when it is first used.

        Raises:
            NetworkError: There is none; the message names some networks that have one.
        """
        from penult.model.text import load_text

        return load_text(self._asked)

    def logits(self, images: Iterable[ImageLike]) -> Floats:
        """Return the classifier's output before the softmax, float32 (n, classes).

        Raises:
            ImageError: An image can't be used; the message counts from 0 to say which.
            NetworkError: The weights hold no classifier.
        """
        return self.classifier.features(images, self.network.logits)

    @cached_property
    def classifier(self) -> "Model":
        """The same network with its logits as the layer."""
        if list(self.outputs) == [self.network.logits]:
            return self
        layers: dict[str, Shape] = {self.network.logits: ()}
        asked = replace(self._asked, layers=layers, pool="avg", normalize=False)
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
        self, images: Iterable[ImageLike], timings: Timings | None = None
    ) -> Generator[Outcome]:
        """Yield the outcome of each image, in order, with a bounded number of them in memory.

        Paths and bytes are decoded in processes, which all models share: an image that crashes its
        decoder, takes too long or too much memory fails, and the others go on.

        Args:
            images: As for `features`.
            timings: Is added to as outcomes are made.
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
        )

    def __reduce__(self) -> tuple[object, ...]:
        return rebuild, (self.recipe, self.network.path)

    def __repr__(self) -> str:
        outputs = ", ".join(f"{name} {shape}" for name, shape in self.outputs.items())
        return f"Model({self.network.name} from {self.network.path.name}: {outputs})"


@takes_options()
def load_model(model: str | None = None, **options: Unpack[ModelOptions]) -> Model:
    """Make a network ready to run.

    Args:
        model: A network's name (see `penult.models`). By default the one that `weights` hold, or
            EfficientNet-Lite0 where there are no weights either.
        weights: A weights file as its authors published it. By default the package of published
            weights for `model`.
        layer: One or several layers (see `penult.describe`); the end of a name will do where only
            one layer has it. By default the features before the classifier.
        pool: What to make of layers with height and width, or of tokens: the average (`avg`) or
            the largest values (`max`) over all places of the image, the class token, which is the
            first (`cls`), both that and the average (`cls+avg`), or the whole layer as it is,
            height × width × channels or tokens × channels (`none`).
        normalize: Divide each vector by its length, the square root of its sum of squares.
        size: Pixels of the network's square input; by default those it was trained with.
        preprocess: How to make the network's input; by default what it was trained with. A name
            (`raw` is what scripts without normalisation feed: squashed pixels from 0 to 255), words
            ('resize 256 bicubic, crop 224, mean 0.5, std 0.5'; docs/preprocessing.md has them all),
            the `preprocessor_config.json` beside published weights, or a `Transform`.
        decode: `fast` decodes large JPEGs to 1/2, 1/4 or 1/8 of their size, the smallest that
            leaves at least twice the pixels a side that the network's input is made of.
        ema: Take the moving averages that a training kept of the variables.
        prefix: What stands before the names of the copy of the network to take, of a file that
            holds several, such as `teacher.`.
        exact: Leave out what makes a network faster and moves its features by up to 3e-6.
        device: What computes: the processor (`cpu`), or as docs/guides/devices.md describes them
            `cuda`, `openvino`, `openvino-gpu`, `coreml`, `webgpu`.
        max_pixels: Width times height of an image at most, by default 178,956,970.
        max_bytes: Size of an image's file at most, by default a gibibyte.
        max_seconds: What decoding an image may take, once it is read; by default 10.

    Raises:
        UsageError: A name is unknown, or the weights have to be named.
        CheckpointError: The weights file can't be read.
        NetworkError: The weights are not of this network, or of none that is known, the size is
            too small for it, or the device isn't here or its engine can't run it.

    Warns:
        UserWarning: Nobody can tell whether an ONNX file's output is its features.
    """
    loaded = begin_model(model, **options)
    loaded.engine.wait()
    return loaded


def begin_model(model: str | None = None, **options: Unpack[ModelOptions]) -> Model:
    """Make a model as `load_model` does, whose engine may still be getting ready."""
    network = _network(model, options)
    recipe = Recipe.of(network, **options)
    if recipe.note:
        warnings.warn(
            f"{quoted(network.path)}: {recipe.note}", stacklevel=4
        )  # of load_model's wrapper
    return Model(network, recipe)


def load_classifier(model: str | None = None, **options: Unpack[ModelOptions]) -> Model:
    """Make a network ready to run, with its logits as the layer; arguments as of `load_model`."""
    network = _network(model, options)
    return Model(network, Recipe.of(network, **options | {"layer": network.logits}))


def make_model(
    model: str | Model | None, load: Callable[..., Model], options: ModelOptions
) -> Model:
    """Return a model as it is, or load the one of a name; what is loaded already has its options.

    Raises:
        UsageError: There are options for a model that is loaded already; or as of `load`.
    """
    if not isinstance(model, Model):
        return load(model, **options)
    if options:
        raise UsageError(f"a Model has its {', '.join(options)}: give them to load_model")
    return model


def _network(model: str | None, options: ModelOptions) -> Network:
    engine_on(options.get("device", "cpu"))  # refused, if so, before weights are fetched
    return load_network(
        model,
        options.get("weights"),
        options.get("size"),
        ema=options.get("ema", False),
        prefix=options.get("prefix", ""),
        exact=options.get("exact", False),
    )


def rebuild(recipe: Recipe, file: Path, weights: str | Path | None = None) -> Model:
    """Make the model of a recipe again.

    Args:
        recipe: Its weights are looked for where they were and, if they come as a package, there.
        file: Where the recipe stood, which messages name.
        weights: Where the weights are, if in neither place.

    Raises:
        CheckpointError: The weights aren't there or can't be read.
        UsageError: They are others, or another version of Penult would make other features.
    """
    try:
        model = _with_weights(recipe, Path(weights or recipe.weights))
    except CheckpointError as exc:
        if weights:
            raise
        if not _is_packaged(recipe):
            where = f"say where the weights of {quoted(file)} are (-w)"
            raise CheckpointError(f"{exc}; {where}") from exc
        model = _with_weights(recipe, None)
    if differences := recipe.differences(model.recipe):
        raise UsageError(
            f"{quoted(model.network.path)} didn't make {quoted(file)}: "
            f"{'; '.join(differences[:3])}: name the weights that did (-w)"
        )
    return model


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
    return Model(network, replace(recipe, network=network.name, weights=network.path))


def _is_packaged(recipe: Recipe) -> bool:
    """Whether the weights come as a package, which lies elsewhere on each machine."""
    spec = lookup(recipe.network)
    packaged = spec.weights if spec else None
    return isinstance(packaged, PackagedWeights) and packaged.sha256 == recipe.weights_sha256
