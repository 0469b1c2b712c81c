"""What is particular to CLIP's ResNets: their settings, and the one size that they take."""

import json

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
    message = "open_clip/RN-2-1-1-1x2 can't take 96×96: its attention knows places of 64×64 pixels"
    with pytest.raises(NetworkError, match=message):
        pretrained(TINY).layers(size=96)


@pytest.mark.parametrize(
    "changes",
    [{"blocks": [1, 1]}, {"blocks": [10**9] * 4}, {"heads": 0}, {"heads": 7}, {"width": 0}],
)
def test_an_absurd_document_is_refused(changes):
    with pytest.raises(ValueError, match=r"can't be"):
        design_of(document(TINY) | changes, DESIGNS)
