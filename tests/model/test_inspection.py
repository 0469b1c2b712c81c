"""What a weights file is said to hold."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import penult
from penult.graph import variables
from penult.model.inspection import Statistics
from penult.nets import get

CHECKPOINTS = Path(__file__).parents[1] / "reference/checkpoints"
LENET = {v.name: np.zeros(v.shape, np.float32) for v in variables(get("lenet").layers().values())}


@pytest.fixture
def inspect(tmp_path):
    """Inspect a file with these tensors."""

    def inspect_file(tensors, **options):
        save_file(tensors, tmp_path / "x")
        return penult.inspect(tmp_path / "x", **options)

    return inspect_file


def test_a_published_checkpoint():
    found = penult.inspect(CHECKPOINTS / "mobilenet_v1_025_2016_08_28.tar.gz")
    assert (found.format, found.step, found.classes) == ("TensorFlow (V1)", 1234567, 1001)
    assert "mobilenet_v1_025" in found.networks
    assert found.missing == ()
    assert [variable.name for variable in found.of("counter")] == ["global_step"]
    assert len(found.of("network")) == len(found.variables) - 1 == 137
    assert found.variables[0].statistics is None


def test_what_a_training_keeps_is_told_apart(inspect):
    beside = {
        "LeNet/fc3/weights/Momentum": np.zeros(1, np.float32),
        "LeNet/fc3/weights/ExponentialMovingAverage": np.zeros(1, np.float32),
        "beta1_power": np.zeros((), np.float32),
        "mine": np.zeros(1, np.float32),
    }
    found = inspect(LENET | beside)
    assert found.networks == ("lenet",)
    assert len(found.of("network")) == len(LENET)
    roles = {v.name: v.role for v in found.variables if v.role != "network"}
    assert roles == dict(zip(beside, ["slot", "average", "slot", "left over"], strict=True))


def test_a_classifier_that_is_missing_is_named(inspect):
    found = inspect({name: array for name, array in LENET.items() if "fc4" not in name})
    assert found.networks == ("lenet",)
    assert found.missing == ("LeNet/fc4/weights is missing", "LeNet/fc4/biases is missing")


def test_of_an_unknown_network_the_nearest_is_named(inspect):
    found = inspect({name: array for name, array in LENET.items() if "conv1" not in name})
    assert (found.networks, found.classes) == ((), None)
    (message,) = found.missing
    assert "lenet is nearest: LeNet/conv1/weights is missing" in message


def test_statistics_count_what_is_not_finite(inspect):
    values = np.array([1, 3, np.nan, np.inf], np.float32)
    found = inspect({"a": values, "b": np.array([np.nan])}, statistics=True)
    statistics = {variable.name: variable.statistics for variable in found.variables}
    assert statistics == {"a": Statistics(2, 1, 1, 3, 2), "b": None}
