"""What is particular to ResNets: what tensors tell of them, and what they don't."""

import json
from dataclasses import replace
from functools import partial

import pytest
from designs import shapes_of

from penult.errors import NetworkError, UsageError
from penult.graph import images
from penult.nets.design import Card, design_of, document
from penult.nets.registry import DESIGNS, read_designs
from penult.nets.resnet import ResNet, title

BASIC, WIDER = (8, 8), (16, 16)
PLAIN = ResNet(
    library="torchvision",
    prefix="",
    size=224,
    classes=10,
    stem=(64,),
    stem_pool="max",
    stages=((BASIC, BASIC), (WIDER, WIDER), (WIDER, WIDER), (WIDER, WIDER)),
    groups=1,
    shortcut="conv",
    shortcut_kernel=1,
    attention="",
    attended=(),
    antialias="",
    norm="batch",
    first_stride=1,
    stride_in_1x1=False,
)
DEEP = {"library": "timm", "stem": (32, 32, 64), "shortcut": "avg"}
NARROW = tuple(((8, 8, 32),) * n for n in (3, 4, 6, 3))
WIDE = tuple(((16, 16, 32),) * n for n in (3, 4, 6, 3))
changed = partial(replace, PLAIN)
DESIGN_BY_NAME = {
    "torchvision/resnet18": PLAIN,
    "torchvision/resnet50": changed(stages=NARROW, classes=0),
    "torchvision/wide_resnet50_2": changed(stages=WIDE),
    "torchvision/resnext50_32x4d": changed(
        stages=tuple(((128, 128, 256),) * n for n in (3, 4, 6, 3)), groups=32
    ),
    "timm/resnet34d": changed(
        **DEEP, stages=((BASIC,) * 3, (WIDER,) * 4, (WIDER,) * 6, (WIDER,) * 3)
    ),
    "timm/resnet50s": changed(library="timm", stem=(64, 64, 128), stages=NARROW),
    "timm/ecaresnet26t": changed(
        library="timm",
        size=256,
        stem=(24, 32, 64),
        stages=(((8, 8, 32),) * 2,) * 4,
        shortcut="avg",
        attention="eca",
        attended=(3, 5, 5, 7),
    ),
    "timm/resnetrs50": changed(
        **DEEP, size=160, stages=NARROW, stem_pool="conv", attention="se", attended=(8,) * 4
    ),
    "timm/resnet50_gn": changed(
        library="timm", stages=tuple(((32, 32, 128),) * n for n in (3, 4, 6, 3)), norm="group"
    ),
    "timm/seresnext26d_32x4d": changed(
        **DEEP, stages=(((128, 128, 256),) * 2,) * 4, groups=32, attention="se", attended=(16,) * 4
    ),
    "transformers/resnet18": changed(library="transformers", prefix="resnet."),
}


@pytest.mark.parametrize("name", DESIGN_BY_NAME)
def test_tensors_alone_tell(name):
    design = DESIGN_BY_NAME[name]
    assert read_designs(shapes_of(design), Card()) == {"": design}
    assert design.name == name
    assert design_of(json.loads(json.dumps(document(design))), DESIGNS) == design
    assert json.loads(json.dumps(document(design))) == document(design)


def test_prefixes_and_strange_heads_are_no_matter():
    shapes = shapes_of(changed(classes=0))
    moco = {f"module.encoder_q.{name}": shape for name, shape in shapes.items()}
    moco |= {"module.encoder_q.fc.0.weight": (8, 16), "queue": (8, 32), "epoch": ()}
    assert read_designs(moco, Card()) == {"module.encoder_q.": changed(classes=0)}


@pytest.mark.parametrize("head", [{"fc.weight": (10, 99)}, {"fc.bias": ()}, {"fc.bias": (9,)}])
def test_another_head_is_no_classifier(head):
    assert read_designs(shapes_of(PLAIN) | head, Card()) == {"": changed(classes=0)}


def test_other_families_with_such_names_are_not_read():
    shapes = shapes_of(PLAIN)
    assert read_designs(shapes | {"layer1.0.convs.0.weight": (8, 8, 3, 3)}, Card()) == {}  # Res2Net
    assert (
        read_designs(shapes | {"conv1.weight": (64, 3, 3, 3)}, Card()) == {}
    )  # for CIFAR: other strides
    assert read_designs(shapes | {"layer1.0.conv1.weight": ()}, Card()) == {}
    narrow = shapes_of(changed(stages=NARROW))
    del narrow["layer1.0.conv2.weight"]
    assert read_designs(narrow, Card()) == {}


