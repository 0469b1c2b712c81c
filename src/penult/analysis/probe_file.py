"""A saved probe: a safetensors file with the classes, the weights, and what made the features.

Two tensors, `weight` (classes × values) and `bias` (classes), in float32; the scaling of features
is part of them. The metadata's entry `penult_probe` is a JSON document: format, classes, layer,
shape, provenance (that of the table), regularisation C, images, accuracy. The file may come from
anywhere: it is read as weights files are, and the document is compared with the tensors.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from penult.analysis.classifiers import Linear
from penult.analysis.vectors import Floats
from penult.checkpoints import Checkpoint, open_checkpoint
from penult.errors import CheckpointError, UsageError
from penult.images import find_images
from penult.images.limits import Limits
from penult.pipeline import Classification, Sources, classified
from penult.store.export import replacing
from penult.store.messages import translated
from penult.text import quoted
from penult.verification import rebuild

FORMAT = 1
DOCUMENT = "penult_probe"
SUFFIX = ".safetensors"
NUMBERS = ("C", "images", "accuracy")
MAX_NUMBER = 2**53  # up to which floating point counts


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A linear classifier on the features of a model; `open_probe` reads one.

    Attributes:
        path: Its file.
        classes: What it tells apart, in the order of its logits.
        layer: The layer that it takes.
        shape: Of that layer.
        provenance: What the features were made by: network, weights, pooling, preprocessing.
        linear: Its weights.
        images: How many it was fitted to.
        accuracy: Its accuracy in cross-validation on them.
    """

    path: Path
    classes: tuple[str, ...]
    layer: str
    shape: tuple[int, ...]
    provenance: dict[str, Any]
    linear: Linear
    images: int
    accuracy: float

    def save(self, out: str | Path) -> Path:
        """Write it to a `.safetensors` file; an older one is replaced.

        Raises:
            UsageError: The suffix is another one.
            StoreError: The file can't be written.
        """
        path = require_suffix(out)
        tensors = {"weight": self.linear.weight, "bias": self.linear.bias}
        header: dict[str, Any] = {"__metadata__": {DOCUMENT: json.dumps(self._document())}}
        start = 0
        for name, tensor in tensors.items():
            end = start + tensor.nbytes
            place = {"shape": list(tensor.shape), "data_offsets": [start, end]}
            header[name], start = {"dtype": "F32", **place}, end
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)  # so that the tensors are aligned
        body = b"".join(tensor.astype("<f4").tobytes() for tensor in tensors.values())
        with translated(f"can't write {quoted(path)}"), replacing(path) as temporary:
            temporary.write_bytes(len(text).to_bytes(8, "little") + text + body)
        return path

    def classify(
        self,
        sources: Sources = (),
        *,
        k: int = 5,
        from_file: str | Path | None = None,
        weights: str | Path | None = None,
        max_pixels: int | None = None,
        max_bytes: int | None = None,
    ) -> Iterator[Classification]:
        """Yield the `k` likeliest classes of each image, by the model that made the features.

        Args:
            sources: As of `extract`.
            k: How many classes.
            from_file: As of `extract`.
            weights: Where the model's weights are, if not where they were.
            max_pixels: As of `load_model`.
            max_bytes: As of `load_model`.

        Raises:
            SourceError: A source doesn't exist.
            UsageError, CheckpointError, NetworkError: The model isn't what it was, see `verify`.
        """
        if k < 1:
            raise UsageError(f"k must be at least 1, not {k}")
        files = find_images(
            [sources] if isinstance(sources, str | Path) else sources, from_file=from_file
        )
        model = rebuild(self.path, {self.layer: self.shape}, self.provenance, weights)
        model.limits = Limits.of(max_pixels, max_bytes)

        def logits(vector: Floats) -> Floats:
            return self.linear.logits(vector.reshape(1, -1)).ravel()

        return classified(files, model, self.classes, k, logits)

    def _document(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "classes": self.classes,
            "layer": self.layer,
            "shape": self.shape,
            "provenance": self.provenance,
            "C": self.linear.strength,
            "images": self.images,
            "accuracy": self.accuracy,
        }


def open_probe(path: str | Path) -> Probe:
    """Read a probe that `penult.probe` saved; nothing in the file is executed.

    Raises:
        CheckpointError: It isn't one, or is damaged.
    """
    checkpoint = open_checkpoint(path)
    document = _document(checkpoint)
    classes, shape = _classes(checkpoint, document), _shape(checkpoint, document)
    layer, provenance = document.get("layer"), document.get("provenance")
    if not isinstance(layer, str) or not isinstance(provenance, dict):
        raise _damaged(checkpoint, "its layer or provenance is missing")
    width = math.prod(shape)
    expected = {"weight": (len(classes), width), "bias": (len(classes),)}
    if dict(checkpoint.shapes) != expected or set(checkpoint.dtypes.values()) != {"F32"}:
        raise _damaged(checkpoint, f"{len(classes)} classes of {width} values need other tensors")
    weight, bias = (np.array(checkpoint[name], np.float32) for name in ("weight", "bias"))
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise _damaged(checkpoint, "its weights are no finite numbers")
    strength, images, accuracy = (_number(checkpoint, document, name) for name in NUMBERS)
    linear = Linear(weight, bias, strength)
    return Probe(Path(path), classes, layer, shape, provenance, linear, int(images), accuracy)


def require_suffix(out: str | Path) -> Path:
    """The path of a probe to write.

    Raises:
        UsageError: It doesn't end in `.safetensors`.
    """
    path = Path(out)
    if path.suffix.lower() != SUFFIX:
        raise UsageError(f"{quoted(path)}: expected a probe to end in {SUFFIX}")
    return path


def _document(checkpoint: Checkpoint) -> dict[str, Any]:
    text = checkpoint.metadata.get(DOCUMENT)
    if checkpoint.format != "safetensors" or text is None:
        raise CheckpointError(
            f"{quoted(checkpoint.path)} isn't a probe: make one with penult probe --save"
        )
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _damaged(checkpoint, "its document isn't JSON") from exc
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _damaged(checkpoint, f"its document isn't of format {FORMAT}")
    return document


def _classes(checkpoint: Checkpoint, document: dict[str, Any]) -> tuple[str, ...]:
    classes = document.get("classes")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise _damaged(checkpoint, "its classes are no names")
    if len(set(classes)) != len(classes) or len(classes) < 2:
        raise _damaged(checkpoint, "its classes are fewer than two, or one is there twice")
    return tuple(classes)


def _shape(checkpoint: Checkpoint, document: dict[str, Any]) -> tuple[int, ...]:
    shape = document.get("shape")
    if not isinstance(shape, list) or not all(type(size) is int and size > 0 for size in shape):
        raise _damaged(checkpoint, "its shape isn't one")
    return tuple(shape)


def _number(checkpoint: Checkpoint, document: dict[str, Any], name: str) -> float:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _damaged(checkpoint, f"its {name} is no number")
    if not 0 <= value <= MAX_NUMBER:
        raise _damaged(checkpoint, f"its {name} can't be {quoted(value)}")
    return float(value)


def _damaged(checkpoint: Checkpoint, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{quoted(checkpoint.path)}: {reason}; damaged or forged: save the probe again"
    )
