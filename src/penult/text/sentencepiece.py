"""SentencePiece's models of the unigram kind, as `spiece.model` and `sentencepiece.bpe.model` hold.

Kudo 2018, arXiv:1804.10959. The message is ModelProto of
https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto; what the library
does with it is said here in parts of `tokenizers`, as transformers' converters do.
"""

import math
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from penult.text.extra import needed
from penult.text.reading import MAX_TOKENS, damaged, read_bytes, refusals
from penult.util.protobuf import MalformedError, Message, fields_budget

if TYPE_CHECKING:
    import tokenizers

PIECES, TRAINER, NORMALIZER = 1, 2, 3  # fields of the model
UNIGRAM = 1  # TrainerSpec.ModelType
UNKNOWN = 2  # SentencePiece.Type
_TEXT, _SCORE, _TYPE = 1, 2, 3  # of a piece
_MODEL_TYPE, _BYTE_FALLBACK = 3, 35  # of the trainer's
_CHARACTERS = 2  # of the normalizer's: a compiled map
XLM_R = ("<s>", "<pad>", "</s>", "<unk>")  # before the pieces, of which three are left out


class Pieces(NamedTuple):
    """What a model holds: pieces with their scores, and the map of characters before them."""

    scores: list[tuple[str, float]]
    unknown: int
    characters: bytes


def load_siglip(path: Path) -> "tokenizers.Tokenizer":
    """Make SigLIP's tokenizer of its `spiece.model`; pieces have their own ids.

    Raises:
        CheckpointError: It can't be read, or is no such model.
    """
    pieces = read(path)
    return _assemble(path, pieces.scores, pieces.unknown, pieces.characters)


def load_xlm_roberta(path: Path) -> "tokenizers.Tokenizer":
    """Make XLM-R's tokenizer of its `sentencepiece.bpe.model`; ids are those of fairseq.

    Raises:
        CheckpointError: It can't be read, or is no such model.
    """
    pieces = read(path)
    own = [(token, 0.0) for token in XLM_R]
    scores = [*own, *pieces.scores[3:], ("<mask>", 0.0)]
    encoder = _assemble(path, scores, XLM_R.index("<unk>"), pieces.characters)
    with needed():
        from tokenizers import processors
    with refusals(path):
        encoder.add_special_tokens([*XLM_R, "<mask>"])
        begin, _, end, _ = XLM_R
        encoder.post_processor = processors.TemplateProcessing(
            single=[begin, "$A", end], special_tokens=[(begin, 0), (end, 2)]
        )
    return encoder


def read(path: Path) -> Pieces:
    """Read a model.

    Raises:
        CheckpointError: It can't be read, or is no model of the unigram kind.
    """
    data = memoryview(read_bytes(path))
    try:
        model = Message(data, fields_budget(5 * MAX_TOKENS), 5 * MAX_TOKENS)  # up to 3 a token
        trainer = model.message(TRAINER)
        if _MODEL_TYPE in trainer and trainer.number(_MODEL_TYPE) != UNIGRAM:
            raise damaged(path, "a model of another kind than unigram: tokenizer.json is needed")
        if trainer.number(_BYTE_FALLBACK):
            raise damaged(path, "a model that falls back on bytes: tokenizer.json is needed")
        messages = list(model.messages(PIECES, MAX_TOKENS))
        scores = [(piece.name(_TEXT), _score(piece)) for piece in messages]
        unknown = [i for i, piece in enumerate(messages) if piece.number(_TYPE) == UNKNOWN]
        characters = bytes(model.message(NORMALIZER).content(_CHARACTERS))
    except MalformedError as exc:
        raise damaged(path, str(exc)) from exc
    if len(unknown) != 1 or not all(math.isfinite(score) for _, score in scores):
        raise damaged(path, "no piece for what is unknown, or a score that is no number")
    return Pieces(scores, unknown[0], characters)


def _score(piece: Message) -> float:
    """The number of 32 bits that a piece has."""
    bits = piece.number(_SCORE)
    if not 0 <= bits < 2**32:
        raise MalformedError("a score that isn't a number of 32 bits")
    score: float = struct.unpack("<f", bits.to_bytes(4, "little"))[0]
    return score


def _assemble(
    path: Path, scores: list[tuple[str, float]], unknown: int, characters: bytes
) -> "tokenizers.Tokenizer":
    with needed():
        import tokenizers
        from tokenizers import models, normalizers, pre_tokenizers
    with refusals(path):
        encoder = tokenizers.Tokenizer(models.Unigram(scores, unknown, byte_fallback=False))
        if characters:
            encoder.normalizer = normalizers.Precompiled(characters)
        encoder.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
        )
        return encoder
