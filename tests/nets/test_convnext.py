"""ConvNeXts read off tensors: what they tell, what cards add, what contradicts."""

import json

import numpy as np
import pytest

from penult.engine import OnnxRuntime
from penult.errors import NetworkError
from penult.graph import images, variables
from penult.nets.convnext import ConvNeXt
from penult.nets.design import Card, design_of, document
from penult.nets.registry import DESIGNS, read_designs
from penult.onnx.writer import to_onnx

FACEBOOK = {  # timm's names, and the authors'
    "stem.": "downsample_layers.0.",
    ".blocks.": ".",
    "conv_dw": "dwconv",
    "mlp.fc": "pwconv",
    "mlp.grn.weight": "grn.gamma",
    "mlp.grn.bias": "grn.beta",
    "head.norm": "norm",
    "head.fc": "head",
}


def tensors(widths=(8, 16), depths=(1, 2), classes=3, *, second=False):
    """The tensors of a small ConvNeXt as timm names them."""
    found = norm("stem.1", widths[0]) | layer("stem.0", widths[0], 3, 4, 4)
    for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        if stage:
            before = widths[stage - 1]
            found |= norm(f"stages.{stage}.downsample.0", before)
            found |= layer(f"stages.{stage}.downsample.1", width, before, 2, 2)
        for block in range(depth):
            at = f"stages.{stage}.blocks.{block}"
            found |= layer(f"{at}.conv_dw", width, 1, 7, 7) | norm(f"{at}.norm", width)
            found |= layer(f"{at}.mlp.fc1", 4 * width, width)
            found |= layer(f"{at}.mlp.fc2", width, 4 * width)
            found |= norm(f"{at}.mlp.grn", 4 * width) if second else {f"{at}.gamma": (width,)}
    return found | norm("head.norm", widths[-1]) | layer("head.fc", classes, widths[-1])


def layer(name, outputs, *inputs):
    return {f"{name}.weight": (outputs, *inputs), f"{name}.bias": (outputs,)}


def norm(name, channels):
    return layer(name, channels) | {f"{name}.weight": (channels,)}


def read(shapes, card=Card()) -> ConvNeXt:  # noqa: B008 -- frozen
    (design,) = read_designs(shapes, card).values()
    assert isinstance(design, ConvNeXt)
    return design


def needed(design, size=64):
    layers = design.architecture().build(images(size), design.classes)
    return {variable.name: variable.shape for variable in variables(layers.values())}


def compute(design, weights, size=64):
    layers = design.architecture().build(images(size), design.classes)
    features = {"features": layers[design.architecture().embedding]}
    pixels = np.random.default_rng(1).uniform(-1, 1, (1, size, size, 3)).astype(np.float32)
    engine = OnnxRuntime(to_onnx(features, lambda variable: weights[variable.name]), once=True)
    return engine.run(pixels)["features"]


def random_weights(shapes):
    rng = np.random.default_rng(2)
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("second", [False, True])
def test_all_tensors_are_used_and_no_others(second):
    shapes = tensors(second=second)
    design = read(shapes)
    assert needed(design) == shapes
    assert (design.depths, design.widths, design.classes) == ((1, 2), (8, 16), 3)
    assert design.has_response_norm == second


def test_names_tell_sizes_and_versions():
    tiny = read(tensors((96, 192, 384, 768), (3, 3, 9, 3)))
    assert tiny.name == "timm/convnext_tiny"
    assert read(tensors((96, 192, 384, 768), (3, 3, 9, 3), second=True)).name == (
        "timm/convnextv2_tiny"
    )


def test_the_authors_names_are_the_same_network():
    shapes = tensors(second=True)

    def renamed(name):
        for old, new in FACEBOOK.items():
            name = name.replace(old, new)
        for stage in range(2):
            name = name.replace(f"stages.{stage}.downsample", f"downsample_layers.{stage}")
        return name

    weights = random_weights(shapes)
    theirs = {
        renamed(name): array.reshape(1, 1, 1, -1) if ".grn." in name else array
        for name, array in weights.items()
    }
    design = read({name: array.shape for name, array in theirs.items()})
    assert design.dialect == "facebook"
    assert needed(design) == {name: array.shape for name, array in theirs.items()}
    np.testing.assert_allclose(
        compute(design, theirs), compute(read(shapes), weights), rtol=0, atol=1e-6
    )


def test_pretrained_by_masking_has_no_last_norm_to_read():
    shapes = {n: s for n, s in tensors(second=True).items() if not n.startswith("head.")}
    design = read(shapes)
    assert design.last_norm == "plain"
    assert needed(design) == shapes
    weights = random_weights(shapes)
    plain = compute(design, weights)
    np.testing.assert_allclose(plain.std(), 1, atol=1e-3)
    np.testing.assert_allclose(plain.mean(), 0, atol=1e-6)


