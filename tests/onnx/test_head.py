"""Which layer is the features: classifiers however they end, detectors, several outputs."""

from pathlib import Path

import numpy as np
import pytest

import onnx
from onnx import TensorProto, helper
from penult.engine import OnnxRuntime
from penult.errors import UsageError
from penult.onnx.file import OnnxFile

from .onnx_models import MATRIX, RNG, classifier, convolution, node, onnx_model, tensor

BATCH = np.random.default_rng(5).normal(size=(3, 6, 6, 3)).astype(np.float32)
MEAN = node("GlobalAveragePool", ["map"], ["mean"])
SCORES = node("Conv", ["map", "pointwise"], ["scores"])
SOFTMAX = node("Softmax", ["logits"], ["probabilities"])


def flat(source, result="logits"):
    return node("Flatten", [source], [result])


def with_weights(model, **arrays):
    model.graph.initializer.extend(tensor(a, name) for name, a in arrays.items())
    return model


@pytest.fixture
def ended(save):
    """A file of a convolution and `nodes`, in which `pointwise` is the matrix as a kernel."""

    def ended(*nodes, output="probabilities", classes=5, shape=("n", 3, 6, 6)):
        matrix = MATRIX if classes == 5 else RNG.normal(size=(classes, 16)).astype(np.float32)
        model = onnx_model([convolution(), *nodes], output, shape)
        axes = np.array([2, 3])
        return OnnxFile(save(with_weights(model, pointwise=matrix[:, :, None, None], axes=axes)))

    return ended


def features(file):
    """What is computed when nobody names a layer."""
    (layer,) = file.choose().layers
    return OnnxRuntime(file.cut([layer])).run(BATCH)[layer]


@pytest.mark.parametrize(
    ("nodes", "layer"),
    [
        ([MEAN, node("Conv", ["mean", "pointwise"], ["scores"]), flat("scores"), SOFTMAX], "mean"),
        (
            [  # of pooled maps that went through more
                node("ReduceMean", ["map", "axes"], ["mean"], keepdims=1),
                node("Dropout", ["mean"], ["dropped"]),
                node("Conv", ["dropped", "pointwise"], ["scores"]),
                node("Squeeze", ["scores", "axes"], ["logits"]),
                SOFTMAX,
            ],
            "dropped",
        ),
        (
            [  # a window as large as the map
                node("AveragePool", ["map"], ["mean"], kernel_shape=[6, 6]),
                node("Conv", ["mean", "pointwise"], ["probabilities"]),
            ],
            "mean",
        ),
        ([SCORES, node("GlobalAveragePool", ["scores"], ["a"]), flat("a"), SOFTMAX], "map"),
        (
            [  # as SqueezeNet ends
                node("Dropout", ["map"], ["dropped"]),
                node("Conv", ["dropped", "pointwise"], ["scores"]),
                node("Relu", ["scores"], ["positive"]),
                node("AveragePool", ["positive"], ["pooled"], kernel_shape=[6, 6]),
                node("Softmax", ["pooled"], ["maps"], axis=1),
                flat("maps", "probabilities"),
            ],
            "dropped",
        ),
    ],
)
def test_a_convolution_as_classifier_is_left_out_as_the_matrix_is(opened, ended, nodes, layer):
    expected = features(opened(classifier()))
    opset = 18 if any(each.op_type == "ReduceMean" for each in nodes) else 17
    file = ended(*nodes) if opset == 17 else _with_opset(ended, nodes, opset)
    choice = file.choose()
    assert (choice.layers, choice.is_sure) == ((layer,), True)
    assert "classifier" in choice.reason
    np.testing.assert_allclose(features(file), expected, rtol=1e-5, atol=1e-6)


def _with_opset(ended, nodes, version):
    path = ended(*nodes).path
    model = onnx.load(path)
    model.opset_import[0].version = version
    path.unlink()
    path.write_bytes(model.SerializeToString())
    return OnnxFile(path)


@pytest.mark.parametrize(
    ("name", "layer", "shape", "logits"),
    [
        ("densenet121", "r908", (1, 1, 1024), "fc6_1"),
        ("inception_v1", "r141", (1024,), "r143"),
        ("resnet50", "r173", (2048,), "r174"),
        ("shufflenet", "r200", (544,), "r201"),
        ("squeezenet", "r61", (13, 13, 512), "r65"),
    ],
)
def test_networks_of_the_onnx_zoo(name, layer, shape, logits):
    """As published, but for the weights: the ONNX package has them for its own tests."""
    file = OnnxFile(Path(onnx.__file__).parent / f"backend/test/data/light/light_{name}.onnx")
    choice = file.choose()
    assert (choice.layers, choice.is_sure, file.logits) == ((layer,), True, logits)
    assert file._shapes([layer], 224) == {layer: shape}


