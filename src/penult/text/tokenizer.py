"""What a tokenizer is, and what texts it takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penult.errors import UsageError
from penult.text.reading import refusals
from penult.util.text import quoted

MAX_TEXTS = 100_000  # a call
MAX_LENGTH = 10_000  # characters of a text, of which networks read the first few hundred


@dataclass(frozen=True, slots=True, eq=False)
class Tokenizer:
    """Makes ids of texts as a library does.

    Attributes:
        source: What it was made from: a file, or what is built in.
        encoder: The `tokenizers.Tokenizer`, which adds the tokens of beginning and end.
        clean: What is done to a text before.
        context: Ids of a text at most; what follows is left out, but for the end.
        pad: The id that fills up a text where a network needs all of its context.
        vocabulary: How many ids there are.
    """

    source: str
    encoder: Any
    clean: Callable[[str], str]
    context: int
    pad: int
    vocabulary: int

    def __post_init__(self) -> None:
        self.encoder.no_padding()
        with refusals(Path(self.source)):
            self.encoder.enable_truncation(self.context)

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, with those of beginning and end, not filled up.

        Raises:
            CheckpointError: What the tokenizer was made from can't do it.
        """
        cleaned = [self.clean(text) for text in texts]
        with refusals(Path(self.source)):
            return [each.ids for each in self.encoder.encode_batch_fast(cleaned)]

    def filled(self, ids: Sequence[int]) -> list[int]:
        """Fill up the ids of a text to the whole context."""
        return [*ids, *[self.pad] * (self.context - len(ids))]


def require_texts(texts: Sequence[str]) -> list[str]:
    """Return texts as a list, if they are some that can be used.

    Raises:
        UsageError: It is a single one, there are too many, or one is empty, too long, or holds what
            text doesn't; the message counts from 0 to say which.
    """
    if isinstance(texts, str | bytes) or not isinstance(texts, Sequence):
        raise UsageError("several texts are expected: put a single one in a list")
    if len(texts) > MAX_TEXTS:
        raise UsageError(f"{len(texts):,} texts are too many: {MAX_TEXTS:,} at most in a call")
    for index, text in enumerate(texts):
        if problem := _problem(text):
            raise UsageError(f"text {index} {problem}")
    return list(texts)


def _problem(text: object) -> str:
    if not isinstance(text, str):
        return f"is {quoted(text)}, no str"
    if not text.strip():
        return "is empty"
    if len(text) > MAX_LENGTH:
        return f"has {len(text):,} characters, {MAX_LENGTH:,} at most: shorten it"
    if "\0" in text:
        return "has a NUL character: remove it"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "has half a surrogate pair: decode it anew"
    return ""
