import os
import random
from pathlib import Path

import numpy as np
import pytest

import penult
from onnx import TensorProto, helper
from penult.errors import CheckpointError, NetworkError
from penult.onnx.file import OnnxFile, is_onnx

from .onnx_models import KERNEL, classifier, convolution, node, onnx_model, tensor

CHECKPOINTS = Path(__file__).parents[1] / "reference/checkpoints"


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (("n", 3, 6), r"takes an input of 3 dimensions, not images \(4\)"),
        (("n", 3, 6, 5000), "takes images of 6×5000 pixels, more than 4096"),
    ],
)
def test_other_inputs_are_refused(opened, shape, reason):
    with pytest.raises(CheckpointError, match=rf"net\.onnx' {reason}"):
        opened(classifier(), shape=shape)


@pytest.mark.parametrize("shape", [("n", "c", 6, 6), ("n", 3, 3, 3)])
def test_channels_that_nothing_tells_are_refused(opened, shape):
    nodes = [node("Relu", ["x"], ["y"])]
    with pytest.raises(CheckpointError, match=r"×.×., where 1 or 3 channels aren't clear"):
        opened(nodes, "y", shape)


@pytest.mark.parametrize("dtype", ["UINT8", "STRING"])
def test_inputs_of_another_type_are_refused(opened, dtype):
    name = {"STRING": "something else"}.get(dtype, dtype.lower())
    with pytest.raises(CheckpointError, match=f"takes {name}, not float32: export it in float32"):
        opened(classifier(), dtype=getattr(TensorProto, dtype))


def two_inputs(model):
    model.graph.input.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, 6, 6]))


def foreign_operator(model):
    model.graph.node[1].domain = "com.example"


def function(model):
    opsets = [helper.make_opsetid("", 17)]
    body = [node("Relu", ["a"], ["b"])]
    model.functions.append(helper.make_function("own", "F", ["a"], ["b"], body, opsets))


def loop(model):
    body = onnx_model(classifier()).graph
    model.graph.node.append(node("If", ["c"], ["d"], then_branch=body, else_branch=body))


def external_in_a_node(model):
    value = tensor(KERNEL, "value")
    value.external_data.add(key="location", value="*/_ORT_MEM_ADDR_/*")
    model.graph.node.append(node("Constant", [], ["c"], value=value))


def short(model):
    model.graph.initializer[0].raw_data = KERNEL.tobytes()[:-4]


def negative(model):
    model.graph.initializer[0].dims[0] = -16


def many_dimensions(model):
    model.graph.initializer[0].dims[:] = [2**31 - 1] * 90_000


def huge(model):
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.dims[:] = [2**20, 2**20]


def text_weights(model):
    model.graph.initializer.append(helper.make_tensor("t", TensorProto.STRING, [1], ["a"]))


def sparse(model):
    index = tensor(np.array([0]), "")
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(tensor(np.float32([1]), "s"), index, [4])
    )


def sparse_in_a_node(model):
    sparse(model)
    value = model.graph.sparse_initializer.pop()
    model.graph.node.append(node("Constant", [], ["c"], sparse_value=value))


def no_outputs(model):
    model.graph.ClearField("output")


def no_operators(model):
    model.ClearField("opset_import")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (two_inputs, r"takes 2 inputs \('x', 'y'\), not one batch of images"),
        (foreign_operator, "uses the operator 'GlobalAveragePool' of 'com.example', not of ONNX"),
        (function, "has functions: inline them"),
        (loop, r"has control flow \('If'\): simplify it first"),
        (external_in_a_node, "keeps 'value' of an operator in another file"),
        (short, "tensor 'kernel' has 1724 bytes where 1728 were expected; damaged or forged"),
        (negative, r"tensor 'kernel' of shape \(-16, 3, 3, 3\); damaged"),
        (many_dimensions, "field 1 with more than 64 numbers; damaged"),
        (huge, "tensor 'kernel' of 1099511627776 elements in .* bytes; damaged"),
        (text_weights, "has 't' of data type 8, which isn't read"),
        (sparse, "has sparse weights"),
        (sparse_in_a_node, "has sparse weights"),
        (no_outputs, "a graph without outputs; damaged"),
        (no_operators, "no version of ONNX's operators, or several; damaged"),
    ],
)
def test_what_a_network_does_not_need_is_refused(save, change, reason):
    model = onnx_model(classifier())
    change(model)
    with pytest.raises(CheckpointError, match=rf"net\.onnx'.* {reason}"):
        OnnxFile(save(model))


