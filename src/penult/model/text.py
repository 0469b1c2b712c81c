"""The text tower of a model: texts to features that are compared with those of images."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penult.checkpoints import Checkpoint, open_checkpoint
from penult.engine import OnnxRuntime
from penult.errors import NetworkError, UsageError
from penult.graph import any_length, variables
from penult.model.matching import fit, select_below, with_averages
from penult.model.recipe import Recipe
from penult.model.repositories import Brought, bring
from penult.nets import Card, lookup
from penult.nets.text import Tower, read_text
from penult.nets.vision_transformer_files import ACTIVATIONS
from penult.onnx.file import is_onnx
from penult.onnx.writer import to_onnx
from penult.text import Tokenizer, require_texts
from penult.util.text import quoted

Floats = NDArray[np.float32]

SOME = "clip, clip_laion, siglip2, chinese_clip"  # short names of some that have a text tower
TOKENS = 512  # of a call of the engine, at most, but for one text
FEATURES = "features"


class TextModel:
    """A text tower with its weights and tokenizer; `load_text` makes one.

    Attributes:
        name: What to call it.
        library: Whose rules its tokenizer follows: `open_clip` or `transformers`.
        width: Of its features.
        path: The weights file.
    """

    def __init__(self, checkpoint: Checkpoint, tower: Tower, name: str = "") -> None:
        self._design = tower.design
        self._prefix = tower.prefix
        self._checkpoint = checkpoint
        self.name = name or tower.design.name
        self.library = tower.design.library
        self.width = tower.design.features
        self.path = checkpoint.path

    @cached_property
    def logit_scale(self) -> float:
        """What cosines with images are multiplied by before softmax or sigmoid.

        Raises:
            NetworkError: The weights don't hold it.
        """
        stored = self._number("logit_scale")
        if stored is None:
            raise NetworkError(f"{quoted(self.path)} lacks logit_scale: take the whole CLIP's file")
        return float(np.exp(stored))

    @cached_property
    def logit_bias(self) -> float | None:
        """What is added then, by those that were trained with a sigmoid; None with a softmax."""
        return self._number("logit_bias")

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """What makes ids of texts.

        Raises:
            UsageError: There is none beside the weights, or one of another vocabulary.
            MissingExtraError: What it needs isn't installed.
        """
        from penult.text.files import load_tokenizer

        design = self._design
        facts = design.words, design.context, design.vocabulary
        return load_tokenizer(self._folder, self.library, *facts)

    @property
    def has_tokenizer(self) -> bool:
        """Whether its tokenizer is beside the weights, or needs no file."""
        from penult.text.files import find, is_built_in

        facts = self._design.words, self._design.vocabulary
        return is_built_in(self.library, *facts) or find(self._folder, *facts) is not None

    @property
    def _folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    def embed_text(self, texts: Sequence[str], *, templates: Sequence[str] | None = None) -> Floats:
        """Return one row of features a text, of `width`; see `Model.embed_text`."""
        checked = require_texts(texts)
        if templates is None:
            return self._features(checked)
        total = np.zeros((len(checked), self.width))
        for template in _require_templates(templates):
            filled = require_texts([template.replace("{}", text) for text in checked])
            total += _normalised(self._features(filled).astype(np.float64))
        return _normalised(total).astype(np.float32)

    def embed_ids(self, ids: Sequence[Sequence[int]]) -> Floats:
        """Return one row of features a list of ids, with those of beginning and end.

        Raises:
            UsageError: An id isn't one of the vocabulary's.
            NetworkError: The weights lack something.
        """
        by_length: dict[int, list[int]] = defaultdict(list)
        cut = [self._design.cut(each) for each in ids]
        for index, each in enumerate(cut):
            if not (each and 0 <= min(each) <= max(each) < self._design.vocabulary):
                raise UsageError(f"text {index} has ids beyond 0 to {self._design.vocabulary - 1}")
            by_length[len(each)].append(index)
        batches = list(_batches(by_length))

        def run(batch: Sequence[int]) -> Floats:
            rows = np.array([cut[index] for index in batch], np.int64)
            inputs = {"tokens": self._table[rows].astype(np.float32), **self._design.inputs(rows)}
            features: Floats = self._engine.run(inputs)[FEATURES]
            return features

        found = np.empty((len(cut), self.width), np.float32)
        with ThreadPoolExecutor(self._engine.calls) as pool:
            for batch, features in zip(batches, pool.map(run, batches), strict=True):
                found[batch] = features
        return found

    def _features(self, texts: Sequence[str]) -> Floats:
        _ = self._engine  # which gets ready while the tokenizer is made
        ids: Sequence[Sequence[int]] = self.tokenizer.ids(texts)
        if not self._design.is_free:
            ids = [self.tokenizer.filled(each) for each in ids]
        return self.embed_ids(ids)

    @cached_property
    def _engine(self) -> OnnxRuntime:
        graph = {FEATURES: self._design.graph()}
        needed = [self._design.table, *variables(graph.values())]
        fit(needed, self._below.shapes).check(f"text tower of {self.name}", self.path)
        if self._design.is_free:
            graph = any_length(graph)
        cut = to_onnx(graph, lambda variable: self._below[variable.name])
        return OnnxRuntime(cut._replace(name=quoted(self.path), release=self._checkpoint.unload))

    @cached_property
    def _table(self) -> NDArray[Any]:
        return self._below[self._design.table.name]

    @cached_property
    def _below(self) -> Checkpoint:
        return self._checkpoint.below(self._prefix) if self._prefix else self._checkpoint

    def _number(self, name: str) -> float | None:
        if name not in self._below:
            return None
        array = self._below[name]
        if array.size != 1 or not np.isfinite(array).all():
            raise NetworkError(f"{quoted(self.path)}: {name} isn't a number")
        return float(array.reshape(()))

    def __repr__(self) -> str:
        return f"TextModel({self.name} from {self.path.name}: {self.width})"


def load_text(source: str | Path | Recipe, *, model: str | None = None) -> TextModel:
    """Make a text tower ready, without the image tower beside it.

    Args:
        source: The recipe of features that texts are compared with, a weights file or folder, or a
            name as `load_model` takes it.
        model: What the weights of a file are of, where that has to be said.

    Raises:
        NetworkError: There is no text tower.
        UsageError: The tensors can't tell which one it is.
        CheckpointError: The weights can't be read.
        DownloadError: They can't be had.
    """
    if isinstance(source, Recipe):
        return _of_recipe(source)
    if lookup(str(source)) or (Path(source).is_file() and is_onnx(source)):
        raise _without(str(source))
    is_file = Path(source).exists()
    brought = bring(model, source) if is_file else bring(str(source), None, text=True)
    return _made(brought, open_checkpoint(brought.weights), str(source))


def _of_recipe(recipe: Recipe) -> TextModel:
    """Make it of the file of the recipe; of a repository, what is lacking there is fetched."""
    if not recipe.settings or recipe.settings.get("library") == "timm":
        raise _without(recipe.network)
    if not recipe.revision:
        return _beside(recipe, bring(None, recipe.weights))
    name = f"{recipe.network.partition('@')[0]}@{recipe.revision}"
    found = _beside(recipe, bring(name, None))
    return found if found.has_tokenizer else _beside(recipe, bring(name, None, text=True))


def _beside(recipe: Recipe, brought: Brought) -> TextModel:
    """Make the text tower beside an image tower of which more is known."""
    checkpoint = open_checkpoint(brought.weights)
    if recipe.prefix:
        checkpoint = select_below(checkpoint, recipe.prefix)
    if recipe.ema:
        checkpoint = with_averages(checkpoint)
    return _made(brought, checkpoint, recipe.network, _card_of(recipe.settings))


def _made(
    brought: Brought, checkpoint: Checkpoint, name: str, card: Card | None = None
) -> TextModel:
    tower = read_text(checkpoint.shapes, brought.card or card or Card())
    if not tower:
        raise _without(name)
    return TextModel(checkpoint, tower, brought.name or "")


def _card_of(settings: Mapping[str, Any]) -> Card:
    """Say of a text tower what is known of the image tower beside it."""
    library, activation = settings["library"], settings.get("activation")
    names = {ours: theirs for theirs, ours in ACTIVATIONS.items()}
    if library == "transformers" and activation in names:
        return Card(library, "", {"text_config": {"hidden_act": names[activation]}})
    return Card(library, "", {"quick_gelu": activation == "quick_gelu"})


def _without(name: str) -> NetworkError:
    return NetworkError(f"{quoted(name)} has no text tower; some that have are {SOME}")


def _require_templates(templates: Sequence[str]) -> list[str]:
    if isinstance(templates, str) or not templates:
        raise UsageError("templates are several texts such as 'a photo of a {}.'")
    for template in templates:
        if not isinstance(template, str) or "{}" not in template:
            raise UsageError(f"the template {quoted(template)} has no {{}} for the text")
    return list(templates)


def _batches(by_length: Mapping[int, Sequence[int]]) -> Iterator[list[int]]:
    """Split texts of the same length, so that nothing has to be filled up."""
    for length, indices in sorted(by_length.items()):
        most = max(TOKENS // length, 1)
        for start in range(0, len(indices), most):
            yield list(indices[start : start + most])


def _normalised(vectors: NDArray[Any]) -> NDArray[Any]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    normalised: NDArray[Any] = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return normalised
