"""What is particular to pre-activation ResNets: BiT's kernels, and which norm a file has."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from designs import shapes_of

from penult.errors import NetworkError
from penult.graph import Variable, plain
from penult.nets.bit import Bit, standardised
from penult.nets.design import Card, design_of, document
from penult.nets.registry import DESIGNS, read_designs

BIT = Bit(
    library="timm",
    prefix="",
    size=224,
    classes=5,
    stem=(64,),
    blocks=(3, 4, 6, 3),
    channels=(32, 32, 64, 64),
    inner=(32, 32, 32, 32),
    has_bottlenecks=True,
    norm="group",
    is_standardised=True,
    has_pooled_shortcuts=False,
)
changed = partial(replace, BIT)
DEEP = {"stem": (32, 32, 64), "has_pooled_shortcuts": True, "is_standardised": False}
DESIGN_BY_NAME = {
    "timm/resnetv2_50x1_bit": BIT,
    "timm/resnetv2_50x3_bit": changed(stem=(192,), size=448, classes=0),
    "timm/resnetv2_50": changed(norm="batch", is_standardised=False),
    "timm/resnetv2_34d": changed(**DEEP, norm="batch", has_bottlenecks=False),
    "timm/resnetv2_50d_gn": changed(**DEEP),
    "transformers/resnetv2_50x1_bit": changed(library="transformers", prefix="bit.", size=448),
    "transformers/resnetv2_50x2_bit": changed(
        library="transformers", stem=(128,), size=448, classes=0
    ),
    "google/resnetv2_50x1_bit": changed(library="google"),
}


@pytest.mark.parametrize("name", DESIGN_BY_NAME)
def test_tensors_alone_tell(name):
    design = DESIGN_BY_NAME[name]
    assert read_designs(shapes_of(design), Card()) == {"": design}
    assert design.name == name
    assert design_of(json.loads(json.dumps(document(design))), DESIGNS) == design


@pytest.mark.parametrize("library", ["timm", "transformers", "google"])
def test_another_head_is_no_classifier(library):
    design = changed(library=library, size=448 if library == "transformers" else 224)
    head = design.architecture().classifier
    shapes = {name: shape for name, shape in shapes_of(design).items() if name != head}
    assert read_designs(shapes, Card()) == {"": replace(design, classes=0)}


def test_other_norms_are_not_read():
    assert read_designs(shapes_of(BIT) | {"stages.0.blocks.0.norm1.v": (32,)}, Card()) == {}
    assert read_designs(shapes_of(BIT) | {"norm.weight": ()}, Card()) == {}


def test_a_name_can_contradict_the_tensors():
    with pytest.raises(NetworkError, match=r"^the tensors are of resnetv2_50x1_bit, not of resn"):
        read_designs(shapes_of(BIT), Card("timm", "resnetv2_101x1_bit"))


@pytest.mark.parametrize(
    "changes", [{"blocks": []}, {"blocks": [10**9] * 4}, {"stem": [64, 64]}, {"inner": [33] * 4}]
)
def test_an_absurd_document_is_refused(changes):
    with pytest.raises(ValueError, match=r"can't be|multiples of 32$"):
        design_of(document(BIT) | changes, DESIGNS)


def test_each_filter_has_mean_0_and_deviation_1():
    kernel = np.random.default_rng(1).normal(7, 3, (4, 2, 3, 3)).astype(np.float32)
    found = standardised(plain(Variable("w", kernel.shape)), 1e-8).compute(kernel)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.mean((1, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(found.std((1, 2, 3)), 1, rtol=1e-8)
