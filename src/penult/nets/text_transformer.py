"""The text towers of CLIP, SigLIP and CoCa.

Radford et al. 2021, arXiv:2103.00020, section 2.4; Zhai et al. 2023, arXiv:2303.15343; Yu et al.
2022, arXiv:2205.01917. Where the three libraries differ, their code decides: open_clip 3.3.0,
transformers 5.24.0, OpenAI's CLIP.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from penult.graph import (
    Constant,
    Value,
    Variable,
    add_rows,
    append,
    dense,
    last_token,
    normalize,
    placeholder,
    plain,
    token_at,
)
from penult.graph.values import Array
from penult.nets import pytorch
from penult.nets.text import Words, tokens
from penult.nets.text_transformer_names import NAMES, Dialect
from penult.nets.transformer import ACTIVATIONS, Activation, Encoder

CLIP_END = 49_407  # the id that ends CLIP's texts
LARGEST = -1  # instead of an id: the largest of a text


@dataclass(frozen=True, slots=True)
class TextTransformer:
    """All that decides the network; see `penult.nets.text`.

    Attributes:
        library: Whose names tensors have.
        name: What to call it.
        dialect: How its tensors are spelled.
        base: What stands before them.
        vocabulary: How many ids there are.
        context: Ids of a text at most.
        width: Channels of a token.
        depth: Blocks.
        heads: Of each attention.
        hidden: Channels inside the MLPs.
        activation: Of the MLPs.
        epsilon: Of the layer norms.
        is_causal: Whether a token sees itself and those before it only.
        pool: Which token becomes the features: that at the end of the text (`end`), the `last` of
            the context, or CoCa's `class` token, which is put after the text.
        end: The id whose first place is the end, or `LARGEST`.
        features: Width of the features.
        projection: How tokens become these: a `matrix` (inputs, outputs), a `linear` layer with or
            without a bias, or not at all.
        has_bias: Whether that layer has one.
    """

    library: str
    name: str
    dialect: Dialect
    base: str
    vocabulary: int
    context: int
    width: int
    depth: int
    heads: int
    hidden: int
    activation: Activation
    epsilon: float
    is_causal: bool
    pool: Literal["end", "last", "class"]
    end: int
    features: int
    projection: Literal["matrix", "linear", ""]
    has_bias: bool

    @property
    def words(self) -> Words:
        """Which tokenizer makes its ids."""
        if self.has_bias:
            return "siglip"
        if self.pool == "last":
            return "clipa"
        return "clip" if self.end in {LARGEST, CLIP_END} else "roberta"

    @property
    def is_free(self) -> bool:
        """Whether what follows the end of a text has no influence."""
        return self.is_causal and self.pool == "end"

    @property
    def table(self) -> Variable:
        """The tokens by their ids, (vocabulary, channels)."""
        return Variable(self._full(NAMES[self.dialect].tokens), (self.vocabulary, self.width))

    def graph(self) -> Value:
        """Build the graph: features (features,) of `tokens` and what `inputs` makes."""
        names = NAMES[self.dialect]
        x, keys = tokens(self.context, self.width), None
        if self.pool == "class":
            token = Variable(self._full("cls_emb"), (self.width,))
            x = append(x, replace(plain(token), shape=(1, self.width)))
            keys = placeholder("keys", (self.context + 1,), dtype="int32")
        places = Variable(self._full(names.positions), (x.shape[0], self.width))
        x = add_rows(x, plain(places))
        encoder = self._encoder()
        for index in range(self.depth):
            x = encoder.block(x, index, {}, keys=keys)
        if self.pool == "end" and not self.is_free:
            x = token_at(x, placeholder("place", (1,), dtype="int64"))
        else:
            x = last_token(x)
        x = pytorch.layer_norm(x, self._full(names.norm), epsilon=self.epsilon)
        return self._project(x)

    def cut(self, ids: Sequence[int]) -> Sequence[int]:
        """Leave out what follows the end, where it has no influence."""
        if not self.is_free:
            return ids
        end = max(ids) if self.end == LARGEST else self.end
        return ids[: ids.index(end) + 1] if end in ids else ids[:1]

    def inputs(self, ids: Array) -> Mapping[str, Array]:
        """Make the graph's inputs beside `tokens` of texts of one length, int64 (n, length)."""
        if self.pool == "class":  # one place too late: as the published ones were trained
            keys = np.pad(ids != 0, ((0, 0), (1, 0)), constant_values=True)
            return {"keys": keys.astype(np.int32)}
        if self.pool == "end" and not self.is_free:
            is_end = ids == (ids.max(axis=1, keepdims=True) if self.end == LARGEST else self.end)
            return {"place": is_end.argmax(axis=1)[:, None]}
        return {}

    def _encoder(self) -> Encoder:
        return Encoder(
            names=NAMES[self.dialect].block,
            base=self.base,
            width=self.width,
            heads=self.heads,
            hidden=self.hidden,
            mlp="plain",
            activation=ACTIVATIONS[self.activation],
            epsilon=self.epsilon,
            biases="qkv",
            has_layer_scale=False,
            is_causal=self.is_causal,
        )

    def _project(self, x: Value) -> Value:
        name = NAMES[self.dialect].projection.format(self.base)
        match self.projection:
            case "matrix":
                kernel = Variable(name, (self.width, self.features))
                turned = Constant((self.features, self.width), (kernel,), lambda array: array.T)
                x = dense(x, turned)
            case "linear":
                head = NAMES[self.dialect].head.format(self.base) if self.has_bias else name
                x = pytorch.linear(x, head, self.features, bias=self.has_bias)
        return normalize(x) if self.pool == "class" else x  # as CoCa's encode_text by default

    def _full(self, name: str) -> str:
        return f"{self.base}{name}"
