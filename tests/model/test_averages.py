"""Moving averages that PyTorch's trainers save beside the weights, or instead of them."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

import penult
from penult.checkpoints import open_checkpoint
from penult.errors import UsageError
from penult.graph import variables
from penult.model.matching import with_averages
from penult.nets import get

DATA = Path(__file__).parents[1] / "checkpoints/data"


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def numbers(values):
    return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"


@pytest.fixture
def save(tmp_path):
    """Save nested dicts of arrays as PyTorch does."""
    storages = []

    def opcodes(value):
        if isinstance(value, dict):
            items = (text(key) + opcodes(item) for key, item in value.items())
            return b"}(" + b"".join(items) + b"u"
        array = np.asarray(value, np.float32)
        strides = [each // array.itemsize for each in array.strides]
        storages.append(array.tobytes())
        key, size = text(str(len(storages) - 1)), b"J" + struct.pack("<i", array.size)
        storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + key + text("cpu") + size
        view = storage + b"tQK\0" + numbers(array.shape) + numbers(strides) + b"\x89}"
        return b"ctorch._utils\n_rebuild_tensor_v2\n(" + view + b"tR"

    def save_file(**content):
        path = tmp_path / "trained.pth"
        storages.clear()
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02" + opcodes(content) + b".")
            for key, raw in enumerate(storages):
                archive.writestr(f"archive/data/{key}", raw)
        return path

    return save_file


@pytest.mark.parametrize(
    ("plain", "averaged"),
    [("state_dict", "state_dict_ema"), ("model", "model_ema"), ("params", "params_ema")],
)
def test_the_averages_are_taken_if_asked_for(plain, averaged, save):
    path = save(**{plain: {"w": [1, 1], "b": [2]}, averaged: {"w": [3, 3]}})
    checkpoint = open_checkpoint(path)
    assert {name: array.tolist() for name, array in checkpoint.items()} == {"w": [1, 1], "b": [2]}
    assert not checkpoint.ema
    other = with_averages(checkpoint)
    assert {name: array.tolist() for name, array in other.items()} == {"w": [3, 3], "b": [2]}
    assert other.ema


@pytest.mark.parametrize(("plain", "averaged"), [("module.w", "w"), ("w", "module.w")])
def test_a_wrapper_is_overlooked_and_so_are_counters(plain, averaged, save):
    path = save(model={plain: [1, 1]}, model_ema={averaged: [3, 3], "n_averaged": 7})
    checkpoint = with_averages(open_checkpoint(path))
    assert {name: array.tolist() for name, array in checkpoint.items()} == {plain: [3, 3]}


@pytest.mark.parametrize("averages", [{"w": [1, 1], "v": [1, 1]}, {"w": [1, 1, 1]}])
def test_an_average_of_nothing_is_refused(averages, save):
    path = save(model={"w": [1, 1]}, model_ema=averages)
    reason = r"trained\.pth' holds no variable of 'model_ema\.[vw]', a moving average: save the"
    with pytest.raises(UsageError, match=reason):
        with_averages(open_checkpoint(path))


def test_averages_beside_bare_weights_are_taken_too(save):
    checkpoint = with_averages(open_checkpoint(save(w=[1, 1], ema={"w": [3, 3]})))
    assert checkpoint["w"].tolist() == [3, 3]


def test_averages_alone_are_averages_in_any_case():
    checkpoint = open_checkpoint(DATA / "averaged_only.pth")
    assert checkpoint.ema
    assert with_averages(checkpoint) is checkpoint


def test_what_pytorch_wrote_is_read():
    checkpoint = open_checkpoint(DATA / "averaged_beside.pth")
    averaged = with_averages(checkpoint)
    assert len(averaged) == len(checkpoint) > 0
    assert all(np.array_equal(averaged[name], checkpoint[name] + 1) for name in checkpoint)


def test_below_a_prefix_are_its_averages(save):
    path = save(model={"a.w": [1, 1], "b.w": [2, 2]}, ema={"a.w": [3, 3], "b.w": [4, 4]})
    assert with_averages(open_checkpoint(path).below("b."))["w"].tolist() == [4, 4]


def test_inspect_lists_them(save):
    found = penult.inspect(save(model={"w": [1, 1]}, model_ema={"w": [3, 3]}), statistics=True)
    (average,) = found.of("average")
    assert (average.name, average.shape, average.statistics.mean) == ("model_ema.w", (2,), 3)


def test_features_are_those_of_the_averages(save):
    needed = variables([get("lenet").layers()["Logits"]])
    rng = np.random.default_rng(1)
    weights = {each.name: rng.normal(0, 0.1, each.shape).astype(np.float32) for each in needed}
    averages = {name: array * 2 for name, array in weights.items()}
    image = np.zeros((28, 28, 3), np.uint8)
    image[5:20] = 200
    path = save(model=weights, model_ema=averages)
    with penult.load_model("lenet", weights=path, ema=True) as model:
        assert model.recipe.ema
        taken = model.features([image])
    with penult.load_model("lenet", weights=path) as model:
        plain = model.features([image])
    with penult.load_model("lenet", weights=save(model=averages)) as model:
        assert np.array_equal(model.features([image]), taken)
    assert not np.allclose(plain, taken)
