"""What the libraries call the parts of a CLIP's text tower, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from penult.nets.transformer import BlockNames
from penult.nets.vision_transformer_names import CLIP_OF_OPEN_CLIP, CLIP_OF_TRANSFORMERS

Dialect = Literal["open_clip", "clip"]


@dataclass(frozen=True, slots=True)
class Names:
    """What a library calls the tensors; `{}` stands for what is before the tower's others."""

    tokens: str
    positions: str
    block: BlockNames
    norm: str
    projection: str  # a matrix, or a layer without bias
    head: str  # a layer with bias


NAMES: Mapping[Dialect, Names] = {
    "open_clip": Names(
        tokens="token_embedding.weight",
        positions="positional_embedding",
        block=CLIP_OF_OPEN_CLIP,
        norm="ln_final",
        projection="{}text_projection",
        head="{}text_projection",
    ),
    "clip": Names(
        tokens="embeddings.token_embedding.weight",
        positions="embeddings.position_embedding.weight",
        block=CLIP_OF_TRANSFORMERS,
        norm="final_layer_norm",
        projection="text_projection",
        head="{}head",
    ),
}
