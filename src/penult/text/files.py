"""Choose the tokenizer of a text tower."""

from pathlib import Path

from penult.errors import UsageError
from penult.text import clip
from penult.text.tokenizer import Tokenizer
from penult.util.text import quoted

CLIP_VOCABULARY = 49_408


def load_tokenizer(folder: Path, library: str, context: int, vocabulary: int) -> Tokenizer:
    """Make the tokenizer that a text tower was trained with.

    Args:
        folder: Where the weights are.
        library: Whose rules count: `open_clip` or `transformers`.
        context: Ids of a text at most.
        vocabulary: How many ids the tower has.

    Raises:
        UsageError: There is no tokenizer, or one of another vocabulary.
        MissingExtraError: What tokenizers need isn't installed.
    """
    if vocabulary != CLIP_VOCABULARY:
        raise UsageError(f"{quoted(folder)} holds no tokenizer of {vocabulary:,} ids")
    return clip.transformers(context) if library == "transformers" else clip.open_clip(context)