def test_clips_tower_ends_in_its_projection():
    trunk = {f"visual.trunk.{n}": s for n, s in tensors().items() if not n.startswith("head.fc")}
    design = read(trunk | {"visual.head.proj.weight": (5, 16), "logit_scale": ()})
    assert (design.architecture().embedding, design.projected) == ("image_features", 5)
    two = layer("visual.head.mlp.fc1", 10, 16) | {"visual.head.mlp.fc2.weight": (5, 10)}
    design = read(trunk | two)
    assert needed(design) == trunk | two
    assert compute(design, random_weights(trunk | two)).shape == (1, 5)


def test_clips_names_tell_their_size():
    trunk = {f"visual.trunk.{n}": s for n, s in tensors().items() if not n.startswith("head.fc")}
    shapes = trunk | {"visual.head.proj.weight": (640, 16)}
    sizes = {
        (): 256,
        ("open_clip", "convnext_base_w_320"): 320,
        ("open_clip", "convnext_base_w", (("image_size", 288),)): 288,
    }
    for card, size in sizes.items():
        library, name, config = (*card, "", "", ())[:3] if card else ("", "", ())
        assert read(shapes, Card(library, name, {"vision_cfg": dict(config)})).size == size


def test_a_network_of_too_many_stages_is_not_read():
    assert not read_designs(tensors((8,) * 8, (1,) * 8), Card())


def test_a_design_survives_its_document():
    design = read(tensors())
    assert design_of(json.loads(json.dumps(document(design))), DESIGNS) == design


@pytest.mark.parametrize(
    ("field", "value"),
    [("depths", [1]), ("depths", [10_000, 2]), ("stem", [9]), ("widths", [8, -1]), ("classes", -1)],
)
def test_a_document_of_no_network_is_refused(field, value):
    settings = document(read(tensors())) | {field: value}
    with pytest.raises(ValueError, match=r"."):
        design_of(settings, DESIGNS)


def test_a_card_of_another_network_is_refused():
    shapes = tensors((96, 192, 384, 768), (3, 3, 9, 3))
    with pytest.raises(NetworkError, match=r"^the tensors are of convnext_tiny, not of convnext_b"):
        read(shapes, Card("timm", "convnext_base"))


def test_settings_that_contradict_the_tensors_are_refused():
    names = {
        "stem.0": "convnext.embeddings.patch_embeddings",
        "stem.1": "convnext.embeddings.layernorm",
        "stages.": "convnext.encoder.stages.",
        ".downsample.": ".downsampling_layer.",
        ".blocks.": ".layers.",
        "conv_dw": "dwconv",
        ".norm": ".layernorm",
        "mlp.fc": "pwconv",
        "gamma": "layer_scale_parameter",
        "head.layernorm": "convnext.layernorm",
        "head.fc": "classifier",
    }
    shapes = {}
    for name, shape in tensors().items():
        for old, new in names.items():
            name = name.replace(old, new)  # noqa: PLW2901
        shapes[name] = shape
    design = read(shapes, Card("transformers", "convnext", {"layer_norm_eps": 1e-3}))
    assert needed(design) == shapes
    assert (design.epsilon, design.last_epsilon) == (1e-6, 1e-3)
    for config in ({"depths": [3, 3]}, {"hidden_sizes": "x"}, {"layer_norm_eps": "tiny"}):
        with pytest.raises(NetworkError, match=next(iter(config))):
            read(shapes, Card("transformers", "convnext", config))


def test_norms_without_bias_are_read_of_those_that_are_published_only():
    def without(shapes):
        norms = (".norm.bias", "downsample.0.bias", "stem.1.bias")
        return {n: s for n, s in shapes.items() if not n.endswith(norms)}

    zepto = read(without(tensors((32, 64, 128, 256), (2, 2, 4, 2))))
    assert (zepto.name, zepto.norm) == ("timm/convnext_zepto_rms", "deviation")
    assert not read_designs(without(tensors()), Card())


def test_a_file_with_a_classifier_but_no_norm_lacks_it():
    shapes = {n: s for n, s in tensors().items() if not n.startswith("head.norm")}
    assert needed(read(shapes)) == tensors()


@pytest.mark.parametrize("pool", ["max", 3, None])
def test_other_poolings_are_refused(pool):
    with pytest.raises(NetworkError, match="global_pool"):
        read(tensors(), Card("timm", "convnext_tiny", {"global_pool": pool}))


@pytest.mark.parametrize(
    "strange",
    [
        {"stages.0.blocks.0.conv_dw.weight": (8, 1, 7)},
        {"stages.0.blocks.0.mlp.fc1.weight": ()},
        {"stages.0.blocks.0.attn.weight": (8, 8)},
        {"stem.0.weight": (8,)},
        {"stages.0.blocks.0.gamma": (9,)},
        {"stages.1.blocks.2.xca.qkv.weight": (48, 16)},
    ],
)
def test_other_networks_with_such_a_convolution_are_none_of_ours(strange):
    assert not read_designs(tensors() | strange, Card())
