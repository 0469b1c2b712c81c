"""What `inspect` and `describe` say of ONNX files, in Python and on the command line."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import onnx
import penult
from onnx import TensorProto, helper
from penult.errors import CheckpointError, UsageError

from .onnx_models import KERNEL, MATRIX, classifier, node, onnx_model, tensor

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "tests/reference/checkpoints/mobilenet_v1_025_v2"
LAYERS = {
    "map": (6, 6, 16),
    "mean": (1, 1, 16),
    "vector": (16,),
    "logits": (5,),
    "probabilities": (5,),
}
REASON = "what its last matrix is multiplied with, to 'logits'"


@pytest.fixture
def path(tmp_path):
    """A classifier in a file whose name doesn't say what it is."""
    model = onnx_model(classifier())
    model.producer_name, model.producer_version = "pytorch", "2.9"
    (tmp_path / "network").write_bytes(model.SerializeToString())
    return tmp_path / "network"


def run(*arguments):
    command = [sys.executable, "-m", "penult", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_describe_lists_inputs_layers_and_what_is_taken(path):
    found = penult.describe(weights=path)
    assert isinstance(found, penult.OnnxDescription)
    assert (found.opset, found.producer, found.size) == (17, "pytorch 2.9", (6, 6))
    assert [(each.name, each.dtype, each.shape) for each in found.inputs] == [
        ("x", "float32", (None, 3, 6, 6))
    ]
    assert [each.name for each in found.outputs] == ["probabilities"]
    assert found.layers == LAYERS
    assert (found.features, found.reason) == (("vector",), REASON)


def test_inspect_lists_weights_too(path):
    found = penult.inspect(path, statistics=True)
    assert (found.format, found.bytes) == ("ONNX (opset 17)", path.stat().st_size)
    assert found.onnx == penult.describe(weights=path)
    kernel, matrix = found.variables
    assert (kernel.name, kernel.shape, kernel.dtype) == ("kernel", (16, 3, 3, 3), "float32")
    assert kernel.statistics.mean == pytest.approx(KERNEL.mean(dtype=np.float64))
    assert matrix.statistics.max == MATRIX.max()


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("FLOAT", [1.5, -2.5]),
        ("DOUBLE", [1.5, -2.5]),
        ("FLOAT16", [1.5, -2.5]),
        ("BFLOAT16", [1.5, -2.5]),
        ("INT8", [3, -7]),
        ("INT32", [3, -7]),
        ("INT64", [3, -(2**40)]),
        ("UINT64", [3, 2**63]),
        ("BOOL", [1, 0]),
    ],
)
@pytest.mark.parametrize("raw", [False, True])
def test_weights_of_any_type_are_read(path, dtype, values, raw):
    model = onnx_model(classifier())
    listed = helper.make_tensor("w", getattr(TensorProto, dtype), [2], values)
    if raw:
        listed = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(listed), "w")
    model.graph.initializer.append(listed)
    path.write_bytes(model.SerializeToString())
    *_, found = penult.inspect(path, statistics=True).variables
    assert (found.statistics.min, found.statistics.max) == (min(values), max(values))


def test_fewer_numbers_than_the_shape_says_are_damage(path):
    model = onnx_model(classifier())
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [3], [1, 2, 3]))
    del model.graph.initializer[-1].float_data[2]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match=r"'w': a tensor of shape \(3,\) with 2 numbers; dam"):
        penult.inspect(path, statistics=True)


def test_of_files_of_any_size_layers_are_shown_for_one(path):
    path.write_bytes(onnx_model(classifier(), shape=("n", 3, "h", "w")).SerializeToString())
    found = penult.describe(weights=path)
    assert (found.size, found.layers["map"]) == ((224, 224), (224, 224, 16))
    assert penult.describe(weights=path, size=9).layers["map"] == (9, 9, 16)


def test_what_has_to_be_chosen_is_part_of_the_description(path):
    model = onnx_model(classifier())
    model.graph.output.append(onnx.ValueInfoProto(name="map"))
    path.write_bytes(model.SerializeToString())
    found = penult.describe(weights=path)
    assert (found.layers, found.features) == (LAYERS, ())
    assert "has 1 input and 2 outputs: choose a layer (-l), such as 'vector' 16" in found.reason


def test_that_it_cannot_be_run_is_part_of_the_description(path):
    path.write_bytes(onnx_model([node("NoSuch", ["x"], ["y"])], "y").SerializeToString())
    found = penult.inspect(path).onnx
    assert (found.layers, found.features) == ({}, ())
    assert "ONNX Runtime can't run it" in found.reason


def test_other_weights_are_described_as_their_network(path):
    found = penult.describe("mobilenet_v1_025", weights=CHECKPOINT, size=96)
    assert found["Logits"].shape == (1001,)
    assert found.size == 96
    with pytest.raises(UsageError, match=r"network' is a network by itself: leave out the name"):
        penult.describe("mobilenet_v1_025", weights=path)
    with pytest.raises(UsageError, match="takes a network's name or a weights file"):
        penult.describe()


def test_the_commands_print_it(path):
    described, inspected = run("describe", "-w", path), run("inspect", path)
    assert (described.stderr, inspected.stderr) == ("", "")
    lines = described.stdout.splitlines()
    for line in [
        "format            ONNX (opset 17)",
        "inputs            x float32 ?×3×6×6",
        "features          vector",
        f"because           {REASON}",
    ]:
        assert line in lines
        assert line in inspected.stdout.splitlines()
    assert [line.split() for line in lines[-5:]] == [
        ["map", "6×6×16"],
        ["mean", "1×1×16"],
        ["vector", "(default)", "16"],
        ["logits", "5"],
        ["probabilities", "5"],
    ]
    assert inspected.stdout.splitlines()[-2].split() == ["kernel", "16×3×3×3", "float32", "network"]


def test_the_commands_print_it_as_json(path):
    described = json.loads(run("describe", "-w", path, "--json").stdout)
    assert described["layers"][2] == {"name": "vector", "shape": [16]}
    assert described["inputs"] == [{"name": "x", "dtype": "float32", "shape": [None, 3, 6, 6]}]
    inspected = json.loads(run("inspect", path, "--json").stdout)
    assert inspected["onnx"] == described
    assert [each["name"] for each in inspected["variables"]] == ["kernel", "matrix"]


def test_that_an_output_is_taken_is_one_line_of_the_command(path, tmp_path, photos):
    path.write_bytes(onnx_model(classifier(), "mean").SerializeToString())
    options = ["-w", path, "--preprocess", "raw", "-o", tmp_path / "t.lance"]
    result = run("extract", photos / "hens.jpg", *options)
    assert result.returncode == 0
    first, second = result.stderr.splitlines()
    note = "no classifier was found at its end, so its own output 'mean' is taken for the features"
    assert first == f"penult: '{path}': {note}; -l takes another layer"
    assert "1 computed" in second
    assert note in run("info", tmp_path / "t.lance").stdout
    again = run("extract", photos / "hens.jpg", *options, "-l", "mean")
    assert "no classifier" not in again.stderr


def test_scalars_are_read(path):
    model = onnx_model(classifier())
    model.graph.initializer.append(tensor(np.float32(2.5), "w"))
    path.write_bytes(model.SerializeToString())
    *_, found = penult.inspect(path, statistics=True).variables
    assert (found.shape, found.statistics.mean) == ((), 2.5)