def test_what_onnx_runtime_refuses_is_one_line(save, capfd):
    model = onnx_model(classifier())
    model.graph.node[1].op_type = "NoSuch\nOperator"
    with pytest.raises(NetworkError, match=r"net\.onnx': ONNX Runtime can't run it: .*NoSuch"):
        OnnxFile(save(model)).cut(["probabilities"])
    model = onnx_model(classifier())
    model.opset_import[0].version = 99
    with pytest.raises(NetworkError, match=r"version 99 of ONNX's operators") as caught:
        OnnxFile(save(model)).cut(["probabilities"])
    assert str(caught.value).isprintable()
    assert capfd.readouterr() == ("", "")


def test_files_that_are_no_onnx_are_refused(tmp_path):
    path = tmp_path / "net.onnx"
    with pytest.raises(CheckpointError, match=r"net\.onnx': no such file or directory"):
        OnnxFile(path)
    for content, reason in [(b"", "an empty file"), (b"\x08\x08", "no graph, so not")]:
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=reason):
            OnnxFile(path)
    with pytest.raises(CheckpointError, match=r": a folder$"):
        OnnxFile(tmp_path)


def test_only_onnx_begins_like_it(tmp_path, photos, save):
    others = [*CHECKPOINTS.rglob("*"), *photos.iterdir(), tmp_path, tmp_path / "nowhere"]
    assert len(others) > 20
    assert not any(is_onnx(path) for path in others)
    path = save(onnx_model(classifier()))
    assert is_onnx(path)
    for content in (b"\x08\x08\x12", b"\x08\x00\x3a\x00", b"\x08\x08\x1a", b"\x12\x00" * 200_000):
        (tmp_path / "other").write_bytes(content)
        assert not is_onnx(tmp_path / "other")


def test_a_file_that_was_cut_is_damaged_whatever_its_name(tmp_path):
    raw = onnx_model(classifier()).SerializeToString()
    (tmp_path / "network").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(CheckpointError, match=r"network': a field of .* are left; damaged"):
        penult.load_model(weights=tmp_path / "network")
    (tmp_path / "net.onnx").write_bytes(b"<html>no such file</html>")
    with pytest.raises(CheckpointError, match=r"begins with b'<html>no', .*: .*, ONNX$"):
        penult.load_model(weights=tmp_path / "net.onnx")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    with pytest.raises(CheckpointError, match="not a regular file"):
        OnnxFile(tmp_path / "pipe.onnx")


def test_a_file_larger_than_protocol_buffers_is_refused(tmp_path):
    path = tmp_path / "net.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)  # takes no space
    with pytest.raises(CheckpointError, match=r"net\.onnx' has 2147483648 bytes; an ONNX file has"):
        OnnxFile(path)


def test_a_file_cut_anywhere_is_refused_or_lacks_what_is_needed(save):
    path = save(onnx_model([convolution()], "map"))
    raw = path.read_bytes()
    for length in range(len(raw)):
        path.unlink()
        path.write_bytes(raw[:length])
        with pytest.raises((CheckpointError, NetworkError)):
            OnnxFile(path).cut(["map"])


def test_a_file_with_something_wrong_is_refused_in_one_line_or_opened(tmp_path):
    rng = random.Random(7)
    raw = onnx_model(classifier()).SerializeToString()
    path = tmp_path / "net.onnx"
    messages = []
    for _ in range(2000):
        at, length = rng.randrange(len(raw)), rng.choice([1, 2, 4, 8])
        new = rng.choice([rng.randbytes(length), b"", bytes(length), b"\xff" * length])
        path.unlink(missing_ok=True)
        path.write_bytes(raw[:at] + new + raw[at + length :])
        try:
            OnnxFile(path)
        except CheckpointError as exc:
            messages.append(str(exc))
    assert 0 < len(messages) < 2000
    assert all(message.isprintable() and len(message) < 300 for message in messages)
