"""Which network a checkpoint holds, from the names and shapes of its variables alone."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

import penult
from penult.checkpoints import open_checkpoint
from penult.errors import NetworkError, UsageError
from penult.graph import variables
from penult.model.matching import candidates, classes, fit, recognise, with_averages
from penult.nets import get, lenet

REFERENCE = Path(__file__).parents[1] / "reference"
NETWORKS = sorted(path.stem for path in REFERENCE.glob("manifests/*.json"))
EVERY_NETWORK = pytest.mark.parametrize("name", NETWORKS)
AUXILIARY = ("/AuxLogits/", "aux_")


def published(name: str, number: int | None = None) -> dict[str, tuple[int, ...]]:
    """The shapes of a published checkpoint, or of one that was fine-tuned to other classes."""
    manifest = json.loads((REFERENCE / f"manifests/{name}.json").read_text(encoding="utf-8"))
    old = manifest["num_classes"]
    heads = [
        variable.rpartition("/")[0]
        for variable, shape, _ in manifest["variables"]
        if shape == [old]
    ]
    return {
        variable: tuple(
            number if number and size == old and variable.rpartition("/")[0] in heads else size
            for size in shape
        )
        for variable, shape, _ in manifest["variables"]
    }


def trained(shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The same with what a training keeps beside them."""
    slots = ("/Momentum", "/RMSProp", "/RMSProp_1", "/ExponentialMovingAverage")
    beside = {name + slot: shape for name, shape in shapes.items() for slot in slots}
    return {"global_step": (), "beta1_power": (), **beside, **shapes}


def recognised(shapes: dict[str, tuple[int, ...]]) -> set[str]:
    """The networks that fit; those that differ in size only count as one."""
    found = candidates(shapes)
    assert len({spec.architecture for spec in found}) == 1
    return {spec.name for spec in found}


@EVERY_NETWORK
@pytest.mark.parametrize("number", [5, 1000, 1001])
def test_a_network_is_recognised_with_any_number_of_classes(name, number):
    shapes = published(name, number)
    assert name in recognised(shapes)
    assert classes(get(name), shapes) == number


@EVERY_NETWORK
def test_a_network_is_recognised_without_auxiliary_heads(name):
    shapes = published(name).items()
    assert name in recognised({n: s for n, s in shapes if not any(a in n for a in AUXILIARY)})


@EVERY_NETWORK
def test_a_network_is_recognised_among_slots_averages_and_steps(name):
    assert name in recognised(trained(published(name)))


@EVERY_NETWORK
def test_a_network_is_recognised_in_a_scope_of_ones_own(name):
    shapes = {f"tower_0/{n}": shape for n, shape in trained(published(name, 5)).items()}
    assert name in recognised(shapes)
    assert classes(get(name), shapes) == 5


@EVERY_NETWORK
def test_a_network_is_recognised_without_its_classifier(name):
    spec = get(name)
    needed = {v.name for v in variables([spec.layers()[spec.architecture.embedding]])}
    assert name in recognised({n: s for n, s in published(name).items() if n in needed})


def test_inception_v3_takes_224_pixels_though_the_auxiliary_head_does_not():
    # the 2018 script stopped at AuxLogits/Conv2d_2a_3x3/BatchNorm/beta: names that follow the size
    spec = get("inception_v3")
    needed = variables([spec.layers(size=224)["AvgPool_1a"]])
    assert fit(needed, published("inception_v3")).differences == ()


def test_inception_v4_finds_its_variables():
    # the 2018 script found "no variables to save"
    spec = get("inception_v4")
    found = fit(variables(spec.layers().values()), published("inception_v4"))
    assert (found.needed, found.differences) == (len(published("inception_v4")), ())


def test_sizes_of_one_network_are_asked_for():
    checkpoint = open_checkpoint(REFERENCE / "checkpoints/mobilenet_v1_025_v2")
    with pytest.raises(UsageError, match=r"fits mobilenet_v1_025_224, .*: say which .-m or --size"):
        recognise(checkpoint)
    assert recognise(checkpoint, 128).name == "mobilenet_v1_025"
    assert recognise(checkpoint, 192).name == "mobilenet_v1_025_192"
    assert recognise(checkpoint, 200).name.startswith("mobilenet_v1_025")


def test_weights_of_one_architecture_and_size_are_asked_for_by_name(monkeypatch):
    twin = replace(get("lenet"), name="lenet_twin")
    monkeypatch.setattr(lenet, "PRETRAINED", [get("lenet"), twin])
    shapes = {v.name: v.shape for v in variables(twin.layers().values())}
    checkpoint = SimpleNamespace(path=Path("w"), shapes=shapes)
    with pytest.raises(UsageError, match=r"'w' fits lenet, lenet_twin: say which \(-m\)$"):
        recognise(checkpoint, 28)


def test_a_name_that_disagrees_with_the_checkpoint_is_refused_with_the_first_differences():
    file = REFERENCE / "checkpoints/mobilenet_v1_025_v2"
    message = (
        "holds no mobilenet_v1: MobilenetV1/Conv2d_0/weights is (3, 3, 3, 8), "
        "expected (3, 3, 3, 32); "
    )
    with pytest.raises(NetworkError, match=re.escape(message) + ".*; and 132 more"):
        penult.load_model("mobilenet_v1", weights=file)


def test_a_size_that_a_network_cannot_take_is_refused():
    file = REFERENCE / "checkpoints/mobilenet_v1_025_v2"
    model = penult.load_model("mobilenet_v1_025", weights=file, size=160)
    assert (model.network.size, model.layers["Conv2d_13_pointwise"]) == (160, (5, 5, 256))
    message = "vgg_16 can't take 20×20: a window of 2×2 doesn't fit into a map of 1×1"
    with pytest.raises(NetworkError, match=re.escape(message)):
        penult.describe("vgg_16", size=20)
    with pytest.raises(UsageError, match="size must be from 1 to 4096 pixels, not 0"):
        penult.load_model(size=0)


def test_moving_averages_take_the_place_of_variables(tmp_path):
    arrays = {"a/w": np.zeros(2, np.float32), "b/moving_mean": np.ones(2, np.float32)}
    save_file({**arrays, "a/w/ExponentialMovingAverage": np.full(2, 3, np.float32)}, tmp_path / "x")
    checkpoint = with_averages(open_checkpoint(tmp_path / "x"))
    assert checkpoint.ema
    assert checkpoint["a/w"].tolist() == [3, 3]
    assert checkpoint["b/moving_mean"].tolist() == [1, 1]
    assert open_checkpoint(tmp_path / "x")["a/w"].tolist() == [0, 0]


def test_a_checkpoint_without_averages_is_refused(tmp_path):
    save_file({"w": np.zeros(2, np.float32)}, tmp_path / "x")
    with pytest.raises(UsageError, match=r"holds no moving averages .*: leave out --ema"):
        with_averages(open_checkpoint(tmp_path / "x"))


def test_a_checkpoint_of_averages_only_says_how_to_take_them():
    needed = variables([get("lenet").layers()["conv1"]])
    shapes = {f"{v.name}/ExponentialMovingAverage": v.shape for v in needed}
    first, _ = fit(needed, shapes).differences
    assert first == "LeNet/conv1/weights is missing, its moving average is there (--ema)"
