"""Of several copies of a network in one file, none is taken silently."""

import numpy as np
import pytest
from safetensors.numpy import save_file

import penult
from penult.checkpoints import open_checkpoint
from penult.errors import UsageError

CHECKPOINT = "tests/reference/checkpoints/mobilenet_v1_025_v2"


@pytest.fixture(scope="module")
def tensors():
    checkpoint = open_checkpoint(CHECKPOINT)
    names = [name for name in checkpoint if name.startswith("MobilenetV1")]
    return {name: np.array(checkpoint[name]) for name in names}


@pytest.fixture
def file(tensors, tmp_path):
    """Write copies of the network, by what stands before their names and what they are times."""

    def write(**copies):
        path = tmp_path / "copies.safetensors"
        save_file(
            {
                f"{c}/{n}".lstrip("/"): t * factor
                for c, factor in copies.items()
                for n, t in tensors.items()
            },
            path,
        )
        return path

    return write


OPTIONS = {"model": "mobilenet_v1_025"}


def test_copies_are_asked_about(file):
    path = file(student=np.float32(0), teacher=np.float32(1))
    message = r"holds 2 copies of mobilenet_v1_025, below 'student/' and 'teacher/': say which"
    with pytest.raises(UsageError, match=message):
        penult.load_model(weights=path, size=128)
    with pytest.raises(UsageError, match=message):
        penult.load_model(weights=path, **OPTIONS)


def test_the_copy_that_is_named_is_taken(file, photos):
    path = file(student=np.float32(0), teacher=np.float32(1))
    expected = penult.load_model(weights=CHECKPOINT, **OPTIONS).features([photos / "hens.jpg"])
    model = penult.load_model(weights=path, size=128, prefix="teacher/")
    np.testing.assert_array_equal(model.features([photos / "hens.jpg"]), expected)
    assert model.recipe.prefix == "teacher/"


def test_a_table_remembers_the_copy(file, photos, tmp_path):
    path = file(student=np.float32(0.5), teacher=np.float32(1))
    table = penult.extract(
        photos / "space", weights=path, size=128, prefix="teacher/", out=tmp_path / "t.lance"
    )
    assert penult.verify(table.path).ok


def test_a_copy_at_the_top_is_the_network(file):
    path = file(**{"": np.float32(1), "average": np.float32(2)})
    assert penult.load_model(weights=path, size=128).recipe.prefix == ""


def test_inspect_names_the_copies(file):
    path = file(online=np.float32(0), target=np.float32(1))
    assert penult.inspect(path).prefixes == ("online/", "target/")


def test_a_prefix_that_there_is_not_is_refused(file):
    path = file(online=np.float32(0), target=np.float32(1))
    with pytest.raises(UsageError, match="has nothing below 'targets/'; nearest: "):
        penult.load_model(weights=path, prefix="targets/")
