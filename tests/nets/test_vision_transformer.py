"""The same network under the names of several libraries, which have to give the same features."""

import numpy as np
import pytest
from modern import SMALL, Reference, build, write_safetensors
from tiny import tensors

import penult
from penult.engine import OnnxRuntime
from penult.onnx.writer import to_onnx

PHOTO = "examples/photos/cat_chelsea.jpg"
DINO = {"has_layer_scale": True, "registers": 2, "library": "transformers"}
OF_DINOV2 = {"dialect": "dinov2", **DINO}
OF_DINOV3 = {"dialect": "dinov3", "placed": -1, "grid": 0, "biases": "qv", "epsilon": 1e-5, **DINO}
OF_V3 = [f"attention.{each}_proj" for each in "qkv"]
PLAIN = {"mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2", "mlp.up_proj": "mlp.fc1"}
PLAIN |= {"mlp.down_proj": "mlp.fc2"}
PACKED = {"mlp.weights_in": "mlp.w12", "mlp.weights_out": "mlp.w3"}
SPLIT = {"mlp.gate_proj": "mlp.w1", "mlp.up_proj": "mlp.w2", "mlp.down_proj": "mlp.w3"}


def of_facebook(weights, mlp, registers):
    """Rename transformers' tensors as the authors of DINO have them."""
    embeddings = {
        "embeddings.cls_token": "cls_token",
        "embeddings.register_tokens": registers,
        "embeddings.position_embeddings": "pos_embed",
        "embeddings.patch_embeddings.projection": "patch_embed.proj",
        "embeddings.patch_embeddings": "patch_embed.proj",
        "layernorm": "norm",
        "norm": "norm",
    }
    named = {"mask_token": np.zeros((1, 64), np.float32)}
    for name, array in weights.items():
        head, _, last = name.rpartition(".")
        if name in embeddings:
            named[embeddings[name]] = array
        elif head in embeddings:
            named[f"{embeddings[head]}.{last}"] = array
    for index in range(2):
        own = {
            n.partition(f"layer.{index}.")[2]: a for n, a in weights.items() if f".{index}." in n
        }
        block = of_block(own, mlp, is_masked=registers == "storage_tokens")
        named |= {f"blocks.{index}.{name}": array for name, array in block.items()}
    return named


def of_block(parts, mlp, *, is_masked):
    """Rename the tensors of one block; the mask of DINOv3 says that keys have no bias."""
    scales = {f"layer_scale{n}.lambda1": f"ls{n}.gamma" for n in (1, 2)}
    named = {scales[name]: array for name, array in parts.items() if name in scales}
    out = {"attention.output.dense": "attn.proj", "attention.o_proj": "attn.proj"}
    modules = {**mlp, **out, "norm1": "norm1", "norm2": "norm2"}
    for name, array in parts.items():
        head, _, last = name.rpartition(".")
        if head in modules:
            named[f"{modules[head]}.{last}"] = array
    of_v2 = [f"attention.attention.{each}" for each in ("query", "key", "value")]
    packed = of_v2 if f"{of_v2[0]}.weight" in parts else OF_V3
    zeros = np.zeros(64, np.float32)
    bias = np.concatenate([parts.get(f"{each}.bias", zeros) for each in packed])
    kernels = np.concatenate([parts[f"{each}.weight"] for each in packed])
    mask = np.repeat(np.float32([1, 0, 1]), 64)
    if is_masked:
        named["attn.qkv.bias_mask"] = mask
        bias = bias + 7 * (1 - mask)
    return named | {"attn.qkv.weight": kernels, "attn.qkv.bias": bias}


@pytest.mark.parametrize(
    ("theirs", "mlp", "registers"),
    [
        (OF_DINOV2, PLAIN, "register_tokens"),
        (OF_DINOV2 | {"mlp": "packed", "activation": "silu"}, PACKED, "register_tokens"),
        (OF_DINOV3, PLAIN, "storage_tokens"),
        (OF_DINOV3 | {"mlp": "split", "activation": "silu"}, SPLIT, "storage_tokens"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*nothing says how its input is made")
def test_the_authors_files_equal_those_of_transformers(tmp_path, theirs, mlp, registers):
    weights = tensors(**theirs)
    files = [
        write_safetensors(tmp_path / "hf.safetensors", weights),
        write_safetensors(tmp_path / "fb.safetensors", of_facebook(weights, mlp, registers)),
    ]
    options = {"size": 32, "preprocess": "squash 32 bilinear, scale 1/255"}
    found = []
    for file in files:
        with penult.load_model(weights=file, **options) as model:
            found.append(model.features([PHOTO]))
    assert model.network.name.startswith("facebook/")
    assert list(model.outputs) == ["x_norm_clstoken"]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-6)


def test_an_images_bits_do_not_depend_on_its_batch():
    reference = Reference("timm/vit_giant_patch14_dinov2.lvd142m_224_depth2", SMALL)
    graph = build(reference.design)
    cut = to_onnx({"pre_logits": graph["pre_logits"]}, lambda v: reference.weight(v.name))
    engine = OnnxRuntime(cut)
    batch = np.random.default_rng(0).normal(size=(5, 224, 224, 3)).astype(np.float32)
    together = engine.run(batch)["pre_logits"]
    for count in (1, 2, 3):
        few = engine.run(batch[:count])["pre_logits"]
        np.testing.assert_array_equal(few, together[:count])
