import tracemalloc

import numpy as np
import onnxruntime as ort
import pytest

import onnx
from penult import graph
from penult.engine import OnnxRuntime
from penult.errors import UsageError
from penult.graph import Constant, Value, Variable
from penult.onnx.file import OnnxFile
from penult.onnx.origin import Origin
from penult.onnx.writer import to_onnx, write_onnx

ORIGIN = Origin("tiny", ("block/map", "logits"), "none", "raw", "plain", 9, "00ff", "0.1.0")


def variable(name: str, *shape: int) -> Constant:
    return graph.plain(Variable(name, shape))


def read(variable: Variable) -> np.ndarray:
    seed = sum(variable.name.encode())
    return np.random.default_rng(seed).normal(size=variable.shape).astype(np.float32)


def layers() -> dict[str, Value]:
    """A network with every kind of attribute, shape and constant: scalars, pads, floats, NHWC."""
    x = graph.conv(graph.images(9), variable("kernel", 4, 3, 3, 3), variable("bias", 4), stride=2)
    x = graph.hard_swish(graph.relu6(x))
    x = graph.local_response_norm(x, radius=1, bias=1.0, alpha=0.1, beta=0.5)
    logits = graph.dense(graph.global_avg_pool(x), variable("fc", 5, 4), variable("fc_bias", 5))
    return {"block/map": graph.to_nhwc(x), "logits": logits}


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "tiny.onnx"
    write_onnx(path, layers(), read, ORIGIN.metadata())
    return path


def test_the_checker_accepts_it_and_infers_the_shapes_that_it_states(written):
    onnx.checker.check_model(written, full_check=True)
    model = onnx.shape_inference.infer_shapes(onnx.load(written), strict_mode=True)
    shapes = {
        each.name: [d.dim_param or d.dim_value for d in each.type.tensor_type.shape.dim]
        for each in [*model.graph.input, *model.graph.output]
    }
    assert shapes == {"images": ["n", 9, 9, 3], "block/map": ["n", 5, 5, 4], "logits": ["n", 5]}


def test_the_features_are_those_of_the_engine_to_the_bit(written):
    batch = np.random.default_rng(7).normal(size=(3, 9, 9, 3)).astype(np.float32)
    expected = OnnxRuntime(to_onnx(layers(), read)).run(batch)
    session = ort.InferenceSession(written, providers=["CPUExecutionProvider"])
    for name, array in expected.items():
        np.testing.assert_array_equal(session.run([name], {"images": batch})[0], array)


def test_it_says_where_it_comes_from(written):
    model = onnx.load(written)
    found = {each.key: each.value for each in model.metadata_props}
    assert found["penult_network"] == "tiny"
    assert found["penult_layers"] == '["block/map", "logits"]'
    assert found["penult_size"] == "9"
    assert Origin.of(found) == ORIGIN
    assert (model.producer_name, model.producer_version) == ("penult", "0.1.0")


@pytest.mark.parametrize(
    "changed",
    [
        {"penult_size": "large"},
        {"penult_layers": "fc7"},
        {"penult_layers": "[7]"},
        {"penult_layers": '"fc7"'},
        {"penult_layers": "[" * 100_000},
    ],
)
def test_an_origin_that_is_no_such_thing_is_none(changed):
    assert Origin.of(ORIGIN.metadata() | changed) is None
    assert Origin.of({}) is None


def test_an_existing_file_is_replaced_and_nothing_is_left_beside_it(written, tmp_path):
    before = written.read_bytes()
    write_onnx(written, {"logits": layers()["logits"]}, read, {})
    assert written.read_bytes() != before
    assert list(tmp_path.iterdir()) == [written]


def test_a_failure_leaves_the_existing_file_as_it_was(written, tmp_path):
    before = written.read_bytes()

    def failing(variable: Variable) -> np.ndarray:
        raise KeyError(variable.name)

    with pytest.raises(KeyError):
        write_onnx(written, layers(), failing, {})
    assert written.read_bytes() == before
    assert list(tmp_path.iterdir()) == [written]


