"""Choose the tokenizer of a text tower: from the files beside its weights, or CLIP's own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from penult.errors import CheckpointError, UsageError
from penult.text import cleaning, clip, sentencepiece, tokenizer_json
from penult.text.extra import needed
from penult.text.reading import damaged, read_object, read_text, read_vocabulary, refusals
from penult.text.tokenizer import Tokenizer
from penult.util.text import quoted

if TYPE_CHECKING:
    import tokenizers

Words = Literal["clip", "siglip", "clipa", "bert", "roberta"]

CLIP = 49_408  # ids of CLIP's own
UNCASED = 30_522  # of BERT's, which CLIPA's towers have more than
GEMMA = 256_000  # of SigLIP 2's
SETTINGS = "tokenizer_config.json"
END = 1  # SigLIP's, of each of its vocabularies
PUBLISHED: Mapping[tuple[Words, int], tuple[str, str]] = {  # where files can be had
    ("siglip", 32_000): ("spiece.model", "google/siglip-base-patch16-224"),
    ("siglip", 256_000): ("tokenizer.json", "google/siglip2-base-patch16-224"),
    ("siglip", 250_000): ("tokenizer.json", "timm/ViT-B-16-SigLIP-i18n-256"),
    ("clipa", 32_000): ("tokenizer.json", "google-bert/bert-base-uncased"),
    ("bert", 21_128): ("vocab.txt", "OFA-Sys/chinese-clip-vit-base-patch16"),
    ("roberta", 250_002): ("tokenizer.json", "FacebookAI/xlm-roberta-base"),
}


def load_tokenizer(
    folder: Path, library: str, words: Words, context: int, vocabulary: int
) -> Tokenizer:
    """Make the tokenizer that a text tower was trained with.

    Args:
        folder: Where the weights are.
        library: Whose rules count: `open_clip` or `transformers`.
        words: Which tokenizer the tower takes.
        context: Ids of a text at most.
        vocabulary: How many ids the tower has.

    Raises:
        UsageError: There is no tokenizer; the message says which file, and where to get it.
        CheckpointError: A file is damaged, holds what isn't known, or has another vocabulary.
        MissingExtraError: What tokenizers need isn't installed.
    """
    if is_built_in(library, words, vocabulary):
        return clip.open_clip(context)
    path = find(folder, words, vocabulary)
    if path is None:
        if words == "clip" and vocabulary == CLIP:
            return clip.transformers(context)
        raise _missing(folder, words, vocabulary)
    encoder = _LOADERS[path.name](path)
    with refusals(path):
        if words == "siglip":
            _put_around(encoder, path, "", END, {"</s>", "<eos>"})
        if words == "clipa":  # whose texts end with what fills them up
            _put_around(encoder, path, "[CLS]", 0, {"[PAD]"})
        found = encoder.get_vocab_size(with_added_tokens=True)
    if found != (UNCASED if words == "clipa" else vocabulary):
        raise CheckpointError(
            f"{quoted(path)}: a vocabulary of {found:,} ids, the text tower's has {vocabulary:,}"
        )
    pad = _pad(folder, encoder, words, vocabulary)
    return Tokenizer(
        str(path), encoder, _cleaning(library, words, vocabulary), context, pad, vocabulary
    )


def is_built_in(library: str, words: Words, vocabulary: int) -> bool:
    """Whether a text tower needs no file: open_clip never takes one for CLIP's own ids."""
    return words == "clip" and vocabulary == CLIP and library == "open_clip"


def find(folder: Path, words: Words, vocabulary: int) -> Path | None:
    """Find the file of a tokenizer, the one that the library would take first."""
    names = _candidates(words, vocabulary)
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _candidates(words: Words, vocabulary: int) -> tuple[str, ...]:
    """Names of the files, in the order in which they are looked for."""
    match words:
        case "siglip" if vocabulary == GEMMA:
            return ("tokenizer.json",)
        case "siglip":
            return ("spiece.model", "tokenizer.json")
        case "roberta":
            return ("tokenizer.json", "sentencepiece.bpe.model")
        case "clip":
            return ("tokenizer.json", "vocab.json")
    return ("tokenizer.json", "vocab.txt")


