"""torchvision's older networks read off tensors: what they tell, and what nothing tells."""

import json

import numpy as np
import pytest

from penult.engine import OnnxRuntime
from penult.errors import NetworkError, UsageError
from penult.graph import images, placeholder, variables
from penult.images import preprocess
from penult.nets import densenet, pytorch, shufflenet_v2, torchvision, vgg_torchvision
from penult.nets.alexnet import AlexNet
from penult.nets.densenet import DenseNet
from penult.nets.design import Card, design_of, document
from penult.nets.googlenet import GoogLeNet
from penult.nets.inception_v3_torchvision import InceptionV3
from penult.nets.registry import DESIGNS, read_designs
from penult.nets.shufflenet_v2 import ShuffleNetV2
from penult.nets.squeezenet import SqueezeNet
from penult.nets.vgg_torchvision import Vgg
from penult.onnx.writer import to_onnx

CLASSICS = [
    AlexNet("torchvision", 224, 10),
    Vgg("torchvision", 224, 10, ((8,), (8, 16), (16, 16)), has_norm=False, hidden=(32, 24)),
    Vgg("torchvision", 224, 10, ((8, 8), (16,)), has_norm=True, hidden=(32, 24)),
    Vgg("timm", 224, 10, ((8,), (8, 16)), has_norm=True, hidden=(32, 24)),
    Vgg("torchvision", 224, 0, ((8,), (8, 16)), has_norm=False, hidden=()),
    SqueezeNet("torchvision", 224, 10, "1_0"),
    SqueezeNet("torchvision", 224, 10, "1_1"),
    DenseNet(
        "torchvision",
        224,
        10,
        "",
        stem=(16,),
        has_blur=False,
        blocks=(2, 3),
        growth=4,
        bottleneck=8,
    ),
    DenseNet(
        "torchvision",
        224,
        10,
        ".",
        stem=(16,),
        has_blur=False,
        blocks=(2, 3),
        growth=4,
        bottleneck=8,
    ),
    DenseNet(
        "timm", 224, 9, "", stem=(6, 6, 8), has_blur=True, blocks=(2, 3), growth=4, bottleneck=8
    ),
    GoogLeNet("torchvision", 224, 10),
    ShuffleNetV2("torchvision", 224, 10, stem=8, blocks=(2, 1, 3), widths=(8, 12, 20), last=32),
]


def ids(design):
    return f"{design.name}-{type(design).__name__}"


def tensors(design):
    layers = design.architecture().build(images(design.size), design.classes)
    return {variable.name: variable.shape for variable in variables(layers.values())}


def read(shapes, card=Card()):  # noqa: B008 -- frozen
    (design,) = read_designs(shapes, card).values()
    return design


def random_weights(shapes):
    rng = np.random.default_rng(2)
    return {
        name: rng.uniform(0.5, 1.5, shape) if "running_var" in name else rng.normal(0, 0.2, shape)
        for name, shape in shapes.items()
    }


def compute(design, weights, pixels):
    architecture = design.architecture()
    layers = architecture.build(images(pixels.shape[1]), design.classes)
    features = {"features": layers[architecture.embedding]}
    engine = OnnxRuntime(to_onnx(features, lambda variable: weights[variable.name]), once=True)
    return engine.run(pixels)["features"]


def noise(size):
    return np.random.default_rng(1).uniform(-1, 1, (2, size, size, 3)).astype(np.float32)


@pytest.mark.parametrize("design", CLASSICS, ids=ids)
def test_tensors_tell_the_design(design):
    shapes = tensors(design)
    assert (
        read(shapes | {"features.1.num_batches_tracked": (), "aux1.fc1.weight": (3, 4)}) == design
    )
    assert design_of(json.loads(json.dumps(document(design))), DESIGNS) == design


@pytest.mark.parametrize("design", CLASSICS, ids=ids)
def test_a_network_without_its_classifier_is_read(design):
    classifier = design.architecture().classifier
    if not classifier:
        return
    shapes = tensors(design)
    left = {n: s for n, s in shapes.items() if n != classifier and n != f"{classifier[:-6]}bias"}
    assert len(left) == len(shapes) - 2
    found = read(left)
    assert found.classes == 0
    assert (found.architecture().logits, found.architecture().classifier) == (None, None)
    assert tensors(found) == left


@pytest.mark.parametrize("design", CLASSICS, ids=ids)
def test_a_network_with_a_strange_tensor_is_not_read(design):
    shapes = tensors(design)
    for name in list(shapes)[:1] + list(shapes)[4:5]:
        for strange in ((), (3,), (0, 3, 3, 3), (10**9,)):
            assert not read_designs(shapes | {name: strange}, Card())


def test_a_card_of_another_network_is_refused():
    shapes = tensors(SqueezeNet("torchvision", 224, 10, "1_1"))
    with pytest.raises(
        NetworkError, match=r"^the tensors are of squeezenet1_1, not of squeezenet1_0"
    ):
        read(shapes, Card("torchvision", "squeezenet1_0"))


