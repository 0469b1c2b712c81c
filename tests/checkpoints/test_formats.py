"""Small files in the containers that published checkpoints come in, against what was put in."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from penult.checkpoints import open_checkpoint

FORMATS = Path(__file__).parent / "data/formats"
PREFIXES = {  # what stands before the names that are wanted
    "moco_like.pth.tar": "module.",
    "dino_full_like.pth": "teacher.backbone.",
    "lightning_like.ckpt": "model.visual.",
}


def _expected():
    files = {}
    with np.load(FORMATS / "expected.npz") as arrays:
        for key, array in arrays.items():
            name, _, tensor = key.partition("|")
            files.setdefault(name, {})[tensor] = array
    return files


EXPECTED = _expected()


@pytest.mark.parametrize("file", EXPECTED)
def test_every_tensor_is_read(file):
    checkpoint = open_checkpoint(FORMATS / file).below(PREFIXES.get(file, ""))
    assert set(checkpoint) == set(EXPECTED[file])
    for name, array in EXPECTED[file].items():
        assert checkpoint[name].dtype == array.dtype, name
        assert np.array_equal(checkpoint[name], array), name


def test_a_program_of_torch_jit_is_read_as_data():
    checkpoint = open_checkpoint(FORMATS / "torchscript.pt")
    assert checkpoint.format == "PyTorch (TorchScript)"
    assert checkpoint.shapes == {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,)}
    with zipfile.ZipFile(FORMATS / "torchscript.pt") as archive:
        storages = [archive.read(f"script/data/{key}") for key in range(2)]
    assert [checkpoint[name].tobytes() for name in checkpoint] == storages


def test_a_gzipped_file_is_to_be_unpacked(refusal):
    message = refusal(FORMATS / "torchscript.pt.gz")
    assert message.endswith("a gzipped file, and no archive; unpack it (gunzip)")


def test_a_parameter_alone_is_refused_with_a_reason(refusal):
    assert "one tensor without a name; save" in refusal(FORMATS / "bare_parameter.pth")
