"""A model without a network, for tests of what is around it: the feature is the mean colour."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import penult
from penult.errors import ImageError
from penult.images import ImageLike, Limits, decode
from penult.images.preprocess import raw
from penult.model.model import Outcome
from penult.model.recipe import Recipe

KINDS = {
    "mean": lambda pixels: pixels.mean((0, 1), np.float64).astype(np.float32),
    "max": lambda pixels: pixels.max((0, 1)).astype(np.float32),
    "min": lambda pixels: pixels.min((0, 1)).astype(np.float32),
}


class Means(penult.Model):
    def __init__(
        self,
        log: Path | None = None,
        limits: Limits | None = None,
        layers: Sequence[str] = ("mean",),
    ):
        self.outputs = dict.fromkeys(layers, (3,))
        self.network = SimpleNamespace(features=("mean",))
        self.limits = limits or Limits()
        self.recipe = Recipe(
            network="means",
            layers=self.outputs,
            weights_sha256="0" * 64,
            size=8,
            preprocessing=raw(8),
            weights=Path("means.pth"),
            weights_files={"means.pth": 1},
        )
        self.log = log

    def with_layers(self, layers: Sequence[str]) -> "Means":
        return Means(self.log, self.limits, layers)

    def close(self) -> None:
        pass

    def stream(self, images: Iterable[ImageLike], timings: object = None) -> Iterator[Outcome]:
        for image in images:
            if self.log:
                with self.log.open("a") as file:
                    file.write(f"{os.fspath(image)}\n")
            try:
                pixels = decode(image, self.limits)
            except ImageError as error:
                yield Outcome(error=error)
            else:
                made = {name: KINDS[name](pixels) for name in self.outputs}
                yield Outcome(made, pixels.shape[1], pixels.shape[0])


class Meanwhile(Means):
    """A model that calls a function when all images are listed and none is decoded."""

    def __init__(self, then: Callable[[], object]):
        super().__init__()
        self.then = then

    def stream(self, images: Iterable[ImageLike], timings: object = None) -> Iterator[Outcome]:
        listed = list(images)
        self.then()
        return super().stream(listed)
