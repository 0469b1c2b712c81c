"""A CLIP of one block a tower, as open_clip saves them, whose words are those of the real ones."""

import sys
from pathlib import Path

import numpy as np
from modern import write_safetensors

NAME = "open_clip/clip-gelu"
VOCABULARY, CONTEXT = 49_408, 77


def write(path, width=64, embedding=32, patch=16, size=32, bias=None, text=True):
    """Write one with random weights; with a bias it is trained by sigmoids, as SigLIP."""
    random = np.random.default_rng(0)
    places = (size // patch) ** 2 + 1
    shapes = {
        "visual.class_embedding": (width,),
        "visual.positional_embedding": (places, width),
        "visual.conv1.weight": (width, 3, patch, patch),
        "visual.proj": (width, embedding),
        **_norm("visual.ln_pre", width),
        **_norm("visual.ln_post", width),
        **_block("visual.transformer.resblocks.0", width),
    }
    if text:
        shapes |= {
            "token_embedding.weight": (VOCABULARY, width),
            "positional_embedding": (CONTEXT, width),
            "text_projection": (width, embedding),
            **_norm("ln_final", width),
            **_block("transformer.resblocks.0", width),
        }
    arrays = {
        name: random.standard_normal(shape, np.float32) / np.float32(8)
        for name, shape in shapes.items()
    }
    arrays["logit_scale"] = np.float32(np.log(10)).reshape(())
    if bias is not None:
        arrays["logit_bias"] = np.float32(bias).reshape(())
    return write_safetensors(path, arrays)


def _norm(name, width):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _block(name, width):
    return {
        **_norm(f"{name}.ln_1", width),
        f"{name}.attn.in_proj_weight": (3 * width, width),
        f"{name}.attn.in_proj_bias": (3 * width,),
        f"{name}.attn.out_proj.weight": (width, width),
        f"{name}.attn.out_proj.bias": (width,),
        **_norm(f"{name}.ln_2", width),
        f"{name}.mlp.c_fc.weight": (4 * width, width),
        f"{name}.mlp.c_fc.bias": (4 * width,),
        f"{name}.mlp.c_proj.weight": (width, 4 * width),
        f"{name}.mlp.c_proj.bias": (width,),
    }


if __name__ == "__main__":
    write(Path(sys.argv[1]))