def test_other_channels_than_three_are_refused():
    with pytest.raises(NetworkError, match=r"^conv1 takes 12 channels rather than 3$"):
        read_designs(shapes_of(PLAIN) | {"conv1.weight": (64, 12, 7, 7)}, Card())


def test_antialiasing_is_asked_for():
    shapes = shapes_of(changed(**DEEP, stages=NARROW))
    with pytest.raises(UsageError, match=r"-m timm/resnet50d, -m timm/resnetaa50d$"):
        read_designs(shapes, Card())
    (found,) = read_designs(shapes, Card("timm", "resnetaa50d")).values()
    assert (found.antialias, found.name) == ("avg", "timm/resnetaa50d")
    (found,) = read_designs(shapes, Card("timm", "resnet50d")).values()
    assert found.antialias == ""


def test_classes_of_imagenet_may_be_those_of_a_blurred_network():
    shapes = shapes_of(changed(stages=NARROW, classes=1000))
    said = r"-m torchvision/resnet50, -m timm/resnetaa50, -m timm/resnetblur50$"
    with pytest.raises(UsageError, match=said):
        read_designs(shapes, Card())
    named = Card("torchvision", "resnet50"), Card("timm", "resnetblur50"), Card("timm", "resnet50")
    found = [next(iter(read_designs(shapes, each).values())) for each in named]
    assert [each.antialias for each in found] == ["", "blur", ""]
    others = shapes_of(changed(classes=1000))  # of ResNet-18 none is published
    assert read_designs(others, Card()) == {"": changed(classes=1000)}


@pytest.mark.parametrize(
    "head",
    ["classifier.0.convs.0.0.weight", "classifier.0.weight", "decode_head.conv_seg.weight"],
)
@pytest.mark.parametrize("before", ["", "module."])
def test_parts_of_networks_for_segmentation_are_asked_about(head, before):
    shapes = {f"{before}backbone.{n}": s for n, s in shapes_of(changed(classes=0)).items()}
    assert read_designs(shapes | {f"{before}classifier.0.weight": (10, 16)}, Card())
    shapes[f"{before}{head}"] = (256, 16, 1, 1)
    said = (
        rf"^{before}backbone\. is part of .* \(beside it is {before}{head}\), .*; -m torchvision/"
    )
    with pytest.raises(UsageError, match=said):
        read_designs(shapes, Card())
    assert read_designs(shapes, Card("torchvision", "resnet18"))


def test_a_name_can_contradict_the_tensors():
    with pytest.raises(NetworkError, match=r"^the tensors are of resnet18, not of resnet34 as"):
        read_designs(shapes_of(PLAIN), Card("torchvision", "resnet34"))


def test_a_library_has_its_own_layers():
    (found,) = read_designs(shapes_of(PLAIN), Card("timm", "resnet18")).values()
    layers = [*found.architecture().build(images(64), 10)]
    assert found.name == "timm/resnet18"
    assert layers[:4] == ["bn1", "act1", "maxpool", "layer1.0.bn1"]
    assert layers[-4:] == ["layer4", "global_pool", "pre_logits", "fc"]


def test_settings_of_transformers_count():
    design = changed(library="transformers", prefix="resnet.", stages=NARROW)
    shapes = shapes_of(design)
    settings = {"downsample_in_bottleneck": True, "downsample_in_first_stage": True}
    (found,) = read_designs(shapes, Card("transformers", "resnet", settings)).values()
    assert (found.stride_in_1x1, found.first_stride) == (True, 2)
    with pytest.raises(NetworkError, match=r"hidden_act 'gelu' isn't supported$"):
        read_designs(shapes, Card("transformers", "resnet", {"hidden_act": "gelu"}))
    with pytest.raises(NetworkError, match=r"says depths '\[2, 2\]', but the tensors \[3, 4, 6, 3"):
        read_designs(shapes, Card("transformers", "resnet", {"depths": [2, 2]}))


@pytest.mark.parametrize(
    "changes",
    [{"groups": 0}, {"stem": (64, 64)}, {"stages": ()}, {"stages": ((),)}, {"attention": "se"}],
)
def test_an_absurd_document_is_refused(changes):
    with pytest.raises(ValueError, match=r"^that can't be a ResNet$"):
        design_of(document(PLAIN) | changes, DESIGNS)


def test_pruned_networks_keep_their_name():
    stages = tuple(((8, 8, 32), (8, 8, 32), (6, 7, 32))[:n] for n in (3, 3, 3, 3))
    assert title(changed(**DEEP, stages=stages, attention="eca", attended=(3,) * 4)) == (
        "ecaresnet38d_pruned"
    )