@pytest.mark.parametrize(("classes", "layer", "is_sure"), [(1000, "map", True), (7, "y", False)])
def test_without_a_softmax_the_number_of_classes_tells(ended, classes, layer, is_sure):
    file = ended(
        SCORES,
        node("GlobalAveragePool", ["scores"], ["a"]),
        flat("a", "y"),
        output="y",
        classes=classes,
    )
    choice = file.choose()
    assert (choice.layers, choice.is_sure) == ((layer,), is_sure)


@pytest.mark.parametrize("output", ["map", "vector"])
def test_without_a_classifier_the_output_is_taken_and_that_is_said(opened, output):
    choice = opened(classifier(), output).choose()
    assert (choice.layers, choice.is_sure) == ((output,), False)
    assert choice.reason == (
        f"no classifier was found at its end, so its own output '{output}' is taken for the"
        " features; -l takes another layer"
    )


def test_an_output_that_is_called_an_embedding_is_one(opened):
    nodes = [*classifier()[:3], node("Gemm", ["vector", "matrix"], ["image_embeds"], transB=1)]
    choice = opened(nodes, "image_embeds").choose()
    assert (choice.layers, choice.is_sure) == (("image_embeds",), True)
    assert choice.reason == "its output 'image_embeds' is called so"


def test_a_vector_that_is_made_of_its_own_size_has_one_source(ended):
    """`x.view(x.size(0), -1)` in PyTorch: the size is computed, but not of pixels."""
    file = ended(
        MEAN,
        node("Shape", ["mean"], ["shape"]),
        node("Constant", [], ["first"], value=tensor(np.array([0]), "")),
        node("Gather", ["shape", "first"], ["n"]),
        node("Constant", [], ["rest"], value=tensor(np.array([-1]), "")),
        node("Concat", ["n", "rest"], ["sizes"], axis=0),
        node("Reshape", ["mean", "sizes"], ["vector"]),
        node("Gemm", ["vector", "matrix"], ["scores"], transB=1),
        node("Reshape", ["scores", "sizes"], ["probabilities"]),
    )
    assert file.choose().layers == ("vector",)


def test_a_classifier_that_gives_the_class_only_is_one(opened):
    nodes = [*classifier(), node("ArgMax", ["probabilities"], ["class"], axis=1)]
    assert opened(nodes, "class").choose().layers == ("vector",)


def test_an_output_that_is_no_layer_is_refused(opened):
    nodes = [*classifier(), node("Cast", ["map"], ["whole"], to=TensorProto.INT64)]
    nodes += [node("Abs", ["whole"], ["y"])]
    with pytest.raises(UsageError, match=r"'y' holds no features: choose a layer \(-l\)$"):
        opened(nodes, "y").choose()


def test_a_map_that_a_convolution_makes_is_no_classifier(ended):
    choice = ended(SCORES, output="scores").choose()
    assert (choice.layers, choice.is_sure) == (("scores",), False)


def test_a_second_input_that_everything_depends_on_leaves_what_is_before_it(save):
    nodes = [*classifier()[:3], node("Mul", ["vector", "keep"], ["y"])]
    model = onnx_model(nodes, "y")
    model.graph.input.append(helper.make_tensor_value_info("keep", TensorProto.FLOAT, []))
    file = OnnxFile(save(model))
    with pytest.raises(UsageError, match=r"2 inputs and 1 output: .* alone .*'map' 6x6x16"):
        file.choose()
    assert file.layers == ("map", "mean", "vector")


def test_a_long_way_back_from_an_output_is_given_up(ended):
    turned = [node("Identity", [f"i{n}"], [f"i{n + 1}"]) for n in range(40)]
    nodes = [MEAN, flat("mean"), node("Gemm", ["logits", "matrix"], ["i0"], transB=1), *turned]
    choice = ended(*nodes, output="i40").choose()
    assert (choice.layers, choice.is_sure) == (("i40",), False)


def test_an_output_that_nothing_computes_is_refused(opened):
    with pytest.raises(UsageError, match=r"net\.onnx' has an output that isn't made of the images"):
        opened(classifier(), "nowhere").choose()


