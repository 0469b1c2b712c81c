"""What the libraries call the parts of a Vision Transformer, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from penult.nets.transformer import BlockNames

Dialect = Literal[
    "timm",
    "timm_rotary",
    "facebook",
    "facebook_rotary",
    "torchvision",
    "vit",
    "dinov2",
    "dinov3",
    "clip",
    "open_clip",
]


@dataclass(frozen=True, slots=True)
class Names:
    """What a library calls the tensors."""

    patches: str
    class_token: str
    positions: str
    block: BlockNames
    norm: str
    distilled: str = ""  # DeiT's second class token
    heads: tuple[str, ...] = ()  # the classifiers of two class tokens
    registers: str = ""
    norm_pre: str = ""
    head: str = ""
    ones: tuple[int, ...] = ()  # what stands before the sizes of tokens; the table has one less


CLIP_OF_TRANSFORMERS = BlockNames(  # of towers for images and for texts
    name="encoder.layers.{}",
    norm1="layer_norm1",
    attention="self_attn",
    qkv=("self_attn.q_proj.{}", "self_attn.k_proj.{}", "self_attn.v_proj.{}"),
    out="self_attn.out_proj",
    norm2="layer_norm2",
    mlp="mlp",
    fc1="mlp.fc1",
    fc2="mlp.fc2",
)
CLIP_OF_OPEN_CLIP = BlockNames(  # likewise
    name="transformer.resblocks.{}",
    norm1="ln_1",
    attention="attn",
    qkv=("attn.in_proj_{}",),
    out="attn.out_proj",
    norm2="ln_2",
    mlp="mlp",
    fc1="mlp.c_fc",
    fc2="mlp.c_proj",
)
_HF = "attention.attention."
_TIMM = Names(
    patches="patch_embed.proj",
    class_token="cls_token",
    distilled="dist_token",
    heads=("head", "head_dist"),
    registers="reg_token",
    positions="pos_embed",
    norm_pre="norm_pre",
    block=BlockNames(
        name="blocks.{}",
        norm1="norm1",
        attention="attn",
        qkv=("attn.qkv.{}",),
        bias="attn.{}_bias",
        out="attn.proj",
        scales=("ls1.gamma", "ls2.gamma"),
        norm2="norm2",
        mlp="mlp",
        fc1="mlp.fc1",
        packed="mlp.fc1",
        split=("mlp.fc1_g", "mlp.fc1_x"),
        fc2="mlp.fc2",
    ),
    norm="norm",
    head="head",
    ones=(1, 1),
)
_FACEBOOK = replace(  # the .pth files of DINOv2's and DINOv3's own repositories
    _TIMM,
    registers="register_tokens",
    block=replace(
        _TIMM.block,
        bias="",
        packed="mlp.w12",
        packed_fc2="mlp.w3",
        split=("mlp.w1", "mlp.w2"),
        split_fc2="mlp.w3",
    ),
    head="",
    heads=(),
    distilled="",
)
NAMES: Mapping[Dialect, Names] = {
    "timm": _TIMM,
    "timm_rotary": replace(_TIMM, block=replace(_TIMM.block, scales=("gamma_1", "gamma_2"))),
    "facebook": _FACEBOOK,
    "facebook_rotary": replace(_FACEBOOK, registers="storage_tokens", positions=""),
    "torchvision": Names(
        patches="conv_proj",
        class_token="class_token",
        positions="encoder.pos_embedding",
        block=BlockNames(
            name="encoder.layers.encoder_layer_{}",
            norm1="ln_1",
            attention="self_attention",
            qkv=("self_attention.in_proj_{}",),
            out="self_attention.out_proj",
            norm2="ln_2",
            mlp="mlp",
            fc1="mlp.0",
            fc2="mlp.3",
        ),
        norm="encoder.ln",
        head="heads.head",
        ones=(1, 1),
    ),
    "vit": Names(
        patches="embeddings.patch_embeddings.projection",
        class_token="embeddings.cls_token",
        distilled="embeddings.distillation_token",
        heads=("cls_classifier", "distillation_classifier"),
        positions="embeddings.position_embeddings",
        block=BlockNames(
            name="encoder.layer.{}",
            norm1="layernorm_before",
            attention="attention",
            qkv=(f"{_HF}query.{{}}", f"{_HF}key.{{}}", f"{_HF}value.{{}}"),
            out="attention.output.dense",
            norm2="layernorm_after",
            fc1="intermediate.dense",
            fc2="output.dense",
        ),
        norm="layernorm",
        head="classifier",
        ones=(1, 1),
    ),
    "dinov2": Names(
        patches="embeddings.patch_embeddings.projection",
        class_token="embeddings.cls_token",
        registers="embeddings.register_tokens",
        positions="embeddings.position_embeddings",
        block=BlockNames(
            name="encoder.layer.{}",
            norm1="norm1",
            attention="attention",
            qkv=(f"{_HF}query.{{}}", f"{_HF}key.{{}}", f"{_HF}value.{{}}"),
            out="attention.output.dense",
            scales=("layer_scale1.lambda1", "layer_scale2.lambda1"),
            norm2="norm2",
            mlp="mlp",
            fc1="mlp.fc1",
            fc2="mlp.fc2",
            packed="mlp.weights_in",
            packed_fc2="mlp.weights_out",
        ),
        norm="layernorm",
        ones=(1, 1),
    ),
    "dinov3": Names(
        patches="embeddings.patch_embeddings",
        class_token="embeddings.cls_token",
        registers="embeddings.register_tokens",
        positions="",
        block=BlockNames(
            name="layer.{}",
            norm1="norm1",
            attention="attention",
            qkv=("attention.q_proj.{}", "attention.k_proj.{}", "attention.v_proj.{}"),
            out="attention.o_proj",
            scales=("layer_scale1.lambda1", "layer_scale2.lambda1"),
            norm2="norm2",
            mlp="mlp",
            fc1="mlp.up_proj",
            split=("mlp.gate_proj", "mlp.up_proj"),
            fc2="mlp.down_proj",
        ),
        norm="norm",
        ones=(1, 1),
    ),
    "clip": Names(
        patches="embeddings.patch_embedding",
        class_token="embeddings.class_embedding",
        positions="embeddings.position_embedding.weight",
        norm_pre="pre_layrnorm",
        block=CLIP_OF_TRANSFORMERS,
        norm="post_layernorm",
    ),
    "open_clip": Names(
        patches="conv1",
        class_token="class_embedding",
        positions="positional_embedding",
        norm_pre="ln_pre",
        block=CLIP_OF_OPEN_CLIP,
        norm="ln_post",
    ),
}
