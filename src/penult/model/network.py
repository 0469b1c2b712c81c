"""What a model runs: a network of the registry with a checkpoint's weights, or an ONNX file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from penult.checkpoints import Checkpoint, open_checkpoint
from penult.checkpoints.base import WeightsFile
from penult.engine import Cut
from penult.errors import NetworkError, UsageError
from penult.graph import (
    Value,
    variables,
)
from penult.graph.pooling import Pool, pool_layers
from penult.graph.products import products
from penult.graph.winograd import winograd
from penult.images.preprocess import PREPROCESSING, Transform
from penult.images.preprocess_text import parse
from penult.model.matching import (
    classes,
    fit,
    published_checkpoint,
    recognise,
    require_one_copy,
    select_below,
    with_averages,
)
from penult.model.repositories import Brought, bring, is_known
from penult.nets import DEFAULT, Pretrained, class_names, get, lookup, made_again
from penult.onnx.file import OnnxFile, is_onnx
from penult.onnx.head import Choice
from penult.onnx.origin import Origin
from penult.onnx.writer import Read, to_onnx, write_onnx
from penult.util.text import matching, nearest, quoted

Shape = tuple[int, ...]

MAX_SIZE = 4096  # pixels of a network's input


class Network(Protocol):
    """A network with its weights, of which parts can be cut out for an engine.

    Attributes:
        name: The network's; of an ONNX file of others, the file's.
        path: The weights file.
        files: All files that the weights are in, that to begin with first.
        ema: Whether moving averages are taken for weights.
        prefix: What stands in the file before the names of the copy that is taken.
        exact: Whether all convolutions are computed as they stand.
        size: Pixels of the square input; the height of one that is no square.
        sides: Height and width of the input.
        preprocessing: What it was trained with, for this size; None if nobody knows.
        settings: What makes the network again where its name alone doesn't; plain data.
        revision: The commit of the hub's repository that the weights are of, if they are.
        is_assumed: Whether the preprocessing is what most such networks take, as nothing says it.
    """

    name: str
    path: Path
    files: Sequence[WeightsFile]
    ema: bool
    prefix: str
    exact: bool
    size: int
    sides: tuple[int, int]
    preprocessing: Transform | None
    settings: Mapping[str, Any]
    revision: str
    is_assumed: bool

    @property
    def features(self) -> Sequence[str]:
        """The layers by default; UsageError if one has to be chosen."""
        ...

    @property
    def note(self) -> str:
        """What is to be said of the layers by default, as they may not be what is wanted."""
        ...

    @property
    def layers(self) -> Mapping[str, Shape]:
        """All layers, in order, each with its shape: (height, width, channels)."""
        ...

    @property
    def logits(self) -> str:
        """The classifier's layer; NetworkError if there is none."""
        ...

    @property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the logits."""
        ...

    def layer_name(self, name: str) -> str:
        """Return a layer's full name; UsageError if none is meant, or several may be."""
        ...

    def digest(self) -> str:
        """Return the SHA-256 of the weights file."""
        ...

    def cut(self, layers: Sequence[str], pool: Pool, *, normalized: bool = False) -> Cut:
        """Make a model of what some layers need; NetworkError if the weights lack it."""
        ...

    def unload(self) -> None:
        """Give the system back what is in memory of the weights file."""
        ...