def test_vggs_pools_stand_where_a_place_is_left_out():
    stages = ((64,), (128,), (256, 256), (512, 512), (512, 512))
    design = Vgg("torchvision", 224, 1000, stages, has_norm=True, hidden=(4096, 4096))
    shapes = tensors(design)
    assert design.name == "torchvision/vgg11_bn"
    assert "features.4.weight" in shapes
    assert read(shapes) == design


def test_a_network_of_too_many_stages_is_not_read():
    shapes = {}
    for stage in range(8):
        shapes |= {f"features.{3 * stage}.weight": (4, 4 if stage else 3, 3, 3)}
        shapes |= {f"features.{3 * stage}.bias": (4,)}
    assert not read_designs(shapes, Card())


def test_vgg_without_dense_layers_ends_in_its_average():
    design = Vgg("torchvision", 224, 0, ((8,), (8, 16)), has_norm=False, hidden=())
    weights = random_weights(tensors(design))
    assert compute(design, weights, noise(32)).shape == (2, 16)


def test_timms_vgg_averages_its_dense_layers_over_a_larger_map():
    stages = ((4,), (8,))
    theirs = Vgg("timm", 224, 0, stages, has_norm=False, hidden=(16, 12))
    ours = Vgg("torchvision", 224, 0, stages, has_norm=False, hidden=(16, 12))
    weights = random_weights(tensors(theirs))
    same = {
        name.replace("pre_logits.fc1", "classifier.0").replace(
            "pre_logits.fc2", "classifier.3"
        ): array
        for name, array in weights.items()
    }
    same = {n: a.reshape(tensors(ours)[n]) for n, a in same.items()}
    pixels = noise(28)
    np.testing.assert_allclose(
        compute(theirs, weights, pixels), compute(ours, same, pixels), rtol=1e-4, atol=1e-5
    )
    assert compute(theirs, weights, noise(40)).shape == (2, 12)


def test_densenets_two_spellings_are_one_network():
    plain, dotted, _ = (each for each in CLASSICS if isinstance(each, DenseNet))
    weights = random_weights(tensors(plain))
    renamed = {
        name.replace("norm1", "norm.1")
        .replace("norm2", "norm.2")
        .replace("conv1", "conv.1")
        .replace("conv2", "conv.2"): array
        for name, array in weights.items()
    }
    np.testing.assert_array_equal(
        compute(plain, weights, noise(64)), compute(dotted, renamed, noise(64))
    )


def test_whose_inception_it_is_decides_who_turns_the_input():
    theirs, timms = (InceptionV3(library, 299, 10) for library in ("torchvision", "timm"))
    shapes = tensors(timms)
    assert read(shapes, Card("torchvision")) == theirs
    assert read(shapes, Card("timm", "inception_v3")) == timms
    assert read(shapes | {"AuxLogits.fc.weight": (10, 768)}) == theirs
    with pytest.raises(UsageError, match=r"-m torchvision/inception_v3, -m timm/inception_v3$"):
        read(shapes)

    weights = random_weights(shapes)
    pixels = noise(75)
    turned = pixels * np.array(preprocess.IMAGENET_STD) / 0.5
    turned += (np.array(preprocess.IMAGENET_MEAN) - 0.5) / 0.5
    np.testing.assert_allclose(
        compute(theirs, weights, pixels),
        compute(timms, weights, turned.astype(np.float32)),
        rtol=1e-3,
        atol=1e-5,
    )


@pytest.mark.parametrize(("size", "left"), [(2, 1), (4, 2), (5, 2), (6, 3), (7, 3)])
def test_the_last_window_may_reach_past_the_edge(size, left):
    x = np.random.default_rng(1).normal(size=(1, 2, size, size)).astype(np.float32) - 5
    value = pytorch.max_pool_up(placeholder("x", (2, size, size), layout="NCHW"), 3, stride=2)
    (found,) = OnnxRuntime(to_onnx({"y": value}, lambda variable: None)).run(x).values()
    assert found.shape == (1, 2, left, left)
    np.testing.assert_array_equal(
        found[0, :, -1, -1], x[0, :, 2 * left - 2 :, 2 * left - 2 :].max((1, 2))
    )


def test_torchvisions_networks_are_published_under_the_names_that_are_read():
    published = {each.network for each in torchvision.published()}
    for known in (
        vgg_torchvision.KNOWN,
        densenet.KNOWN - {"densenetblur121d"},
        shufflenet_v2.KNOWN,
    ):
        assert known <= published
    taken = ShuffleNetV2(
        "torchvision", 224, 10, stem=24, blocks=(4, 8, 4), widths=(176, 352, 704), last=1024
    ).preprocess(224)
    assert str(taken).startswith("resize 232 bilinear, crop 224")
