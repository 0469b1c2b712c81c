"""What is particular to RegNets: three libraries' names, and what settings can contradict."""

import json
from dataclasses import replace
from functools import partial

import pytest
from designs import shapes_of

from penult.errors import NetworkError
from penult.nets.design import Card, design_of, document
from penult.nets.registry import DESIGNS, read_designs
from penult.nets.regnet import RegNet

Y = RegNet(
    library="torchvision",
    prefix="",
    size=224,
    classes=5,
    stem=8,
    blocks=(1, 2, 1),
    widths=(8, 16, 24),
    groups=(1, 2, 3),
    squeezed=((2, 2), (2, 4), (4, 4)),
    first_stride=2,
)
changed = partial(replace, Y)
DESIGN_BY_NAME = {
    "torchvision/regnety_8-16-24": Y,
    "timm/regnetx_8-16-24": changed(library="timm", squeezed=(), classes=0),
    "timm/regnety_004": changed(
        library="timm",
        blocks=(1, 3, 6, 6),
        widths=(48, 104, 208, 440),
        groups=(6, 13, 26, 55),
        squeezed=((8, 8), (12, 26), (26, 52), (52, 110)),
    ),
    "transformers/regnety_8-16-24": changed(library="transformers", prefix="regnet."),
    "transformers/regnetx_8-16-24": changed(library="transformers", squeezed=(), classes=0),
}


@pytest.mark.parametrize("name", DESIGN_BY_NAME)
def test_tensors_alone_tell(name):
    design = DESIGN_BY_NAME[name]
    assert read_designs(shapes_of(design), Card()) == {"": design}
    assert design.name == name
    assert design_of(json.loads(json.dumps(document(design))), DESIGNS) == design


def test_other_families_with_such_names_are_not_read():
    shapes = shapes_of(changed(library="timm"))
    wide = {"s1.b1.conv2.conv.weight": (32, 8, 3, 3)}  # RegNet Z: wider inside
    assert read_designs(shapes | wide, Card()) == {}
    assert read_designs(shapes | {"s1.b1.conv2.conv.weight": ()}, Card()) == {}


def test_a_name_can_contradict_the_tensors():
    shapes = shapes_of(DESIGN_BY_NAME["timm/regnety_004"])
    with pytest.raises(NetworkError, match=r"^the tensors are of regnety_004, not of regnetx_004 "):
        read_designs(shapes, Card("timm", "regnetx_004"))


def test_settings_of_transformers_count():
    design = changed(library="transformers", prefix="regnet.", first_stride=1)
    shapes, settings = shapes_of(design), {"downsample_in_first_stage": False}
    assert read_designs(shapes, Card("transformers", "regnet", settings)) == {"": design}
    with pytest.raises(NetworkError, match=r"hidden_act 'silu' isn't supported$"):
        read_designs(shapes, Card("transformers", "regnet", {**settings, "hidden_act": "silu"}))
    with pytest.raises(NetworkError, match=r"says depths '\[2\]', but the tensors \[1, 2, 1\]$"):
        read_designs(shapes, Card("transformers", "regnet", {**settings, "depths": [2]}))


@pytest.mark.parametrize(
    "changes",
    [
        {"blocks": [1]},
        {"blocks": [10**9] * 3},
        {"groups": [0, 2, 3]},
        {"squeezed": [[1], [1], [1]]},
        {"stem": 0},
    ],
)
def test_an_absurd_document_is_refused(changes):
    with pytest.raises(ValueError, match=r"^that can't be a RegNet$"):
        design_of(document(Y) | changes, DESIGNS)
