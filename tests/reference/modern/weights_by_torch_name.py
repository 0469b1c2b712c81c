"""Deterministic stand-in weights for networks that people have as PyTorch / safetensors files.

``weight(name, shape)`` gives the same float32 array anywhere, with numpy only: the draw depends on
nothing but crc32 of the state-dict name (as the *published file* spells it) and the shape, through
numpy's PCG64.  Layouts are torch's: convolutions OIHW (O, I/groups, H, W), linear layers (out, in).

What is NOT drawn here and stays as the library computes it: integer buffers (num_batches_tracked,
position_ids, relative_position_index), boolean masks, rotary tables (rope.periods, inv_freq).
The manifests list those under "kept".

``salt`` makes a second, unrelated set of weights of the same kind (the names are drawn as salt + name).
"""

import re
import zlib

import numpy as np

_LAYER_SCALE = {"gamma", "gamma_1", "gamma_2", "lambda1", "layer_scale"}
_TOKENS = {
    "cls_token",
    "class_token",
    "class_embedding",
    "reg_token",
    "register_tokens",
    "dist_token",
    "probe",
    "latent",
    "mask_token",
}
_POSITIONS = {"pos_embed", "pos_embedding", "position_embeddings", "positional_embedding"}
_CONSTANTS = {"logit_scale": 2.6592, "logit_bias": -10.0, "skipinit_gain": 0.5}

# Projections of inverted bottlenecks in torchvision, told from the other convolutions of the block by their shape
# (1x1 and narrowing).  Blocks without a skip connection get more than blocks with one.
_PROJECTIONS = [
    (re.compile(p), g)
    for p, g in [
        (
            r"^features\.\d+\.0\.block\.1\.0\.weight$",
            1.0,
        ),  # EfficientNet V2, fused block, first of a stage
        (
            r"^features\.\d+\.[1-9]\d*\.block\.1\.0\.weight$",
            0.2,
        ),  # EfficientNet V2, fused block, the others
        (r"^features\.\d+\.0\.block\.\d\.0\.weight$", 4.0),  # EfficientNet, first block of a stage
        (r"^features\.\d+\.[1-9]\d*\.block\.\d\.0\.weight$", 0.25),  # EfficientNet, the others
        (r"^features\.\d+\.block\.\d\.0\.weight$", 0.7),  # MobileNet V3
        (r"MBconv\.layers\.conv_c\.weight$", 0.25),  # MaxViT
        (r"^layers\.\d+\.0\.layers\.6\.weight$", 1.0),  # MNASNet, first of a stack
        (r"^layers\.\d+\.[1-9]\d*\.layers\.6\.weight$", 0.2),  # MNASNet, the others
    ]
]

# (pattern, gain): a convolution or linear weight has standard deviation sqrt(gain / fan_in); the first match counts.
_GAINS = [
    (re.compile(p), g)
    for p, g in [
        # last layer of a residual branch without layer scale: damped, so that deep sums do not grow
        (r"layer\d+\.\d+\.conv3\.weight$", 0.25),  # ResNet bottleneck (torchvision, timm)
        (r"layer\d+\.\d+\.conv2\.weight$", 1.0),  # last of a BasicBlock, middle of a bottleneck
        (r"\.f\.c\.0\.weight$", 0.25),  # RegNet (torchvision)
        (r"^s\d+\.b\d+\.conv3\.conv\.weight$", 0.25),  # RegNet (timm)
        (r"\.downsample\.\d\.weight$|\.downsample\.conv\.weight$|\.proj\.0\.weight$", 1.0),
        (r"\.conv_pwl\.weight$", 1.0),  # inverted bottleneck, linear projection (timm)
        (
            r"\.dw_start\.conv\.weight$|\.pw_proj\.conv\.weight$",
            0.7,
        ),  # MobileNet V4, both without activation
        (r"\.ghost2\.primary_conv\.0\.weight$", 0.4),  # GhostNet, second half, no activation
        (r"\.ghost2\.cheap_operation\.0\.weight$", 1.0),
        (
            r"^blocks\.\d+\.[1-9]\d*\.conv_exp\.weight$",
            0.3,
        ),  # EfficientNet V2, fused blocks with a skip connection (timm)
        (
            r"^resnet\.encoder\.stages\.\d\.layers\.\d+\.layer\.2\.convolution\.weight$",
            0.25,
        ),  # ResNet bottleneck (transformers)
        (r"^resnet\.encoder\.stages\.\d\.layers\.\d+\.shortcut\.convolution\.weight$", 1.0),
        # FastViT (MobileCLIP)
        (r"token_mixer\.mixer\.conv_\w+(\.0)?\.conv\.weight$", 0.15),
        (r"^visual\.trunk\.stages\.\d+\.blocks\.\d+\.mlp\.fc2\.weight$", 0.1),
        (r"^visual\.trunk\.stages\.\d+\.blocks\.\d+\.mlp\.conv\.conv\.weight$", 1.0),
        (r"\.pos_enc\.weight$", 0.5),
        (r"\.(large|small)_conv\.conv\.weight$", 0.15),
        # attention: a little sharper than unit variance, so that softmax errors show
        (
            r"qkv\.weight$|[qk]_proj\.weight$|(query|key)\.weight$|in_proj_weight$|attn_pool\.(q|kv)\.weight$|to_qkv\.weight$",
            1.5,
        ),
    ]
]


