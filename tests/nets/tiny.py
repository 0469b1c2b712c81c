"""Tiny Vision Transformers, as repositories of each library have them."""

import json

import numpy as np
from modern import write_safetensors

from penult.graph import images, variables
from penult.nets.text_transformer import LARGEST, TextTransformer
from penult.nets.vision_transformer import VisionTransformer

TINY = {
    "library": "timm",
    "name": "timm/tiny",
    "dialect": "timm",
    "base": "",
    "width": 64,
    "depth": 2,
    "heads": 1,
    "hidden": 128,
    "mlp": "plain",
    "activation": "gelu",
    "epsilon": 1e-6,
    "patch": 16,
    "grid": 2,
    "class_tokens": 1,
    "registers": 0,
    "placed": 1,
    "resampling": "antialias",
    "biases": "qkv",
    "has_patch_bias": True,
    "has_norm_pre": False,
    "has_layer_scale": False,
    "pool": "token",
    "pooled": 64,
    "norm": "tokens",
    "has_pooler": False,
    "projection": 0,
    "classes": 0,
    "size": 32,
}
TEXT = {
    "library": "open_clip",
    "name": "open_clip/text",
    "dialect": "open_clip",
    "base": "",
    "vocabulary": 49_408,
    "context": 77,
    "width": 64,
    "depth": 2,
    "heads": 1,
    "hidden": 128,
    "activation": "gelu",
    "epsilon": 1e-5,
    "is_causal": True,
    "pool": "end",
    "end": LARGEST,
    "features": 8,
    "projection": "matrix",
    "has_bias": False,
}
CLIP = {
    "dialect": "open_clip",
    "library": "open_clip",
    "base": "visual.",
    "has_norm_pre": True,
    "has_patch_bias": False,
    "projection": 8,
}
OF_TRANSFORMERS = {"dialect": "vit", "library": "transformers", "resampling": "bicubic"}
SIGLIP = {  # with the ids of tests/text/sentencepiece
    "base": "text.",
    "vocabulary": 300,
    "context": 64,
    "is_causal": False,
    "pool": "last",
    "projection": "linear",
    "has_bias": True,
}
MEANS = {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}


def tensors(**changes):
    """Random tensors of a tiny network, by the names of its library."""
    design = VisionTransformer(**TINY | changes)
    layers = design.architecture().build(images(32), design.classes)
    random = np.random.default_rng(1)
    return {
        each.name: random.normal(0, 0.1, each.shape).astype(np.float32)
        for each in variables(layers.values())
    }


def text_tensors(scale=2.0, bias=None, **changes):
    """Random tensors of a tiny text tower, by the names of its library."""
    design = TextTransformer(**TEXT | changes)
    random = np.random.default_rng(2)
    numbers = {"logit_scale": scale} | ({} if bias is None else {"logit_bias": bias})
    return {name: np.array(number, np.float32) for name, number in numbers.items()} | {
        each.name: random.normal(0, 0.1, each.shape).astype(np.float32)
        for each in [design.table, *variables([design.graph()])]
    }


def folder(path, weights, **documents):
    """A repository of weights and settings."""
    path.mkdir()
    for name, document in documents.items():
        (path / f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
    name = "open_clip_model" if "open_clip_config" in documents else "model"
    write_safetensors(path / f"{name}.safetensors", weights)
    return path


def timm_config(**changes):
    cfg = {"input_size": [3, 32, 32], "crop_pct": 1.0, "crop_mode": "squash", **MEANS}
    return {"architecture": "vit_tiny", "num_classes": 0, "pretrained_cfg": cfg} | changes