def _detector(ends, outputs):
    """Two stages, the second of half the size; enlarged and joined; a head on each."""
    nodes = [
        convolution(),
        node("Relu", ["map"], ["stage_1"]),
        node("MaxPool", ["stage_1"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Conv", ["half", "square"], ["deeper"]),
        node("Sigmoid", ["deeper"], ["gate"]),
        node("Mul", ["deeper", "gate"], ["stage_2"]),
        node("Resize", ["stage_2", "", "scales"], ["enlarged"]),
        node("Concat", ["enlarged", "stage_1"], ["neck"], axis=1),
        node("Conv", ["neck", "wide"], ["large"]),
        node("Conv", ["stage_2", "pointwise"], ["small"]),
        node("Reshape", ["large", "flat"], ["boxes_1"]),
        node("Reshape", ["small", "flat"], ["boxes_2"]),
        node("Concat", ["boxes_1", "boxes_2"], ["boxes"], axis=2),
        *ends,
    ]
    model = onnx_model(nodes, outputs[0], (1, 3, 6, 6))
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs[1:])
    return with_weights(
        model,
        pointwise=MATRIX[:, :, None, None],
        square=np.eye(16, dtype=np.float32)[:, :, None, None],
        wide=np.ones((5, 32, 1, 1), np.float32),
        scales=np.array([1, 1, 2, 2], np.float32),
        flat=np.array([0, 5, -1]),
        most=np.array([3]),
    )


STAGES = r"such as 'stage_2' 3x3x16, 'stage_1' 6x6x16$"


@pytest.mark.parametrize(
    ("ends", "outputs"),
    [
        ([], ["boxes"]),
        ([node("Sigmoid", ["boxes"], ["a"]), node("Transpose", ["a"], ["y"], perm=[0, 2, 1])], "y"),
        ([node("Sigmoid", ["boxes"], ["scores"])], ["boxes", "scores"]),
        (
            [
                node("Transpose", ["boxes"], ["turned"], perm=[0, 2, 1]),
                node("Slice", ["turned", "zero", "four", "two"], ["corners"]),
                node("NonMaxSuppression", ["corners", "boxes", "most"], ["kept"]),
            ],
            ["kept"],
        ),
    ],
)
def test_detectors_are_refused_and_their_stages_named(save, ends, outputs):
    model = _detector(ends, outputs)
    numbers = {"zero": [0], "four": [4], "two": [2]}
    with_weights(model, **{name: np.array(value) for name, value in numbers.items()})
    file = OnnxFile(save(model))
    names = ", ".join(f"'{name}'" for name in outputs)
    with pytest.raises(UsageError, match=rf"net\.onnx' is a detector or .*{names}.*{STAGES}"):
        file.choose()
    assert file.cut(["stage_2"]).outputs == {"stage_2": (16,)}


def test_several_outputs_are_asked_about(save):
    model = onnx_model(classifier())
    model.graph.output.extend([onnx.ValueInfoProto(name=name) for name in ("map", "vector")])
    file = OnnxFile(save(model))
    with pytest.raises(UsageError, match=r"net\.onnx' has 1 input and 3 outputs: choose") as asked:
        file.choose()
    assert str(asked.value).endswith("(-l), such as 'vector' 16, 'probabilities' 5, 'map' 6x6x16")
    with pytest.raises(UsageError, match=r"has several outputs \('probabilities', 'map', 'vector'"):
        print(file.logits)


@pytest.fixture
def towers(save):
    """Images and texts, as CLIP: embeddings of both, and how alike they are."""
    nodes = [
        *classifier()[:3],
        node("MatMul", ["vector", "project"], ["image_embeds"]),
        node("Gather", ["words", "tokens"], ["embedded"]),
        node("ReduceMean", ["embedded"], ["text_embeds"], axes=[1], keepdims=0),
        node("Transpose", ["text_embeds"], ["turned"], perm=[1, 0]),
        node("MatMul", ["image_embeds", "turned"], ["logits_per_image"]),
    ]
    model = onnx_model(nodes, "logits_per_image")
    model.graph.input.insert(
        0, helper.make_tensor_value_info("tokens", TensorProto.INT64, ["t", 7])
    )
    model.graph.output.extend(
        [onnx.ValueInfoProto(name=name) for name in ("text_embeds", "image_embeds")]
    )
    weights = {"project": RNG.normal(size=(16, 4)), "words": RNG.normal(size=(9, 4))}
    return OnnxFile(save(with_weights(model, **{k: v.astype("f4") for k, v in weights.items()})))


def test_two_towers_are_asked_about_and_only_images_are_run(towers):
    assert towers.layers == ("map", "mean", "vector", "image_embeds")
    question = (
        r"has 2 inputs and 3 outputs: choose a layer made of images alone \(-l\), such as"
        r" 'image_embeds' 4$"
    )
    with pytest.raises(UsageError, match=question):
        towers.choose()
    found = OnnxRuntime(towers.cut(["image_embeds"])).run(BATCH)["image_embeds"]
    assert found.shape == (3, 4)
    with pytest.raises(UsageError, match=r"has no layer 'text_embeds'; nearest: image_embeds"):
        towers.cut(["text_embeds"])
