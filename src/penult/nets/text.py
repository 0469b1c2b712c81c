"""Text towers: networks that turn the ids of a text's tokens into features.

They lie in the files of CLIPs, beside the image towers that they were trained with, and are read
off them alike; see `penult.nets.design`. A family's module has a dataclass, a `TextDesign`, and

    read(shapes, card) -> TextDesign | None
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Literal, NamedTuple, Protocol, TypeAlias

from penult.errors import UsageError
from penult.graph import Value, Variable, placeholder
from penult.graph.values import Array
from penult.nets.design import Card, Shapes
from penult.util.text import quoted

Words: TypeAlias = Literal["clip", "siglip", "clipa", "bert", "roberta"]  # tokenizers
ANCHORS: tuple[tuple[str, str], ...] = (
    # a tensor that all files of some tower have, and the module that reads them
    ("text.transformer.resblocks.0.ln_1.weight", "text_transformer_files"),
    ("text_model.encoder.layers.0.layer_norm1.weight", "text_transformer_files"),
    ("transformer.resblocks.0.ln_1.weight", "text_transformer_files"),
    ("text.transformer.embeddings.word_embeddings.weight", "bert"),
    ("text_model.embeddings.word_embeddings.weight", "bert"),
)
_IMAGES = "visual."  # before the names of an image tower that are otherwise the same


class TextDesign(Protocol):
    """All that decides a text tower's graph.

    Whoever runs it looks up the tokens of ids in a table of the file, which is mostly the largest
    of its tensors, and of which a text takes a few rows.

    Attributes:
        library: Whose names its tensors have.
        name: What to call it.
        context: Ids of a text at most.
        vocabulary: How many ids there are.
        features: Width of the features.
        words: Which tokenizer makes its ids.
        is_free: Whether texts may be of any length; otherwise they are filled up to `context`.
    """

    @property
    def library(self) -> str: ...  # noqa: D102 -- as above
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def context(self) -> int: ...  # noqa: D102
    @property
    def vocabulary(self) -> int: ...  # noqa: D102
    @property
    def features(self) -> int: ...  # noqa: D102
    @property
    def words(self) -> Words: ...  # noqa: D102
    @property
    def is_free(self) -> bool: ...  # noqa: D102

    @property
    def table(self) -> Variable:
        """The tokens by their ids, (vocabulary, channels)."""
        ...

    def graph(self) -> Value:
        """Build the graph: features (features,) of `tokens` and what `inputs` makes."""
        ...

    def cut(self, ids: Sequence[int]) -> Sequence[int]:
        """Leave out what has no influence on the features, such as what follows the end."""
        ...

    def inputs(self, ids: Array) -> Mapping[str, Array]:
        """Make the graph's inputs beside `tokens` of texts of one length, int64 (n, length)."""
        ...


def tokens(context: int, width: int) -> Value:
    """Return the input `tokens`: float32 (n, context, width)."""
    return placeholder("tokens", (context, width), layout="NLC")


class Tower(NamedTuple):
    """A text tower in a file: what stands before its tensors' names, and its design."""

    prefix: str
    design: TextDesign


def read_text(shapes: Shapes, card: Card) -> Tower | None:
    """Find the text tower that a file's tensors are of; None if there is none that is known.

    Raises:
        UsageError: The tensors can't tell which one of several, nor does the card; or there are
            several copies.
        NetworkError: The card contradicts the tensors.
    """
    for anchor, family in ANCHORS:
        module = import_module(f"penult.nets.{family}")
        found = {}
        for prefix in [name.removesuffix(anchor) for name in shapes if name.endswith(anchor)]:
            if (not prefix or prefix[-1] in "./") and not prefix.endswith(_IMAGES):
                below = {
                    n.removeprefix(prefix): s for n, s in shapes.items() if n.startswith(prefix)
                }
                if design := module.read(below, card):
                    found[prefix] = design
        if len(found) > 1 and "" not in found:
            names = " and ".join(map(quoted, sorted(found)[:3]))
            raise UsageError(
                f"there are {len(found)} text towers, below {names}: say which (--prefix)"
            )
        for prefix in sorted(found):
            return Tower(prefix, found[prefix])
    return None