def _cleaning(library: str, words: Words, vocabulary: int) -> Callable[[str], str]:
    if library == "open_clip":
        return cleaning.canonical if words == "siglip" else cleaning.spaced
    if words != "siglip":
        return cleaning.as_it_is
    return cleaning.lower_each if vocabulary == GEMMA else cleaning.unpunctuated


def _pad(folder: Path, encoder: "tokenizers.Tokenizer", words: Words, vocabulary: int) -> int:
    """The id that fills up texts, as the settings beside the tokenizer say it."""
    path = folder / SETTINGS
    if words == "siglip" and path.is_file():
        token: Any = read_object(path).get("pad_token")
        token = token.get("content") if isinstance(token, dict) else token
        pad: int | None = encoder.token_to_id(token) if isinstance(token, str) else None
        if token is not None and pad is None:
            raise damaged(path, f"its pad_token {quoted(token)} has no id")
        if pad is not None:
            return pad
    is_end = words == "siglip" and vocabulary != GEMMA
    return END if is_end or words == "roberta" else 0


def _put_around(
    encoder: "tokenizers.Tokenizer", path: Path, begin: str, end: int, known: set[str]
) -> None:
    """Let texts begin with a token, or none, and end with an id, which is one of those known."""
    from tokenizers import processors

    last = encoder.id_to_token(end)
    first = encoder.token_to_id(begin) if begin else None
    if last not in known or (begin and first is None):
        raise damaged(path, f"id {end} is {quoted(last)}, not the end of a text")
    special = [(last, end)] if first is None else [(begin, first), (last, end)]
    encoder.post_processor = processors.TemplateProcessing(
        single=[*([begin] if begin else []), "$A", last], special_tokens=special
    )


def _load_byte_pairs(path: Path) -> "tokenizers.Tokenizer":
    """Make CLIP's tokenizer of `vocab.json` and the `merges.txt` beside it."""
    vocabulary = read_vocabulary(path, read_object(path))
    beside = path.with_name("merges.txt")
    lines = read_text(beside).removeprefix("#version: 0.2\n").split("\n")
    merges = [(a, b) for a, _, b in (line.partition(" ") for line in lines) if b]
    for token in (clip.BEGIN, clip.END):
        if token not in vocabulary:
            raise damaged(path, f"no token {token}")
    with refusals(beside):
        return clip.of_transformers(vocabulary, merges)


def _load_word_pieces(path: Path) -> "tokenizers.Tokenizer":
    """Make BERT's tokenizer of `vocab.txt`, a token a line (arXiv:1810.04805)."""
    tokens = read_text(path).split("\n")
    vocabulary = {token.rstrip("\r"): index for index, token in enumerate(tokens) if token}
    read_vocabulary(path, vocabulary)
    special = ("[CLS]", "[SEP]", "[UNK]")
    for token in special:
        if token not in vocabulary:
            raise damaged(path, f"no token {token}")
    beside = path.with_name(SETTINGS)
    settings = read_object(beside) if beside.is_file() else {}
    with needed():
        import tokenizers
        from tokenizers import models, normalizers, pre_tokenizers, processors
    with refusals(path):
        encoder = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
        encoder.normalizer = normalizers.BertNormalizer(
            lowercase=settings.get("do_lower_case") is not False
        )
        encoder.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        named = (*special, "[PAD]", "[MASK]")
        encoder.add_special_tokens([token for token in named if token in vocabulary])
        begin, end, _ = special
        encoder.post_processor = processors.TemplateProcessing(
            single=[begin, "$A", end],
            special_tokens=[(begin, vocabulary[begin]), (end, vocabulary[end])],
        )
        return encoder


def _missing(folder: Path, words: Words, vocabulary: int) -> UsageError:
    names = _candidates(words, vocabulary)
    name, where = PUBLISHED.get((words, vocabulary), (names[0], "the repository of the weights"))
    return UsageError(
        f"{quoted(folder)} has no tokenizer ({' or '.join(names)}), which text needs: "
        f"put {name} of {where} beside the weights"
    )


_LOADERS: Mapping[str, Callable[[Path], "tokenizers.Tokenizer"]] = {
    "tokenizer.json": tokenizer_json.load,
    "vocab.json": _load_byte_pairs,
    "vocab.txt": _load_word_pieces,
    "spiece.model": sentencepiece.load_siglip,
    "sentencepiece.bpe.model": sentencepiece.load_xlm_roberta,
}
