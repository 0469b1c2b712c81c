"""`tokenizer.json`, the file of the `tokenizers` library: admitted where all of it is known.

The library runs what the file says: regular expressions, replacements, templates. So each part has
to be of a kind, and each regular expression one, that published tokenizers of text towers have.
"""

from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penult.text.extra import needed
from penult.text.reading import (
    MAX_TOKENS,
    damaged,
    read_bytes,
    read_object,
    read_vocabulary,
    refusals,
)
from penult.util.text import quoted

if TYPE_CHECKING:
    import tokenizers

MODELS = {"BPE", "Unigram", "WordPiece"}
PARTS: Mapping[str, set[str]] = {
    "normalizer": {
        "Sequence", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "Replace", "Precompiled",
        "Prepend", "Strip", "StripAccents", "BertNormalizer",
    },
    "pre_tokenizer": {
        "Sequence", "Split", "ByteLevel", "Metaspace", "Whitespace", "WhitespaceSplit",
        "BertPreTokenizer", "Punctuation", "Digits",
    },
    "post_processor": {
        "Sequence", "TemplateProcessing", "RobertaProcessing", "BertProcessing", "ByteLevel",
    },
    "decoder": {
        "Sequence", "ByteLevel", "Metaspace", "WordPiece", "BPEDecoder", "Replace", "ByteFallback",
        "Fuse", "Strip",
    },
}  # fmt: skip
INSIDE = ("normalizers", "pretokenizers", "processors", "decoders")  # of a sequence
_CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
PATTERNS = {
    r"\s+",
    " {2,}",
    _CLIP,
    rf"<\|startoftext\|>|<\|endoftext\|>|{_CLIP}",
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
}
MAX_PARTS = 50
MAX_TEXT = 200  # characters of what is replaced, or added


def load(path: Path) -> "tokenizers.Tokenizer":
    """Make the tokenizer that a file describes.

    Raises:
        CheckpointError: It can't be read, is no such file, or holds a part that isn't known.
    """
    document = read_object(path)
    check(path, document)
    with needed():
        import tokenizers
    with refusals(path):
        return tokenizers.Tokenizer.from_str(read_bytes(path).decode())


def check(path: Path, document: Mapping[str, Any]) -> None:
    """Refuse a document of which a part isn't known."""
    for section, kinds in PARTS.items():
        parts = list(_parts(document.get(section), path))
        for part in parts:
            _check_part(path, section, part, kinds)
    _check_model(path, document.get("model"))
    added = document.get("added_tokens") or []
    if not isinstance(added, list) or len(added) > MAX_TOKENS:
        raise damaged(path, "added_tokens is no list of them")
    for token in added:
        content = token.get("content") if isinstance(token, dict) else None
        if not isinstance(content, str) or len(content) > MAX_TEXT:
            raise damaged(path, f"an added token is {quoted(content)}")


def _parts(value: object, path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield a part and those inside it, none if it is null."""
    waiting, seen = [value] if value is not None else [], 0
    while waiting:
        part = waiting.pop()
        seen += 1
        if not isinstance(part, dict) or seen > MAX_PARTS:
            raise damaged(path, f"a part of it is no object, or there are more than {MAX_PARTS}")
        yield part
        for key in INSIDE:
            inner = part.get(key)
            if isinstance(inner, list):
                waiting.extend(inner)


def _check_part(path: Path, section: str, part: Mapping[str, Any], kinds: set[str]) -> None:
    kind = part.get("type")
    if not isinstance(kind, str) or kind not in kinds:
        raise damaged(path, f"its {section} has a part {quoted(kind)}, which isn't known")
    pattern = part.get("pattern")
    if isinstance(pattern, dict):
        expression = pattern.get("Regex", "")
        if not isinstance(expression, str) or (expression and expression not in PATTERNS):
            raise damaged(path, f"its {section} has the pattern {quoted(expression)}, not known")
    for key in ("content", "prepend", "replacement"):
        text = part.get(key, "")
        if isinstance(text, str) and len(text) > MAX_TEXT:
            raise damaged(path, f"its {section} puts {len(text)} characters in")
    if kind == "Precompiled" and not _is_character_map(part.get("precompiled_charsmap")):
        raise damaged(path, f"its {section} has a map of characters that is none")
    if kind == "TemplateProcessing" and not _is_template(part):
        raise damaged(path, f"its {section} puts tokens in that it doesn't say")


def _is_character_map(value: object) -> bool:
    """Whether it is one as SentencePiece compiles it: a tree's size, the tree, then UTF-8."""
    if not isinstance(value, str):
        return False
    try:
        data = b64decode(value, validate=True)
        end = 4 + int.from_bytes(data[:4], "little")
        data[end:].decode()
    except ValueError:
        return False
    return 4 < end <= len(data) and end % 4 == 0


def _is_template(part: Mapping[str, Any]) -> bool:
    """Whether all tokens that are put around a text are said, by their names."""
    said, single = part.get("special_tokens"), part.get("single")
    if not isinstance(said, dict) or not isinstance(single, list):
        return False
    wanted = [piece.get("SpecialToken") for piece in single if isinstance(piece, dict)]
    names = [token.get("id") for token in wanted if isinstance(token, dict)]
    return all(isinstance(name, str) and name in said for name in names)


def _check_model(path: Path, model: object) -> None:
    if not isinstance(model, dict):
        raise damaged(path, "it has no model")
    vocabulary = model.get("vocab")
    kind = model.get("type") or ("Unigram" if isinstance(vocabulary, list) else "BPE")
    if not isinstance(kind, str) or kind not in MODELS:
        raise damaged(path, f"its model is {quoted(kind)}, which isn't known")
    if model.get("dropout"):
        raise damaged(path, "its model drops merges at random")
    if kind != "Unigram":
        read_vocabulary(path, vocabulary)
    elif not isinstance(vocabulary, Sequence) or not 0 < len(vocabulary) <= MAX_TOKENS:
        raise damaged(path, f"no vocabulary of 1 to {MAX_TOKENS} tokens")