class CheckpointNetwork:
    """A network of the registry with the weights of a checkpoint.

    With `exact`, convolutions are computed as they stand; see `penult.graph.winograd`.
    """

    def __init__(
        self,
        spec: Pretrained,
        checkpoint: Checkpoint,
        size: int | None = None,
        *,
        prefix: str = "",
        exact: bool = False,
        revision: str = "",
    ) -> None:
        self.spec = spec
        self.revision = revision
        self.is_assumed = spec.is_assumed
        self.prefix = prefix
        self.exact = exact
        self.checkpoint = checkpoint
        self.name = spec.name
        self.path = checkpoint.path
        self.files: Sequence[WeightsFile] = checkpoint.files
        self.ema = checkpoint.ema
        self.size = size or spec.size
        self.sides = (self.size, self.size)
        self.preprocessing: Transform | None = spec.preprocess(self.size)
        self.features: Sequence[str] = (spec.architecture.embedding,)
        self.note = ""
        self.settings = spec.settings
        self.classes = class_names(classes(spec, checkpoint.shapes))
        self._graph = spec.layers(len(self.classes), self.size)
        self.layers = {name: value.channels_last for name, value in self._graph.items()}

    @property
    def logits(self) -> str:
        """The classifier's layer."""
        return _logits(self.spec)

    def layer_name(self, name: str) -> str:
        """Return a layer's full name."""
        return _layer_name(name, self.layers, self.name, f" (see `penult describe {self.name}`)")

    def digest(self) -> str:
        """Return the SHA-256 of the weights file."""
        return self.checkpoint.digest()

    def cut(self, layers: Sequence[str], pool: Pool, *, normalized: bool = False) -> Cut:
        """Make a model of what some layers need."""
        values, read = self._select(layers, pool, normalized)
        values = products(values)
        if not self.exact:
            values = winograd(values)
        return to_onnx(values, read)._replace(name=quoted(self.path), release=self.unload)

    def unload(self) -> None:
        """Give the system back what is in memory of the weights file."""
        self.checkpoint.unload()

    def write(
        self,
        path: Path,
        layers: Sequence[str],
        pool: Pool,
        metadata: Mapping[str, str],
        *,
        normalized: bool = False,
    ) -> None:
        """Write what some layers need as an ONNX file, weights included."""
        write_onnx(path, *self._select(layers, pool, normalized), metadata)

    def _select(
        self, layers: Sequence[str], pool: Pool, normalized: bool
    ) -> tuple[dict[str, Value], Read]:
        fitted = fit(variables([self._graph[name] for name in layers]), self.checkpoint.shapes)
        of_size = f" of {self.size}×{self.size} pixels" if self.size != self.spec.size else ""
        fitted.check(self.name + of_size, self.path)
        chosen = {name: self._graph[name] for name in layers}
        prefix = self.spec.architecture.prefix_tokens
        values = pool_layers(chosen, pool, normalized=normalized, prefix=prefix)
        return values, lambda variable: self.checkpoint[fitted.scope + variable.name]


class OnnxNetwork:
    """An ONNX file, Penult's own or another program's."""

    def __init__(self, file: OnnxFile, size: int | None = None) -> None:
        origin = file.origin
        self.file = file
        self.name = origin.network if origin else file.path.stem
        self.path = file.path
        self.files: Sequence[WeightsFile] = file.files
        self.ema = False
        self.prefix = ""
        self.exact = True
        self.settings: Mapping[str, Any] = {}
        self.revision = ""
        self.is_assumed = False
        self.size = file.checked_size(size)
        self.sides = file.sides_of(self.size)
        self.preprocessing = _preprocessing(origin, self.size) if origin else None

    @cached_property
    def _choice(self) -> Choice:
        return self.file.choose(self.size)

    @property
    def features(self) -> Sequence[str]:
        """The layers by default; UsageError if one has to be chosen."""
        return self._choice.layers

    @property
    def note(self) -> str:
        """What is to be said of the layers by default, as they may not be what is wanted."""
        return "" if self._choice.is_sure else self._choice.reason

    @cached_property
    def layers(self) -> Mapping[str, Shape]:
        """All layers, in order, each with its shape; the file may be run to find out."""
        return self.file.shapes(self.size)

    @property
    def logits(self) -> str:
        """The classifier's layer; of another program's file, the first output before a softmax."""
        if not self.file.origin:
            return self.file.logits
        spec = lookup(self.name)
        logits = _logits(spec) if spec else None
        if logits not in self.file.outputs:
            raise NetworkError(f"{quoted(self.path)} was written without its classifier")
        return logits

    @cached_property
    def classes(self) -> list[str]:
        """The names of the classes, in the order of the logits."""
        return class_names(self.layers[self.logits][-1])

    def layer_name(self, name: str) -> str:
        """Return a layer's full name."""
        return _layer_name(name, self.file.layers, quoted(self.path))

    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        return self.file.digest

    def cut(self, layers: Sequence[str], pool: Pool, *, normalized: bool = False) -> Cut:
        """Make a model of what some layers need."""
        return self.file.cut(layers, pool, self.size, normalized=normalized)

    def unload(self) -> None:
        """Give the system back what is in memory of the weights file."""
        self.file.unload()


