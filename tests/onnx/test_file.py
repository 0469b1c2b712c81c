import numpy as np
import pytest

import onnx
from onnx import TensorProto, helper
from penult import graph
from penult.engine import OnnxRuntime
from penult.errors import NetworkError, UsageError
from penult.onnx.file import OnnxFile
from penult.onnx.origin import Origin
from penult.onnx.writer import write_onnx

from .onnx_models import KERNEL, MATRIX, classifier, node, onnx_model, tensor


def images(n=3, size=6, channels=3):
    return np.random.default_rng(n).normal(size=(n, size, size, channels)).astype(np.float32)


def computed(file, layer, pool="avg", size=None, batch=None):
    cut = file.cut([layer], pool, size)
    engine = OnnxRuntime(cut)
    found = engine.run(images() if batch is None else batch)[layer]
    assert found.shape[1:] == cut.outputs[layer]
    return found


def convolved(batch):
    padded = np.pad(batch, [(0, 0), (1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.einsum("nhwckl,fckl->nhwf", windows, KERNEL)


def test_what_is_known_of_a_file_before_it_runs(opened):
    file = opened(classifier())
    assert (file.layout, file.channels, file.sides) == ("NCHW", 3, (6, 6))
    assert file.layers == ("map", "mean", "vector", "logits", "probabilities")
    assert (file.outputs, file.origin) == (("probabilities",), None)
    assert file.shapes() == {
        "map": (6, 6, 16),
        "mean": (1, 1, 16),
        "vector": (16,),
        "logits": (5,),
        "probabilities": (5,),
    }


def test_the_layer_before_the_classifier_is_the_default(opened):
    assert opened(classifier()).choose().layers == ("vector",)
    added = [*classifier()[:3], node("Transpose", ["matrix"], ["turned"])]
    added += [node("MatMul", ["vector", "turned"], ["a"]), node("Add", ["a", "five"], ["b"])]
    assert opened(added, "b").choose().layers == ("vector",)


def test_a_matrix_of_the_input_itself_has_no_layer_before_it(opened):
    six = node("Constant", [], ["square"], value=tensor(np.eye(6, dtype=np.float32), ""))
    choice = opened([six, node("MatMul", ["x", "square"], ["y"])], "y").choose()
    assert (choice.layers, choice.is_sure) == (("y",), False)


def test_logits_are_what_the_first_output_is_before_the_softmax(opened):
    assert opened(classifier()).logits == "logits"
    assert opened(classifier(), "logits").logits == "logits"
    assert opened([*classifier(), node("Identity", ["probabilities"], ["end"])], "end").logits == (
        "logits"
    )


def test_a_circle_of_operators_is_left(opened):
    circle = [node("Identity", ["a"], ["b"]), node("Identity", ["b"], ["a"])]
    file = opened(circle, "b")
    with pytest.raises(UsageError, match="has an output that isn't made of the images"):
        file.choose()
    assert file.logits == "b"
    with pytest.raises(NetworkError, match="layer 'b' isn't made of the images"):
        file.cut(["b"])


@pytest.mark.parametrize(
    ("pool", "expected"),
    [("avg", lambda x: x.mean((1, 2))), ("max", lambda x: x.max((1, 2))), ("none", lambda x: x)],
)
def test_maps_are_pooled_or_turned(opened, pool, expected):
    found = computed(opened(classifier()), "map", pool)
    np.testing.assert_allclose(found, expected(convolved(images())), rtol=1e-4, atol=1e-5)


def test_vectors_stay_as_they_are(opened):
    expected = convolved(images()).mean((1, 2)) @ MATRIX.T
    for pool in ("avg", "max", "none"):
        found = computed(opened(classifier()), "logits", pool)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ("avg", lambda x: x.mean(1)),
        ("max", lambda x: x.max(1)),
        ("none", lambda x: x),
        ("cls", lambda x: x[:, 0]),
    ],
)
def test_tokens_are_pooled_or_kept(opened, pool, expected):
    nodes = [
        node("Constant", [], ["shape"], value=tensor(np.array([0, 3, 36]), "")),
        node("Reshape", ["x", "shape"], ["flat"]),
        node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
    ]
    found = computed(opened(nodes, "tokens"), "tokens", pool)
    np.testing.assert_allclose(found, expected(images().reshape(3, 36, 3)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pool", ["avg", "none"])
def test_maps_with_channels_last_are_seen_as_such(opened, pool):
    file = opened([node("Relu", ["x"], ["y"])], "y", ("n", 6, 6, 3))
    assert file.layout == "NHWC"
    expected = images().clip(0)
    expected = expected.mean((1, 2)) if pool == "avg" else expected
    np.testing.assert_allclose(computed(file, "y", pool), expected, rtol=1e-5, atol=1e-6)


def test_a_map_has_no_class_token(opened):
    with pytest.raises(UsageError, match="layer 'map' is a map, so has no class token"):
        opened(classifier()).cut(["map"], "cls")


def test_several_layers_come_in_the_order_asked_for(opened):
    cut = opened(classifier()).cut(["logits", "map", "logits"])
    assert cut.outputs == {"logits": (5,), "map": (16,)}
    assert list(OnnxRuntime(cut).run(images())) == [*cut.outputs]


def test_only_what_a_layer_needs_is_in_the_model(opened):
    cut = opened(classifier()).cut(["vector"])
    model = onnx.load_from_string(cut.model)
    assert "Gemm" not in {each.op_type for each in model.graph.node}
    assert [each.name for each in model.graph.initializer] == ["kernel"]
    np.testing.assert_array_equal(cut.weights["kernel"], KERNEL)


def test_a_batch_of_one_is_run_image_by_image(opened):
    file = opened(classifier(), shape=(1, 3, 6, 6))
    expected = convolved(images()).mean((1, 2))
    np.testing.assert_allclose(computed(file, "vector"), expected, rtol=1e-4, atol=1e-5)


def test_an_open_size_is_chosen_by_the_caller(opened):
    file = opened(classifier(), shape=("n", 3, "h", "w"))
    assert file.sides is None
    assert file.cut(["map"], "none", 8).outputs == {"map": (8, 8, 16)}
    with pytest.raises(UsageError, match=r"takes images of any size: say which \(--size\)"):
        file.cut(["map"])
    with pytest.raises(UsageError, match="a size of 5000 isn't from 1 to 4096"):
        file.cut(["map"], size=5000)


def test_a_size_that_the_file_does_not_have_is_refused(opened):
    with pytest.raises(UsageError, match=r"net\.onnx' takes images of 6 pixels, not 8"):
        opened(classifier()).cut(["map"], size=8)


def test_one_channel_is_enough(opened):
    file = opened([node("Relu", ["x"], ["y"])], "y", ("n", 1, 6, 6))
    found = computed(file, "y", "none", batch=images(channels=1))
    np.testing.assert_array_equal(found, images(channels=1).clip(0))


def test_old_files_list_their_weights_as_inputs_too(save):
    model = onnx_model(classifier())
    model.ir_version = 3
    for name, array in [("kernel", KERNEL), ("matrix", MATRIX)]:
        info = helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
        model.graph.input.append(info)
    expected = convolved(images()).mean((1, 2))
    np.testing.assert_allclose(computed(OnnxFile(save(model)), "vector"), expected, rtol=1e-3)


def test_weights_listed_one_by_one_are_read(save):
    model = onnx_model(classifier())
    matrix = model.graph.initializer[1]
    matrix.ClearField("raw_data")
    matrix.float_data.extend(MATRIX.ravel().tolist())
    expected = convolved(images()).mean((1, 2)) @ MATRIX.T
    found = computed(OnnxFile(save(model)), "logits")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_files_that_penult_wrote_are_recognised(tmp_path):
    origin = Origin("tiny", ("block/map", "mean"), "none", "raw", "plain", 6, "00ff", "0.1.0")
    x = graph.relu(graph.images(6))
    values = {"block/map": graph.to_nhwc(x), "mean": graph.global_avg_pool(x)}
    path = tmp_path / "own.onnx"
    write_onnx(path, values, lambda v: v, origin.metadata())
    file = OnnxFile(path)
    assert (file.origin, file.layout, file.sides) == (origin, "NHWC", (6, 6))
    assert file.choose().layers == ("block/map", "mean")
    np.testing.assert_array_equal(computed(file, "block/map", "none"), images().clip(0))
    expected = images().clip(0).mean((1, 2))
    np.testing.assert_allclose(computed(file, "mean"), expected, rtol=1e-5)


def test_the_digest_is_that_of_the_file(save):
    import hashlib

    path = save(onnx_model(classifier()))
    assert OnnxFile(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("layer", "runs"), [("vector", 0), ("map", 0), ("result", 1)])
def test_a_file_is_run_only_where_shapes_cannot_be_inferred(opened, layer, runs, monkeypatch):
    ran, run = [], OnnxRuntime.run
    monkeypatch.setattr(
        OnnxRuntime, "run", lambda self, batch: ran.append(batch) or run(self, batch)
    )
    nodes = [node("Shape", ["map"], ["sizes"]), node("Reshape", ["map", "sizes"], ["result"])]
    cut = opened([*classifier(), *nodes], "result").cut([layer], "max")
    assert cut.outputs == {layer: (16,)}
    assert len(ran) == runs


@pytest.mark.parametrize("batch", ["n", 1])
def test_layers_that_are_not_features_are_named(opened, batch):
    n = 2 if batch == "n" else 1
    nodes = [*classifier(), node("Shape", ["map"], ["sizes"]), node("Cast", ["x"], ["whole"], to=7)]
    nodes += [node("ReduceMax", ["x"], ["most"], keepdims=0), node("Relu", ["matrix"], ["const"])]
    file = opened(nodes, shape=(batch, 3, 6, 6))
    assert list(file.shapes()) == ["map", "mean", "vector", "logits", "probabilities"]
    with pytest.raises(NetworkError, match="layer 'whole' is int64, not float32"):
        file.cut(["whole"])
    with pytest.raises(NetworkError, match="layer 'const' isn't made of the images: choose"):
        file.cut(["const"])
    with pytest.raises(NetworkError, match=rf"layer 'most' of {n} images is \(\), not a vector"):
        file.cut(["most"])
    with pytest.raises(UsageError, match=r"net\.onnx' has no layer 'vecto'; nearest: vector"):
        file.cut(["vecto"])
