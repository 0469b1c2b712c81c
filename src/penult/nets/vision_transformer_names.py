"""What the libraries call the parts of a Vision Transformer, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Dialect = Literal["timm", "torchvision", "vit", "dinov2", "dinov3", "clip", "open_clip"]


@dataclass(frozen=True, slots=True)
class Names:
    """What a library calls the tensors; `{}` stands for `weight` or `bias`, or for a number."""

    patches: str
    class_token: str
    positions: str
    blocks: str
    norm1: str
    qkv: tuple[str, ...]  # packed into one, or one each
    out: str
    norm2: str
    fc1: str
    fc2: str
    norm: str
    distilled: str = ""  # DeiT's second class token
    heads: tuple[str, ...] = ()  # the classifiers of two class tokens
    registers: str = ""
    norm_pre: str = ""
    gate: str = ""  # of MLPs with a gate of its own
    scales: tuple[str, ...] = ()
    head: str = ""
    ones: tuple[int, ...] = ()  # what stands before the sizes of tokens; the table has one less
    attention: str = ""  # the module around q, k, v
    mlp: str = "mlp"


_HF = "attention.attention."
NAMES: Mapping[Dialect, Names] = {
    "timm": Names(
        patches="patch_embed.proj",
        class_token="cls_token",
        distilled="dist_token",
        heads=("head", "head_dist"),
        registers="reg_token",
        positions="pos_embed",
        norm_pre="norm_pre",
        blocks="blocks.{}",
        norm1="norm1",
        qkv=("attn.qkv.{}",),
        out="attn.proj",
        scales=("ls1.gamma", "ls2.gamma", "gamma_1", "gamma_2"),
        norm2="norm2",
        fc1="mlp.fc1",
        gate="mlp.fc1_g",
        fc2="mlp.fc2",
        norm="norm",
        head="head",
        ones=(1, 1),
        attention="attn",
    ),
    "torchvision": Names(
        patches="conv_proj",
        class_token="class_token",
        positions="encoder.pos_embedding",
        blocks="encoder.layers.encoder_layer_{}",
        norm1="ln_1",
        qkv=("self_attention.in_proj_{}",),
        out="self_attention.out_proj",
        norm2="ln_2",
        fc1="mlp.0",
        fc2="mlp.3",
        norm="encoder.ln",
        head="heads.head",
        ones=(1, 1),
        attention="self_attention",
    ),
    "vit": Names(
        patches="embeddings.patch_embeddings.projection",
        class_token="embeddings.cls_token",
        distilled="embeddings.distillation_token",
        heads=("cls_classifier", "distillation_classifier"),
        positions="embeddings.position_embeddings",
        blocks="encoder.layer.{}",
        norm1="layernorm_before",
        qkv=(f"{_HF}query.{{}}", f"{_HF}key.{{}}", f"{_HF}value.{{}}"),
        out="attention.output.dense",
        norm2="layernorm_after",
        fc1="intermediate.dense",
        fc2="output.dense",
        norm="layernorm",
        head="classifier",
        ones=(1, 1),
        attention="attention",
        mlp="",
    ),
    "dinov2": Names(
        patches="embeddings.patch_embeddings.projection",
        class_token="embeddings.cls_token",
        registers="embeddings.register_tokens",
        positions="embeddings.position_embeddings",
        blocks="encoder.layer.{}",
        norm1="norm1",
        qkv=(f"{_HF}query.{{}}", f"{_HF}key.{{}}", f"{_HF}value.{{}}"),
        out="attention.output.dense",
        scales=("layer_scale1.lambda1", "layer_scale2.lambda1"),
        norm2="norm2",
        fc1="mlp.fc1",
        fc2="mlp.fc2",
        norm="layernorm",
        ones=(1, 1),
        attention="attention",
    ),
    "dinov3": Names(
        patches="embeddings.patch_embeddings",
        class_token="embeddings.cls_token",
        registers="embeddings.register_tokens",
        positions="",
        blocks="layer.{}",
        norm1="norm1",
        qkv=("attention.q_proj.{}", "attention.k_proj.{}", "attention.v_proj.{}"),
        out="attention.o_proj",
        scales=("layer_scale1.lambda1", "layer_scale2.lambda1"),
        norm2="norm2",
        fc1="mlp.up_proj",
        gate="mlp.gate_proj",
        fc2="mlp.down_proj",
        norm="norm",
        ones=(1, 1),
        attention="attention",
    ),
    "clip": Names(
        patches="embeddings.patch_embedding",
        class_token="embeddings.class_embedding",
        positions="embeddings.position_embedding.weight",
        norm_pre="pre_layrnorm",
        blocks="encoder.layers.{}",
        norm1="layer_norm1",
        qkv=("self_attn.q_proj.{}", "self_attn.k_proj.{}", "self_attn.v_proj.{}"),
        out="self_attn.out_proj",
        norm2="layer_norm2",
        fc1="mlp.fc1",
        fc2="mlp.fc2",
        norm="post_layernorm",
        attention="self_attn",
    ),
    "open_clip": Names(
        patches="conv1",
        class_token="class_embedding",
        positions="positional_embedding",
        norm_pre="ln_pre",
        blocks="transformer.resblocks.{}",
        norm1="ln_1",
        qkv=("attn.in_proj_{}",),
        out="attn.out_proj",
        norm2="ln_2",
        fc1="mlp.c_fc",
        fc2="mlp.c_proj",
        norm="ln_post",
        attention="attn",
    ),
}