def test_an_array_of_another_shape_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="cannot reshape"):
        write_onnx(tmp_path / "x.onnx", layers(), lambda v: np.zeros(1), {})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"can't write '.*x\.onnx': no such file or directory"):
        write_onnx(tmp_path / "missing" / "x.onnx", layers(), read, {})


@pytest.fixture
def divided(tmp_path):
    """The same, as if it were larger than ONNX allows: weights in a file of their own."""
    path = tmp_path / "large.onnx"
    write_onnx(path, layers(), read, ORIGIN.metadata(), limit=1000)
    return path


def test_more_than_onnx_allows_goes_into_a_file_beside_it(divided, written):
    names = {each.name for each in divided.parent.iterdir()}
    assert names == {"large.onnx", "large.onnx.data", "tiny.onnx"}
    onnx.checker.check_model(divided, full_check=True)
    one, two = onnx.load(written), onnx.load(divided)
    for first, second in zip(one.graph.initializer, two.graph.initializer, strict=True):
        expected = onnx.numpy_helper.to_array(first)
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(second), expected)
    for each in onnx.load(divided, load_external_data=False).graph.initializer:
        (offset,) = [int(pair.value) for pair in each.external_data if pair.key == "offset"]
        assert offset % 4096 == 0


def test_two_files_give_the_same_features_as_one(divided, written):
    batch = np.random.default_rng(7).normal(size=(3, 9, 9, 3)).astype(np.float32)
    one, two = ort.InferenceSession(written), ort.InferenceSession(divided)
    ours = [OnnxFile(path) for path in (written, divided)]
    assert ours[0].origin == ours[1].origin == ORIGIN
    for name in layers():
        expected = one.run([name], {"images": batch})[0]
        np.testing.assert_array_equal(two.run([name], {"images": batch})[0], expected)
        found, again = (OnnxRuntime(file.cut([name], "none")).run(batch)[name] for file in ours)
        np.testing.assert_array_equal(found, again)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_an_existing_pair_is_replaced_or_stays(divided):
    before = [path.read_bytes() for path in (divided, divided.with_name("large.onnx.data"))]

    def failing(variable: Variable) -> np.ndarray:
        raise KeyError(variable.name)

    with pytest.raises(KeyError):
        write_onnx(divided, layers(), failing, {}, limit=1000)
    after = [path.read_bytes() for path in (divided, divided.with_name("large.onnx.data"))]
    assert after == before
    write_onnx(divided, {"logits": layers()["logits"]}, read, {}, limit=100)
    assert OnnxFile(divided).outputs == ("logits",)
    assert len([*divided.parent.iterdir()]) == 2


def test_a_network_of_more_than_two_gigabytes_is_not_one_file(tmp_path, monkeypatch):
    huge = graph.dense(
        graph.flatten(graph.images(64)), variable("w", 50_000, 64 * 64 * 3), variable("b", 50_000)
    )
    written = []
    monkeypatch.setattr("penult.onnx.writer._write", lambda path, *_: written.append(path.name))
    with pytest.raises(UsageError, match="can't write"):  # nothing was, for want of room
        write_onnx(tmp_path / "x.onnx", {"huge": huge}, read, {})
    assert [name.split(".tmp")[0].rpartition(".")[0] for name in written] == [
        ".x.onnx.data",
        ".x.onnx",
    ]


def test_one_constant_is_in_memory_at_a_time(tmp_path):
    x = graph.flatten(graph.images(16))
    for index in range(8):  # 8 constants of 2.3 MB
        x = graph.dense(x, variable(f"w{index}", 768, 768), variable(f"b{index}", 768))
    tracemalloc.start()
    write_onnx(tmp_path / "x.onnx", {"x": x}, lambda v: np.zeros(v.shape, np.float32), {})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (tmp_path / "x.onnx").stat().st_size > 8 * 768 * 768 * 4
    assert peak < 3 * 768 * 768 * 4
