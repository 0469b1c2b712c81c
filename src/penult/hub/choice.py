"""Which files of a repository are wanted, above all: which of its weights.

Repositories hold the same weights for several libraries, and in several formats. The order in
which they are looked for is that of the libraries themselves (transformers 5.24, timm 1.0.31,
open_clip 3.3.0), but a pickle is taken only where no library has safetensors there.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from penult.hub.documents import Document, damaged, object_at, read_document, text_at
from penult.util.text import quoted

Library: TypeAlias = Literal["transformers", "timm", "open_clip"]

CONFIG = "config.json"
OPEN_CLIP = "open_clip_config.json"
PREPROCESSOR = "preprocessor_config.json"
PROCESSOR = "processor_config.json"
SETTINGS = (CONFIG, OPEN_CLIP, PREPROCESSOR, PROCESSOR)
TOKENIZER = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "spiece.model",
    "sentencepiece.bpe.model",
)
INDEX = ".index.json"

_TRANSFORMERS = (
    "model.safetensors",
    f"model.safetensors{INDEX}",
    "pytorch_model.bin",
    f"pytorch_model.bin{INDEX}",
)
_OPEN_CLIP = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
)
_WEIGHTS: Mapping[Library | None, tuple[str, ...]] = MappingProxyType(
    {
        "transformers": _TRANSFORMERS,
        "timm": ("model.safetensors", "pytorch_model.bin"),
        "open_clip": (*_OPEN_CLIP, "model.safetensors", "pytorch_model.bin"),
        None: (*_TRANSFORMERS, *_OPEN_CLIP),  # tensors tell, or else it is asked
    }
)
WEIGHTS = tuple(dict.fromkeys(name for names in _WEIGHTS.values() for name in names))
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")  # no folder, no link out of the folder


class Choice(NamedTuple):
    """The weights to take: a file or the index of shards, and the library that it is for."""

    weights: str
    library: Library | None


def choose(
    config: Document, open_clip: Document | None, has: Callable[[str], bool], *, text: bool
) -> Choice | None:
    """Choose among the weights of a repository.

    Args:
        config: Its `config.json`, or nothing.
        open_clip: Its `open_clip_config.json`.
        has: Whether it has a file; asked in the order in which they are wanted.
        text: Whether its text tower is wanted, which timm's file of a CLIP lacks.

    Returns:
        None if it has none that can be read.
    """
    order = _libraries(config, open_clip, text=text)
    for safe in (True, False):
        for library in order:
            for name in _WEIGHTS[library]:
                if (".safetensors" in name) is safe and has(name):
                    return Choice(name, library)
    return None


def _libraries(config: Document, open_clip: Document | None, *, text: bool) -> list[Library | None]:
    order: list[Library | None] = []
    if config.get("model_type"):
        order.append("transformers")
    elif config.get("architecture") and not (text and open_clip):
        order.append("timm")
    if open_clip is not None:
        order.append("open_clip")
    return order or [None]


def shards(index: Path) -> list[str]:
    """Names of the files that the tensors of an index are in, in its folder.

    Args:
        index: A file `….index.json` with `{"weight_map": {tensor: file, …}}`.

    Raises:
        CheckpointError: It is no such file, or names files elsewhere or of another kind.
    """
    weight_map = object_at(read_document(index), index, "weight_map")
    if not weight_map:
        raise damaged(index, "weight_map is missing or empty")
    suffix = Path(index.name.removesuffix(INDEX)).suffix
    names = sorted({str(text_at(weight_map, index, tensor)) for tensor in weight_map})
    for name in names:
        if not (_PLAIN.fullmatch(name) and name.endswith(suffix)):
            raise damaged(index, f"weight_map names {quoted(name)}, expected NAME{suffix}")
    return names


def like_weights(names: Iterable[str]) -> list[str]:
    """Those of the names that may be weights of some program, for a message."""
    kinds = (".safetensors", ".bin", ".pth", ".pt", ".h5", ".msgpack", ".onnx", ".gguf", ".ckpt")
    return sorted(name for name in names if name.endswith((*kinds, INDEX)))
