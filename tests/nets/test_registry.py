import re
from dataclasses import replace

import pytest

from penult import nets
from penult.errors import UsageError
from penult.graph import variables
from penult.nets import efficientnet_lite

EVERY_NET = pytest.mark.parametrize("spec", nets.NETS.values(), ids=lambda spec: spec.name)

PUBLISHED = {  # millions of parameters and multiply-adds, models/official/efficientnet/lite
    "efficientnet_lite0": (4.7, 407),
    "efficientnet_lite1": (5.4, 631),
    "efficientnet_lite2": (6.1, 899),
    "efficientnet_lite3": (8.2, 1440),
    "efficientnet_lite4": (13.0, 2640),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_multiply_adds_are_as_published(name):
    whole = nets.describe(name).whole
    parameters, multiply_adds = PUBLISHED[name]
    assert round(whole.parameters / 1e6, 1) == parameters
    # the published figure counts normalisation and activations too
    assert 0.94 < whole.multiply_adds / 1e6 / multiply_adds <= 1


@EVERY_NET
def test_named_layers_exist_and_classes_can_be_any_number(spec):
    layers = spec.layers(classes=5)
    assert layers[spec.logits].shape == (5,)
    assert layers[spec.features].shape[1:] in {(), (1, 1)}
    names = {v.name: v.shape for v in variables([layers[spec.logits]])}
    assert names[spec.classifier][0] == 5


@EVERY_NET
def test_descriptions_count_what_each_layer_needs(spec):
    described = nets.describe(spec.name)
    features, logits = described[spec.features], described[spec.logits]
    assert 0 < described.layers[0].multiply_adds < features.multiply_adds <= logits.multiply_adds
    assert 0 < described.layers[0].parameters < features.parameters <= logits.parameters


def test_layers_have_their_published_names():
    names = [layer.name for layer in nets.describe("efficientnet_lite0").layers]
    assert names[:3] == ["stem", "block_0", "block_1/expansion_output"]
    assert names[-4:] == ["features", "head_1x1", "pooled_features", "head"]


def test_an_unknown_name_lists_the_nearest():
    message = "no network is named 'efficientnet-lite0'; nearest: efficientnet_lite0"
    with pytest.raises(UsageError, match=re.escape(message)):
        nets.get("efficientnet-lite0")


def test_patterns_find_networks():
    assert [spec.name for spec in nets.find("*lite[01]")] == [
        "efficientnet_lite0",
        "efficientnet_lite1",
    ]


def test_two_networks_of_one_name_are_refused(monkeypatch):
    monkeypatch.setattr(nets, "FAMILIES", [[replace(efficientnet_lite.NETS[0])] * 2])
    with pytest.raises(RuntimeError, match="two networks are named 'efficientnet_lite0'"):
        nets._registry()


@pytest.mark.parametrize(
    ("classes", "first", "last"),
    [(1000, "tench", "toilet tissue"), (1001, "background", "toilet tissue"), (5, "0", "4")],
)
def test_class_names(classes, first, last):
    names = nets.class_names(classes)
    assert (len(names), names[0], names[-1]) == (classes, first, last)