def _times(scale, x):
    # in double precision and then rounded, whatever numpy's promotion rules are (1.x and 2.x differ for float64 scalars)
    return (float(scale) * x.astype(np.float64)).astype(np.float32)


def weight(name: str, shape, salt: str = "") -> np.ndarray:
    """The stand-in value of one state-dict entry, float32 of the given shape."""
    shape = tuple(int(d) for d in shape)
    leaf = name.rsplit(".", 1)[-1]
    if leaf in _CONSTANTS:
        return np.full(shape, _CONSTANTS[leaf], np.float32)
    rng = np.random.Generator(np.random.PCG64(zlib.crc32((salt + name).encode())))
    if leaf == "running_var":
        return (0.5 + rng.random(shape, dtype=np.float32)).astype(np.float32)
    if leaf in _LAYER_SCALE:
        return (0.1 + 0.9 * rng.random(shape, dtype=np.float32)).astype(np.float32)
    x = rng.standard_normal(shape, dtype=np.float32)
    if name.endswith(
        ".se.conv_expand.bias"
    ):  # timm: gates open in blocks without a skip connection, nearly shut in the others
        return (
            0.1 * x + np.float32(2.0 if re.search(r"\.0\.se\.conv_expand\.bias$", name) else -1.0)
        ).astype(np.float32)
    if leaf == "running_mean" or leaf.endswith("bias"):
        return (0.1 * x).astype(np.float32)
    if leaf in _TOKENS:
        return (0.5 * x).astype(np.float32)
    if leaf in _POSITIONS or name.endswith("position_embedding.weight"):
        return (0.3 * x).astype(np.float32)
    if leaf == "relative_position_bias_table" or name.endswith("token_embedding.weight"):
        return (0.5 * x).astype(np.float32)
    if name.endswith("grn.weight"):  # ConvNeXt V2: published values start at zero
        return (0.5 * x).astype(np.float32)
    if leaf == "gain" or len(shape) < 2:  # normalisation scales, weight-standardisation gains
        return (1 + 0.1 * x).astype(np.float32)
    if leaf in ("text_projection", "proj") and len(shape) == 2:  # open_clip: x @ proj, so (in, out)
        return _times(np.sqrt(1.0 / shape[0]), x)
    fan_in = int(np.prod(shape[1:]))
    gain = 2.0 if len(shape) == 4 else 1.0
    if len(shape) == 2 and re.search(
        r"^classifier\.[036]\.weight$|^classifier\.1\.weight$|^classifier\.4\.weight$", name
    ):
        gain = 2.0  # AlexNet, VGG: fully connected with ReLU
    narrowing = len(shape) == 4 and shape[2:] == (1, 1) and shape[0] < shape[1]
    for pattern, g in (_PROJECTIONS if narrowing else []) + _GAINS:
        if pattern.search(name):
            gain = g
            break
    return _times(np.sqrt(gain / fan_in), x)
