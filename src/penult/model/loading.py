"""`load_model` and its like: weights found, a network recognised, a `Model` made of both."""

import warnings
from collections.abc import Callable
from typing import Unpack

from penult.engine import engine_on
from penult.errors import UsageError
from penult.model.model import Model
from penult.model.network import Network, load_network
from penult.model.recipe import ModelOptions, Recipe, takes_options
from penult.util.text import quoted


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
            ('resize 256 bicubic, crop 224, mean 0.5, std 0.5'; docs/concepts/preprocessing.md has
            them all), the `preprocessor_config.json` beside published weights, or a `Transform`.
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
