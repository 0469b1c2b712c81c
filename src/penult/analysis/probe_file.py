"""A saved probe: a safetensors file with the classes, the weights, and what made the features.

Two tensors, `weight` (classes × values) and `bias` (classes), in float32; the scaling of features
is part of them. The metadata's entry `penult_probe` is a JSON document: format, classes, layer,
shape, provenance (that of the table), regularisation C, images, accuracy; `penult_sha256` is the
digest of that document and the tensors. The file may come from anywhere: it is read as weights
files are, no number or name in it is believed, and all of it is compared with the tensors.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from penult.analysis.classifiers import Linear
from penult.analysis.labels import MAX_LABEL
from penult.analysis.vectors import Floats
from penult.checkpoints import Checkpoint, open_checkpoint
from penult.engine import DeviceName
from penult.errors import CheckpointError, UsageError
from penult.extraction.classification import Classification, classify_items
from penult.images import Sources, find_images
from penult.images.limits import Limits
from penult.model.model import rebuild
from penult.model.recipe import Recipe
from penult.store.messages import wrap_errors
from penult.util.checks import require_at_least
from penult.util.files import replacing
from penult.util.result import Result
from penult.util.text import plural, quoted

FORMAT = 1
DOCUMENT, DIGEST = "penult_probe", "penult_sha256"
SUFFIX = ".safetensors"
TENSORS = ("weight", "bias")
COUNTABLE = 2**53  # up to which floating point counts
LARGEST = {"C": COUNTABLE, "images": COUNTABLE, "accuracy": 1}
MAX_DOCUMENT = 4 << 20  # characters; 20,000 classes have 1 million
MAX_TEXT = 4096  # characters; a path's
MAX_DIMENSIONS = 3
MAX_LEVELS = 3  # of the channels that a preprocessing has numbers for

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Probe(Result):
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

    def _summary(self) -> str:
        made_of = f"{plural(self.images, 'image')} of {len(self.classes)} classes"
        return f"{self.path.name}, {self.layer}, {made_of}, {self.accuracy:.1%} right"

    def save(self, out: str | Path) -> Path:
        """Write it to a `.safetensors` file; an older one is replaced.

        Raises:
            UsageError: The suffix is another one.
            StoreError: The file can't be written.
        """
        path = require_suffix(out)
        tensors = [tensor.astype("<f4") for tensor in (self.linear.weight, self.linear.bias)]
        document = json.dumps(self._document())
        metadata = {DOCUMENT: document, DIGEST: _digest(document, tensors)}
        header: dict[str, Any] = {"__metadata__": metadata}
        start = 0
        for name, tensor in zip(TENSORS, tensors, strict=True):
            end = start + tensor.nbytes
            place = {"shape": list(tensor.shape), "data_offsets": [start, end]}
            header[name], start = {"dtype": "F32", **place}, end
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)  # so that the tensors are aligned
        body = b"".join(tensor.tobytes() for tensor in tensors)
        with wrap_errors(f"can't write {quoted(path)}"), replacing(path) as temporary:
            temporary.write_bytes(len(text).to_bytes(8, "little") + text + body)
        return path

    def classify(
        self,
        sources: Sources = (),
        *,
        k: int = 5,
        from_file: str | Path | None = None,
        weights: str | Path | None = None,
        device: DeviceName = "cpu",
        max_pixels: int | None = None,
        max_bytes: int | None = None,
        max_seconds: float | None = None,
    ) -> Iterator[Classification]:
        """Yield the `k` likeliest classes of each image, by the model that made the features.

        Args:
            sources: As of `extract`.
            k: How many classes.
            from_file: As of `extract`.
            weights: Where the model's weights are, if not where they were.
            device: As of `load_model`; it needn't be that of the features it was made of.
            max_pixels: As of `load_model`.
            max_bytes: As of `load_model`.
            max_seconds: As of `load_model`.

        Raises:
            SourceError: A source doesn't exist.
            UsageError, CheckpointError, NetworkError: The model isn't what it was, see `verify`.
        """
        require_at_least(1, "k", k)
        source = find_images(sources, from_file=from_file)
        recipe = Recipe.read({self.layer: self.shape}, self.provenance, self.path)
        limits = Limits.of(max_pixels, max_bytes, max_seconds)
        model = rebuild(replace(recipe, limits=limits, device=device), self.path, weights)

        # in float64, in which no weights and features that are float32 overflow
        weight, bias = self.linear.weight.astype(np.float64), self.linear.bias

        def logits(vector: Floats) -> NDArray[np.float64]:
            return np.asarray(weight @ vector.ravel() + bias)

        return classify_items(source, model, self.classes, k, logits)

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
    if not _is_name(layer) or not isinstance(provenance, dict) or not _is_plain(provenance):
        raise _damaged(checkpoint, "its layer or provenance isn't one")
    weight, bias = _tensors(checkpoint, len(classes), math.prod(shape))
    strength, images, accuracy = (_number(checkpoint, document, name) for name in LARGEST)
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


def _digest(document: str, tensors: Iterable[Floats]) -> str:
    digest = hashlib.sha256(document.encode())
    for tensor in tensors:
        digest.update(tensor.tobytes())
    return digest.hexdigest()


def _document(checkpoint: Checkpoint) -> dict[str, Any]:
    text = checkpoint.metadata.get(DOCUMENT)
    if checkpoint.format != "safetensors" or text is None:
        raise CheckpointError(
            f"{quoted(checkpoint.path)} isn't a probe: make one with penult probe --save"
        )
    if len(text) > MAX_DOCUMENT:
        raise _damaged(checkpoint, f"its document has more than {MAX_DOCUMENT:,} characters")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise _damaged(checkpoint, "its document isn't JSON") from exc
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _damaged(checkpoint, f"its document isn't of format {FORMAT}")
    return document


def _classes(checkpoint: Checkpoint, document: dict[str, Any]) -> tuple[str, ...]:
    classes = document.get("classes")
    if not isinstance(classes, list) or not all(map(_is_name, classes)):
        raise _damaged(checkpoint, "its classes are no names")
    if len(set(classes)) != len(classes) or len(classes) < 2:
        raise _damaged(checkpoint, "its classes are fewer than two, or one is there twice")
    return tuple(classes)


def _shape(checkpoint: Checkpoint, document: dict[str, Any]) -> tuple[int, ...]:
    shape = document.get("shape")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not all(map(_is_size, shape)):
        raise _damaged(checkpoint, "its shape isn't one")
    return tuple(shape)


def _tensors(checkpoint: Checkpoint, classes: int, width: int) -> list[Floats]:
    """Weight and bias, whose digest is the file's."""
    expected = {"weight": (classes, width), "bias": (classes,)}
    if dict(checkpoint.shapes) != expected or set(checkpoint.dtypes.values()) != {"F32"}:
        raise _damaged(checkpoint, f"{classes} classes of {width} values need other tensors")
    tensors = [np.array(checkpoint[name], np.float32) for name in TENSORS]
    if not all(np.isfinite(tensor).all() for tensor in tensors):
        raise _damaged(checkpoint, "its weights are no finite numbers")
    if _digest(checkpoint.metadata[DOCUMENT], tensors) != checkpoint.metadata.get(DIGEST):
        raise _damaged(checkpoint, "its digest is another one")
    return tensors


