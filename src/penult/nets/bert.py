"""BERT and RoBERTa as text towers: of Chinese-CLIP, and of open_clip's `xlm-roberta-*`.

Devlin et al. 2019, arXiv:1810.04805; Conneau et al. 2020, arXiv:1911.02116; Yang et al. 2022,
arXiv:2211.01335. Unlike CLIP's own they normalise after each branch. RoBERTa begins to count its
places behind the id that fills up texts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from penult.errors import NetworkError
from penult.graph import (
    Constant,
    Value,
    Variable,
    add,
    add_rows,
    attention,
    first_token,
    global_avg_pool,
    transpose,
)
from penult.graph.values import Array
from penult.nets import pytorch
from penult.nets.design import Card, Shapes
from penult.nets.text import Words, tokens
from penult.nets.transformer import ACTIVATIONS, Activation
from penult.nets.vision_transformer_files import ACTIVATIONS as NAMES_OF_ACTIVATIONS
from penult.nets.vision_transformer_files import MAX_DEPTH
from penult.util.text import quoted

BASES = (("text.transformer.", "open_clip"), ("text_model.", "transformers"))
WORDS = "embeddings.word_embeddings.weight"
PLACES = "embeddings.position_embeddings.weight"
TYPES = "embeddings.token_type_embeddings.weight"  # of which texts alone have the first
CONTEXTS = {"open_clip": 77, "transformers": 52}  # ids, where no settings say it
POOLERS = {"mean_pooler": "mean", "cls_last_hidden_state_pooler": "first"}  # as open_clip has them


@dataclass(frozen=True, slots=True)
class Bert:
    """All that decides the network; see `penult.nets.text`.

    Attributes:
        library: Whose names tensors have.
        name: What to call it.
        base: What stands before its tensors.
        vocabulary: How many ids there are.
        context: Ids of a text at most.
        places: Rows of the table of places.
        types: Rows of the table of types.
        width: Channels of a token.
        depth: Blocks.
        heads: Of each attention.
        hidden: Channels inside the MLPs.
        activation: Of the MLPs.
        epsilon: Of the layer norms.
        pad: The id that fills up texts, and is not seen.
        first_place: The row of the table of places that the first token has.
        pool: What becomes the features: the `first` token, or the `mean` of all.
        projection: The dense layers after that, without biases, by their names.
        inner: Channels between two of them.
        features: Width of the features.
    """

    library: str
    name: str
    base: str
    vocabulary: int
    context: int
    places: int
    types: int
    width: int
    depth: int
    heads: int
    hidden: int
    activation: Activation
    epsilon: float
    pad: int
    first_place: int
    pool: Literal["first", "mean"]
    projection: tuple[str, ...]
    inner: int
    features: int

    @property
    def words(self) -> Words:
        """Which tokenizer makes its ids."""
        return "roberta" if self.first_place else "bert"

    @property
    def is_free(self) -> bool:
        """Whether what follows the end of a text has no influence."""
        return True

    @property
    def table(self) -> Variable:
        """The tokens by their ids, (vocabulary, channels)."""
        return Variable(f"{self.base}{WORDS}", (self.vocabulary, self.width))

    def graph(self) -> Value:
        """Build the graph: features (features,) of `tokens`."""
        x = add_rows(tokens(self.context, self.width), self._places())
        x = self._norm(x, f"{self.base}embeddings.LayerNorm")
        for index in range(self.depth):
            x = self._block(x, f"{self.base}encoder.layer.{index}")
        x = first_token(x) if self.pool == "first" else global_avg_pool(transpose(x, "NCL"))
        *inner, last = self.projection or ("",)
        for name in inner:
            x = ACTIVATIONS["gelu"](pytorch.linear(x, name, self.inner, bias=False))
        return pytorch.linear(x, last, self.features, bias=False) if last else x

    def cut(self, ids: Sequence[int]) -> Sequence[int]:
        """Leave out what fills up a text; RoBERTa doesn't count it either where it stands."""
        if self.first_place:
            return [each for each in ids if each != self.pad] or ids[:1]
        end = next((i for i in range(len(ids), 1, -1) if ids[i - 1] != self.pad), 1)
        return ids[:end]

    def inputs(self, ids: Array) -> Mapping[str, Array]:
        """Make the graph's inputs beside `tokens`: there are none."""
        return {}

    def _places(self) -> Constant:
        """What is added to tokens by their place, that of their type included."""
        names = (PLACES, self.places), (TYPES, self.types)
        tables = tuple(Variable(self.base + name, (rows, self.width)) for name, rows in names)
        first, stop = self.first_place, self.first_place + self.context

        def compute(places: Array, types: Array) -> Array:
            rows: Array = places[first:stop] + types[:1]
            return rows

        return Constant((self.context, self.width), tables, compute)

    def _block(self, x: Value, name: str) -> Value:
        own = f"{name}.attention.self"
        q, k, v = (
            pytorch.linear(x, f"{own}.{part}", self.width) for part in ("query", "key", "value")
        )
        y = attention(q, k, v, heads=self.heads)
        y = pytorch.linear(y, f"{name}.attention.output.dense", self.width)
        x = self._norm(add(x, y), f"{name}.attention.output.LayerNorm")
        y = pytorch.linear(x, f"{name}.intermediate.dense", self.hidden)
        y = pytorch.linear(ACTIVATIONS[self.activation](y), f"{name}.output.dense", self.width)
        return self._norm(add(x, y), f"{name}.output.LayerNorm")

    def _norm(self, x: Value, name: str) -> Value:
        return pytorch.layer_norm(x, name, epsilon=self.epsilon)


