"""What is particular to CLIP's ResNets: their settings, and the one size that they take."""

import json
from dataclasses import replace
from functools import partial

import pytest

from penult.errors import NetworkError
from penult.graph import images, variables
from penult.nets.clip_resnet import ClipResNet
from penult.nets.design import Card, design_of, document, pretrained
from penult.nets.registry import DESIGNS, read_designs

TINY = ClipResNet(
    library="open_clip",
    base="visual.",
    size=64,
    classes=0,
    blocks=(2, 1, 1, 1),
    width=2,
    pool="attention",
    heads=1,
    features=5,
)
GRAPH = TINY.architecture().build(images(64), 0)
SHAPES = {v.name: v.shape for v in variables(GRAPH.values())}
CARD = Card("open_clip", "RN50", {"vision_cfg": {"layers": [2, 1, 1, 1], "width": 2}})


@pytest.mark.parametrize("card", [Card(), CARD])
def test_tensors_tell_all(card):
    assert read_designs(SHAPES | {"logit_scale": ()}, card) == {"": TINY}
    assert design_of(json.loads(json.dumps(document(TINY))), DESIGNS) == TINY
    assert GRAPH["image_features"].shape == (5,)


def test_the_image_tower_may_stand_alone():
    alone = {name.removeprefix("visual."): shape for name, shape in SHAPES.items()}
    (found,) = read_designs(alone, Card()).values()
    assert found.base == ""


changed = partial(replace, TINY)


def shapes_of(design: ClipResNet) -> dict[str, tuple[int, ...]]:
    graph = design.architecture().build(images(design.size), design.classes)
    return {v.name: v.shape for v in variables(graph.values())}


TIMM = {"library": "timm", "base": "", "features": 64}
RN50 = {"blocks": (3, 4, 6, 3), "width": 64, "size": 224, "heads": 32, "features": 2048}
DESIGN_BY_NAME = {
    "timm/resnet2-1-1-1x2_clip": changed(**TIMM, classes=5),
    "timm/resnet50_clip": changed(**{**TIMM, **RN50}, classes=0),
    "timm/resnet50_clip_gap": changed(**{**TIMM, **RN50}, pool="avg", classes=7),
    "timm/resnet2-1-1-1x2_clip_gap": changed(**TIMM, size=224, pool="avg"),
    "open_clip/RN50": changed(**RN50),
}


@pytest.mark.parametrize("name", DESIGN_BY_NAME)
def test_each_kind_is_told_by_tensors(name):
    design = DESIGN_BY_NAME[name]
    assert read_designs(shapes_of(design), Card()) == {"": design}
    assert design.name == name


def test_positions_of_timm_are_resampled():
    (layers,) = [pretrained(DESIGN_BY_NAME["timm/resnet2-1-1-1x2_clip"]).layers(size=96)]
    assert (layers["stages.3"].shape, layers["head"].shape) == ((64, 3, 3), (5,))


def test_other_networks_of_timm_with_such_blocks_are_not_read():
    design = DESIGN_BY_NAME["timm/resnet50_clip_gap"]
    assert read_designs(shapes_of(design) | {"head.norm.weight": (9,)}, Card()) == {}
    assert read_designs(shapes_of(design), Card("timm", "resnet50_mlp")) == {}
    with pytest.raises(NetworkError, match=r"are of resnet50_clip_gap, not of resnet101_clip as"):
        read_designs(shapes_of(design), Card("timm", "resnet101_clip"))


def test_settings_can_contradict_the_tensors():
    card = Card("open_clip", "RN50", {"vision_cfg": {"layers": [3, 4, 6, 3]}})
    message = r"^open_clip_config.json says layers '\[3, 4, 6, 3\]', but the tensors \[2, 1, 1, 1\]"
    with pytest.raises(NetworkError, match=message):
        read_designs(SHAPES, card)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("visual.layer3.0.conv2.weight", (8, 9, 3, 3)),
        ("visual.attnpool.positional_embedding", (6, 64)),
        ("visual.attnpool.positional_embedding", (10**9, 64)),
        ("visual.attnpool.c_proj.weight", ()),
    ],
)
def test_tensors_that_fit_no_such_network_are_not_read(name, shape):
    assert read_designs(SHAPES | {name: shape}, Card()) == {}


def test_other_sizes_are_refused():
    message = "open_clip/RN2-1-1-1x2 can't take 96×96: its attention knows places of 64×64 pixels"
    with pytest.raises(NetworkError, match=message):
        pretrained(TINY).layers(size=96)


@pytest.mark.parametrize(
    "changes",
    [{"blocks": [1, 1]}, {"blocks": [10**9] * 4}, {"heads": 0}, {"heads": 7}, {"width": 0}],
)
def test_an_absurd_document_is_refused(changes):
    with pytest.raises(ValueError, match=r"can't be"):
        design_of(document(TINY) | changes, DESIGNS)
