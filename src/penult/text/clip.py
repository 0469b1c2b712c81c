"""CLIP's byte-pair encoding, whose merges come with Penult.

Radford et al. 2021, arXiv:2103.00020, section 2.4; Sennrich et al. 2016, arXiv:1508.07909. OpenAI's
code and open_clip's are the same, transformers cleans less and has other names for begin and end.
"""

import gzip
from importlib.resources import files
from typing import TYPE_CHECKING

from penult.text import cleaning
from penult.text.extra import needed
from penult.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    import tokenizers

WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
BEGIN, END = "<|startoftext|>", "<|endoftext|>"  # as transformers calls them
_OPEN_CLIP = "<start_of_text>", "<end_of_text>"
_WORD_END = "</w>"


def open_clip(context: int) -> Tokenizer:
    """Make the tokenizer of open_clip, and of OpenAI's code, for texts of so many ids."""
    vocabulary, merges = _built_in(*_OPEN_CLIP)
    pattern = f"{'|'.join(_OPEN_CLIP)}|(?i:{WORDS})"
    encoder = byte_pairs(vocabulary, merges, pattern, *_OPEN_CLIP)
    return Tokenizer("CLIP's", encoder, cleaning.lowered, context, 0, len(vocabulary))


def transformers(context: int) -> Tokenizer:
    """Make transformers' `CLIPTokenizer` for texts of so many ids."""
    vocabulary, merges = _built_in(BEGIN, END)
    encoder = of_transformers(vocabulary, merges)
    return Tokenizer(
        "CLIP's", encoder, cleaning.as_it_is, context, vocabulary[END], len(vocabulary)
    )


def of_transformers(
    vocabulary: dict[str, int], merges: list[tuple[str, str]]
) -> "tokenizers.Tokenizer":
    """Make what `CLIPTokenizer` makes of a `vocab.json` and a `merges.txt`."""
    with needed():
        from tokenizers import Regex, normalizers
    pattern = rf"<\|startoftext\|>|<\|endoftext\|>|{WORDS}"
    encoder = byte_pairs(vocabulary, merges, pattern, BEGIN, END)
    encoder.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    return encoder


def byte_pairs(
    vocabulary: dict[str, int],
    merges: list[tuple[str, str]],
    pattern: str,
    begin: str,
    end: str,
) -> "tokenizers.Tokenizer":
    """Put CLIP's parts together: words by a pattern, their bytes, pairs of these merged."""
    with needed():
        import tokenizers
        from tokenizers import models, pre_tokenizers, processors
    encoder = tokenizers.Tokenizer(
        models.BPE(
            vocab=vocabulary,
            merges=merges,
            continuing_subword_prefix="",
            end_of_word_suffix=_WORD_END,
            unk_token=end,
        )
    )
    split = pre_tokenizers.Split(tokenizers.Regex(pattern), behavior="removed", invert=True)
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False)
    encoder.pre_tokenizer = pre_tokenizers.Sequence([split, to_bytes])
    encoder.add_special_tokens([begin, end])
    encoder.post_processor = processors.RobertaProcessing(
        (end, vocabulary[end]), (begin, vocabulary[begin]), False, False
    )
    return encoder


def _built_in(begin: str, end: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    packed = (files("penult.text") / "data" / "clip_merges.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()[1:]
    merges = [(left, right) for left, _, right in (line.partition(" ") for line in lines)]
    symbols = _symbols_of_bytes()
    merged = (left + right for left, right in merges)
    words = [*symbols, *(symbol + _WORD_END for symbol in symbols), *merged, begin, end]
    return {word: index for index, word in enumerate(words)}, merges


def _symbols_of_bytes() -> list[str]:
    """A printable character for each byte: itself, or the next one from U+0100 on (GPT-2's)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = 256 - len(printable)
    return [*map(chr, printable), *map(chr, range(256, 256 + others))]
