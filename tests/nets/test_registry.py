import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from penult import nets
from penult.errors import UsageError
from penult.graph import variables
from penult.nets import text
from penult.nets.registry import ANCHORS, DESIGNS, FAMILIES

EVERY_NET = pytest.mark.parametrize("spec", nets.ours(), ids=lambda spec: spec.name)

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
    architecture = spec.architecture
    assert layers[architecture.logits].shape == (5,)
    assert layers[architecture.embedding].shape[1:] in {(), (1, 1)}
    names = {v.name: v.shape for v in variables([layers[architecture.logits]])}
    assert names[architecture.classifier][0] == 5


@EVERY_NET
def test_descriptions_count_what_each_layer_needs(spec):
    described = nets.describe(spec.name)
    first = described.layers[0]
    embedding, logits = (
        described[name] for name in (spec.architecture.embedding, spec.architecture.logits)
    )
    assert 0 < first.multiply_adds < embedding.multiply_adds <= logits.multiply_adds
    assert 0 < first.parameters < embedding.parameters <= logits.parameters


def test_layers_have_their_published_names():
    names = [layer.name for layer in nets.describe("efficientnet_lite0").layers]
    assert names[:3] == ["stem", "block_0", "block_1/expansion_output"]
    assert names[-4:] == ["features", "head_1x1", "pooled_features", "head"]


def test_an_unknown_name_lists_the_nearest():
    message = "no network is named 'efficientnet-lite0'; nearest: efficientnet_lite0"
    with pytest.raises(UsageError, match=re.escape(message)):
        nets.get("efficientnet-lite0")


def test_a_name_of_torchvision_is_told_apart_from_ours():
    with pytest.raises(UsageError, match=r"nearest: torchvision/resnet50 \(see"):
        nets.get("resnet50")


def test_a_network_prints_in_a_line():
    assert repr(nets.get("efficientnet_lite0")) == (
        "<Pretrained: efficientnet_lite0 at 224×224, pip>"
    )


def test_patterns_find_networks():
    assert [spec.name for spec in nets.find("*lite[01]")] == [
        "efficientnet_lite0",
        "efficientnet_lite1",
    ]


def test_each_network_has_a_name_of_its_own():
    names = [spec.name for spec in nets.ours()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_networks_name_begins_with_that_of_its_module(family):
    names = [spec.name for spec in import_module(f"penult.nets.{family}").PRETRAINED]
    assert names
    assert all(name.startswith(family) for name in names)


def test_every_family_is_in_the_registry():
    modules = {name: import_module(f"penult.nets.{name}") for name in files()}
    named = {name for name, module in modules.items() if hasattr(module, "PRETRAINED")}
    assert named == set(FAMILIES)
    readers = {name for name, module in modules.items() if hasattr(module, "read")}
    assert readers == {family for _, family in (*ANCHORS, *text.ANCHORS)}
    assert all(hasattr(modules[family], name) for family, name in DESIGNS.items())


def files():
    paths = Path(nets.__file__).parent.glob("*.py")
    return {path.stem for path in paths} - {"__init__", "registry"}


@pytest.mark.parametrize("name", ["inception_v1", "mobilenet_v2_050_96"])
def test_one_network_is_found_without_importing_the_others(name):
    script = f"""
import sys
from penult.nets import get
get({name!r})
print(*(each.removeprefix("penult.nets.") for each in sys.modules))
"""
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    modules = set(loaded.stdout.decode().split())
    assert {family for family in FAMILIES if name.startswith(family)} == modules & set(FAMILIES)
    assert "importlib.metadata" not in modules


def test_weights_for_several_sizes_are_of_one_architecture():
    names = ("mobilenet_v1_025_224", "mobilenet_v1_025", "mobilenet_v1_050_224")
    first, same, other = (nets.get(name).architecture for name in names)
    assert first is same
    assert first is not other


@pytest.mark.parametrize(
    ("classes", "first", "last"),
    [(1000, "tench", "toilet tissue"), (1001, "background", "toilet tissue"), (5, "0", "4")],
)
def test_class_names(classes, first, last):
    names = nets.class_names(classes)
    assert (len(names), names[0], names[-1]) == (classes, first, last)
