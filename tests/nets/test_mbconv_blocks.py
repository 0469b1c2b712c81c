"""What blocks of mobile convolutions compute."""

import numpy as np
import pytest

from penult.engine import OnnxRuntime
from penult.graph import exact_hard_sigmoid, placeholder, variables
from penult.nets.mbconv import Block, halve
from penult.nets.mbconv_attention import attend
from penult.nets.mbconv_timm import row_of
from penult.onnx.writer import to_onnx


def test_a_universal_block_filters_where_it_has_kernels():
    row = Block("uir", k=0, s=2, e=96, c=48, a=5, p=3, g=1)
    assert [(step.part, step.stride) for step in row.steps] == [
        ("start", 2),
        ("expand", 1),
        ("project", 1),
        ("end", 1),
    ]


def run(value, arrays, x):
    engine = OnnxRuntime(to_onnx({"y": value}, lambda variable: arrays[variable.name]), once=True)
    return engine.run(np.asarray(x, np.float32))["y"]


def test_maps_are_halved_by_means_or_filters():
    ramp = np.arange(16.0).reshape(1, 1, 4, 4)
    x = placeholder("x", (1, 4, 4), layout="NCHW")
    means = run(halve(x, "avg"), {}, ramp).ravel()
    assert means == pytest.approx([2.5, 4.5, 10.5, 12.5])
    filtered = run(halve(x, "blurpc"), {}, ramp).ravel()
    # around the first pixel: (4·0 + 2·1 + 2·4 + 5) / 16; the rest is zeros
    assert filtered[0] == pytest.approx(15 / 16)
    assert filtered[3] == pytest.approx(10)


def test_gates_are_as_hard_as_pytorchs():
    x = placeholder("x", (3,), layout="NC")
    found = run(exact_hard_sigmoid(x), {}, [[-3.5, 1, 4]])
    assert found.ravel() == pytest.approx([0, 4 / 6, 1], abs=1e-7)


def test_heads_share_keys_and_values():
    rng = np.random.default_rng(0)
    x = placeholder("x", (6, 2, 3), layout="NCHW")
    y = attend(x, "attn", heads=2, width=4, kernel=0, filters=5, epsilon=1e-5)
    arrays = {each.name: rng.normal(size=each.shape).astype(np.float32) for each in variables([y])}
    image = rng.normal(size=(1, 6, 2, 3)).astype(np.float32)
    query, key, value, out = (
        arrays[f"attn.{name}.proj.weight"][:, :, 0, 0]
        for name in ("query", "key", "value", "output")
    )
    places = image.reshape(6, 6)  # channels, places
    heads = []
    for asked in np.split(query @ places, 2):
        scores = np.exp(asked.T @ (key @ places) / 2)  # 2 = sqrt(4)
        heads.append((value @ places) @ (scores / scores.sum(1, keepdims=True)).T)
    expected = out @ np.concatenate(heads)
    assert run(y, arrays, image).reshape(5, 6) == pytest.approx(expected, abs=1e-5)


def test_a_block_that_attends_is_read_with_its_heads():
    tensors = {
        "b.attn.query.proj.weight": (256, 160, 1, 1),
        "b.attn.key.proj.weight": (64, 160, 1, 1),
        "b.attn.key.down_conv.weight": (160, 1, 3, 3),
        "b.attn.output.proj.weight": (160, 256, 1, 1),
    }
    assert row_of(tensors, "b", 160) == Block("mqa", k=3, s=1, e=64, c=160, h=4)