def _number(checkpoint: Checkpoint, document: dict[str, Any], name: str) -> float:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _damaged(checkpoint, f"its {name} is no number")
    if not 0 <= value <= LARGEST[name]:
        raise _damaged(checkpoint, f"its {name} can't be {quoted(value)}")
    return float(value)


def _is_name(value: object) -> TypeGuard[str]:
    return _is_text(value, MAX_LABEL) and value != ""


def _is_text(value: object, longest: int = MAX_TEXT) -> TypeGuard[str]:
    """Whether it is a text that can be written as Unicode, and isn't too long."""
    return isinstance(value, str) and len(value) <= longest and not _SURROGATE.search(value)


def _is_size(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 < value < 2**31


def _is_plain(value: object, depth: int = 3) -> bool:
    """Whether it is what a provenance consists of: texts, numbers, and dictionaries of these."""
    if isinstance(value, dict):
        pairs = value.items()
        return depth > 0 and all(_is_text(k) and _is_plain(v, depth - 1) for k, v in pairs)
    if isinstance(value, list):
        return len(value) <= MAX_LEVELS and all(_is_plain(each, 0) for each in value)
    if isinstance(value, int | float):
        return abs(value) <= COUNTABLE
    return value is None or _is_text(value)


def _damaged(checkpoint: Checkpoint, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{quoted(checkpoint.path)}: {reason}; damaged or forged: save the probe again"
    )