def load_network(
    model: str | None,
    weights: str | Path | None,
    size: int | None = None,
    *,
    ema: bool = False,
    prefix: str = "",
    exact: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Network:
    """Bring a network and its weights together; arguments and errors as of `load_model`.

    `settings` are those that a network had when it was loaded before.
    """
    if size is not None and not 1 <= size <= MAX_SIZE:
        raise UsageError(f"size must be from 1 to {MAX_SIZE} pixels, not {size}")
    if weights is None and (model is None or lookup(model) or not is_known(model)):
        if ema or prefix:
            raise UsageError(
                "published weights have no moving averages, nor copies: leave out --ema, --prefix"
            )
        spec = get(model or DEFAULT)
        return CheckpointNetwork(spec, published_checkpoint(spec), size, exact=exact)
    if weights is not None and is_onnx(weights):
        if model or ema or prefix:
            raise UsageError(f"{quoted(Path(weights))} is a network by itself: leave out -m, --ema")
        return OnnxNetwork(OnnxFile(weights), size)
    brought = bring(model, weights)
    checkpoint = open_checkpoint(brought.weights)
    if prefix:
        checkpoint = select_below(checkpoint, prefix)
    if ema:
        checkpoint = with_averages(checkpoint)
    spec = network_of(brought, checkpoint, size, settings)
    require_one_copy(spec, checkpoint)
    return CheckpointNetwork(
        spec, checkpoint, size, prefix=prefix, exact=exact, revision=brought.revision
    )


def network_of(
    brought: Brought,
    checkpoint: Checkpoint,
    size: int | None,
    settings: Mapping[str, Any] | None = None,
) -> Pretrained:
    """Find what network weights are of: the one named, or the one that they tell."""
    name = brought.name
    if name and settings:
        spec = made_again(settings, name)
    elif name and (lookup(name) or not (brought.card or is_known(name))):
        spec = get(name)
    else:
        spec = recognise(checkpoint, size, brought.card)
        spec = replace(spec, name=name or spec.name)
    if brought.preprocess is None:
        return spec
    said = brought.preprocess
    return replace(spec, size=said(None).size, preprocess=said, is_assumed=False)


def _preprocessing(origin: Origin, size: int) -> Transform | None:
    """Make what a file that Penult wrote says, if that is of this size."""
    if origin.preprocessing in PREPROCESSING:
        return PREPROCESSING[origin.preprocessing](size)
    try:
        said = parse(origin.preprocessing_text)
    except UsageError:  # of an older version, or not Penult's at all
        return None
    return said if said.size == size else None


def _logits(spec: Pretrained) -> str:
    if spec.architecture.logits is None:
        raise NetworkError(f"{spec.name} has no classifier")
    return spec.architecture.logits


def _layer_name(name: str, layers: Iterable[str], network: str, remedy: str = "") -> str:
    """Find the layer that is meant: the end of its name will do where only one has it."""
    matches = matching(name, layers)
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise UsageError(f"{quoted(name)} may be {' or '.join(matches[:3])}: give the whole name")
    known = nearest(name, layers)
    raise UsageError(f"{network} has no layer {quoted(name)}; nearest: {known}{remedy}")
