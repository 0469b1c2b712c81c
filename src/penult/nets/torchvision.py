"""The weights that torchvision publishes, by its names: torchvision.tsv.

Of its enumerations `NAME_Weights` (torchvision 0.28): of a network with several, the last row is
the default. Accuracy is that of ILSVRC-2012 validation, single crop, as published.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from penult.images import preprocess
from penult.images.preprocess import Scaled, Transform
from penult.nets.spec import PublishedWeights

LIBRARY = "torchvision/"
_URL = "https://download.pytorch.org/models/"
_NUMBERS = {
    "imagenet": preprocess.IMAGENET,
    "half": preprocess.HALF,
    "vgg": Scaled(255, (0.48235, 0.45882, 0.40784), 1 / 255),
}


@dataclass(frozen=True, slots=True)
class Published:
    """One row of the table.

    Attributes:
        network: As `torchvision.models` calls it.
        tag: The member of the enumeration: `IMAGENET1K_V2`.
        file: What the file is called; its end are the first digits of its SHA-256.
        size: Pixels of the square input.
        resize: The shorter side of an image before its centre is cropped.
        kernel: How it is resized.
        numbers: Which mean and deviation.
        megabytes: Of the file, rounded.
        top1: Per cent; None if nobody says.
        top5: Likewise.
        licence: SPDX.
    """

    network: str
    tag: str
    file: str
    size: int
    resize: int
    kernel: Literal["bilinear", "bicubic"]
    numbers: str
    megabytes: int
    top1: float | None
    top5: float | None
    licence: str

    @property
    def name(self) -> str:
        """Its whole name here: `torchvision/resnet50.IMAGENET1K_V2`."""
        return f"{LIBRARY}{self.network}.{self.tag}"

    @property
    def weights(self) -> PublishedWeights:
        """Where the file is."""
        begin = self.file.rpartition("-")[2].partition(".")[0]
        return PublishedWeights(_URL + self.file, self.licence, digest_begins=f"sha256:{begin}")

    def preprocess(self, size: int | None = None) -> Transform:
        """Make what the weights were evaluated with, or the like for another size."""
        side = size or self.size
        made = preprocess.torchvision(side, crop=self.size, shorter=self.resize, kernel=self.kernel)
        return Transform(made.geometry, _NUMBERS[self.numbers])


def preprocess_for(network: str, size: int) -> Transform:
    """Make what the default weights of a network take; of one without, as most networks do."""
    row = find(f"{LIBRARY}{network}")
    return row.preprocess(size) if row else preprocess.torchvision(size)


@cache
def networks() -> frozenset[str]:
    """The names of the networks."""
    return frozenset(each.network for each in published())


@cache
def published() -> tuple[Published, ...]:
    """List all weights, those of a network together, its default last."""
    table = Path(__file__).with_name("torchvision.tsv").read_text(encoding="utf-8")
    return tuple(map(_row, table.splitlines()[1:]))


def find(name: str) -> Published | None:
    """Return the weights of a name, `torchvision/NETWORK[.TAG]`, by default the network's own."""
    wanted = [each for each in published() if name in {each.name, f"{LIBRARY}{each.network}"}]
    return wanted[-1] if wanted else None


def find_file(file: str) -> Published | None:
    """Return the weights whose file is called so."""
    return next((each for each in published() if each.file == file), None)


def preprocess_as_published(name: str, size: int) -> Transform:
    """Make what a network's default weights take; of another network, what most of them do."""
    row = find(name)
    return row.preprocess(size) if row else preprocess.torchvision(size)


def _row(line: str) -> Published:
    network, tag, file, size, resize, kernel, numbers, megabytes, *top, licence = line.split("\t")
    assert kernel in {"bilinear", "bicubic"}
    top1, top5 = (float(each) if each else None for each in top)
    return Published(
        network,
        tag,
        file,
        int(size),
        int(resize),
        "bicubic" if kernel == "bicubic" else "bilinear",
        numbers,
        int(megabytes),
        top1,
        top5,
        licence,
    )