def read(shapes: Shapes, card: Card) -> Bert | None:
    """Read the text tower of a file; see `penult.nets.text`."""
    for base, library in BASES:
        tables = [shapes.get(base + name, ()) for name in (WORDS, PLACES, TYPES)]
        if all(len(table) == 2 for table in tables):
            return _design(shapes, card, base, library)
    return None


def _design(shapes: Shapes, card: Card, base: str, library: str) -> Bert | None:
    key = "text_cfg" if library == "open_clip" else "text_config"
    said = card.config.get(key)
    config: Mapping[str, Any] = said if isinstance(said, Mapping) else {}
    (vocabulary, width), places, types = (shapes[base + n] for n in (WORDS, PLACES, TYPES))
    hidden = shapes.get(f"{base}encoder.layer.0.intermediate.dense.weight", (0,))[0]
    heads = _number(config, "num_attention_heads", width // 64)
    is_roberta = types[0] == 1
    first = 2 if is_roberta else 0
    context = _number(config, "context_length", CONTEXTS[library])
    if not hidden or not heads or width % heads or places[0] < first + context:
        return None
    projection, inner, features = _projection(shapes, library, width)
    return Bert(
        library=library,
        name=f"{library}/{card.architecture or ('roberta' if is_roberta else 'bert')}",
        base=base,
        vocabulary=vocabulary,
        context=context,
        places=places[0],
        types=types[0],
        width=width,
        depth=_depth(shapes, base),
        heads=heads,
        hidden=hidden,
        activation=_activation(config),
        epsilon=_epsilon(config, 1e-5 if is_roberta else 1e-12),
        pad=1 if is_roberta else 0,
        first_place=first,
        pool=_pool(config, is_roberta=is_roberta),
        projection=projection,
        inner=inner,
        features=features,
    )


def _depth(shapes: Shapes, base: str) -> int:
    name = f"{base}encoder.layer.{{}}.attention.self.query.weight"
    return next(i for i in range(MAX_DEPTH + 1) if name.format(i) not in shapes or i == MAX_DEPTH)


def _projection(shapes: Shapes, library: str, width: int) -> tuple[tuple[str, ...], int, int]:
    """The names of the layers, the channels between two, and the width of the features."""
    for names in (("text_projection",), ("text.proj",), ("text.proj.0", "text.proj.2")):
        is_of_open_clip = names[0].startswith("text.")
        found = [shapes.get(f"{name}.weight", ()) for name in names]
        if is_of_open_clip == (library == "open_clip") and all(len(each) == 2 for each in found):
            return names, found[0][0], found[-1][0]
    return (), 0, width


def _number(config: Mapping[str, Any], key: str, usual: int) -> int:
    value = config.get(key, usual)
    if type(value) is int and 0 < value <= 100_000:
        return value
    raise NetworkError(f"the settings beside the weights say {key} {quoted(value)}")


def _epsilon(config: Mapping[str, Any], usual: float) -> float:
    value = config.get("layer_norm_eps", usual)
    if type(value) in {int, float} and 0 < value < 1:
        return float(value)
    raise NetworkError(f"the settings beside the weights say epsilon {quoted(value)}")


def _activation(config: Mapping[str, Any]) -> Activation:
    name = config.get("hidden_act", "gelu")
    if isinstance(name, str) and name in NAMES_OF_ACTIVATIONS:
        return NAMES_OF_ACTIVATIONS[name]
    raise NetworkError(f"the activation {quoted(name)} isn't known")


def _pool(config: Mapping[str, Any], *, is_roberta: bool) -> Any:  # noqa: ANN401 -- one of two texts
    name = config.get("hf_pooler_type")
    if name is None:
        return "mean" if is_roberta else "first"
    if isinstance(name, str) and name in POOLERS:
        return POOLERS[name]
    raise NetworkError(f"the text tower's setting hf_pooler_type {quoted(name)} isn't known")
