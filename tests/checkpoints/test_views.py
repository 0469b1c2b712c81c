"""Storages as a pickle describes them, and tensors as views of storages."""

import struct

import pytest

from penult.checkpoints import open_checkpoint
from penult.checkpoints.torch_objects import MAX_EXPANDED

FOUR = struct.pack("<4f", 1, 2, 3, 4)


@pytest.mark.parametrize(
    "identity",
    [
        lambda op: op.tuple(op.text("storage")),
        lambda op: op.tuple(op.text("module"), b"N", b"N", b"N", b"N"),
        lambda op: op.tuple(b"N", b"N", b"N", b"N", b"N"),
    ],
)
def test_persistent_ids_are_those_of_storages(identity, op, write_zip, refusal):
    path = write_zip(op.pickle(identity(op), b"Q"))
    assert "a persistent id that isn't a storage's" in refusal(path)


@pytest.mark.parametrize(
    "parts",
    [
        lambda op: [b"N", op.text("0"), op.text("cpu"), b"K\4"],
        lambda op: [op.name("torch", "float32"), op.text("0"), op.text("cpu"), b"K\4"],
        lambda op: [op.name("torch", "FloatStorage"), b"K\0", op.text("cpu"), b"K\4"],
        lambda op: [op.name("torch", "FloatStorage"), op.text("0"), op.text("cpu"), b"\x88"],
        lambda op: [op.name("torch", "FloatStorage"), op.text("0"), op.text("cpu"), b"N"],
        lambda op: [op.name("torch", "FloatStorage"), op.text("0"), op.text("cpu"), op.number(-1)],
        lambda op: [
            op.name("torch", "FloatStorage"),
            op.text("0"),
            op.text("cpu"),
            op.number(2**63),
        ],
    ],
)
def test_storages_have_type_key_and_size(parts, op, write_zip, refusal):
    path = write_zip(op.pickle(op.tuple(op.text("storage"), *parts(op)), b"Q"))
    assert "a storage without type, key or size" in refusal(path)


@pytest.mark.parametrize(
    "view",
    [
        {"shape": (5,)},
        {"offset": 1},
        {"offset": 5, "shape": (0,)},
        {"offset": 2**62, "shape": (1,)},
        {"shape": (2, 2), "strides": (3, 1)},
        {"shape": (2,), "strides": (2**62,)},
        {"shape": (1, 2**62), "strides": (0, 2**62)},
    ],
)
def test_a_tensor_lies_within_its_storage(view, op, write_zip, refusal):
    path = write_zip(op.state(**view))
    message = refusal(path)
    assert "a tensor that reaches beyond its storage" in message


@pytest.mark.parametrize(
    "view",
    [
        {"shape": (-1,)},
        {"shape": (2**63,)},
        {"strides": (-1,)},
        {"shape": (2, 2)},
        {"shape": (1,) * 65, "strides": (1,) * 65},
    ],
)
def test_shape_and_strides_are_sizes(view, op, write_zip, refusal):
    message = refusal(write_zip(op.state(**view)))
    assert "a tensor whose shape and strides aren't tuples of sizes" in message


@pytest.mark.parametrize("view", [{"offset": -1}, {"storage": b"N"}, {"storage": b"]"}])
def test_a_tensor_has_storage_and_offset(view, op, write_zip, refusal):
    assert "a tensor without storage or offset" in refusal(write_zip(op.state(**view)))


@pytest.mark.parametrize(
    ("shape", "strides"),
    [
        ((MAX_EXPANDED + 1,), (0,)),
        ((2**40,), (0,)),
        ((2**62, 2**62), (0, 0)),
        ((0, 2**62, 2), (0, 0, 0)),
    ],
)
def test_a_tensor_is_not_larger_than_its_storage_accounts_for(
    shape, strides, op, write_zip, refusal
):
    message = refusal(write_zip(op.state(shape=shape, strides=strides)))
    assert "a tensor larger than its storage accounts for" in message


@pytest.mark.parametrize(("shape", "stride"), [((1,), 2**61), ((0,), 2**62)])
def test_a_stride_fits_into_memory(shape, stride, op, write_zip, refusal):
    message = refusal(write_zip(op.state(shape=shape, strides=(stride,))))
    assert "a tensor with a stride that no memory has" in message


def test_expanded_tensors_are_read(op, write_zip, read_all):
    tensors = read_all(write_zip(op.state(shape=(1000, 4), strides=(0, 1)), data__0=FOUR))
    assert tensors["w"].sum() == 10_000


def test_64_dimensions_are_read(op, write_zip, read_all):
    tensors = read_all(write_zip(op.state(shape=(1,) * 64, strides=(1,) * 64), data__0=FOUR))
    assert tensors["w"].shape == (1,) * 64


def test_a_tensor_of_its_own_type_names_it(op, write_zip, refusal):
    rebuild = op.name("torch._utils", "_rebuild_tensor_v3")
    view = op.storage(), b"K\0", op.sizes(4), op.sizes(1), b"\x89", b"}"
    assert "a tensor without dtype" in refusal(
        write_zip(op.pickle(rebuild, op.tuple(*view, b"N"), b"R"))
    )


def test_the_bytes_of_a_storage_are_counted_in_the_tensors_type(op, write_zip, refusal):
    rebuild = op.name("torch._utils", "_rebuild_tensor_v3")
    storage = op.storage(kind="UntypedStorage", count=16)
    view = storage, b"K\0", op.sizes(9), op.sizes(1), b"\x89", b"}"
    path = write_zip(op.pickle(rebuild, op.tuple(*view, op.name("torch", "uint16")), b"R"))
    assert "a tensor that reaches beyond its storage" in refusal(path)


def test_a_tensor_with_attributes_is_one_of_the_known_makes(op, write_zip, refusal):
    rebuild = op.name("torch._tensor", "_rebuild_from_type_v2")
    inner = op.name("torch", "Size"), op.name("torch", "Tensor"), b")", b"}"
    message = refusal(write_zip(op.pickle(rebuild, op.tuple(*inner), b"R")))
    assert "a tensor of unknown make" in message


def test_a_parameter_is_a_tensor(op, write_zip, refusal):
    path = write_zip(op.pickle(op.name("torch._utils", "_rebuild_parameter"), b"N\x88}\x87R"))
    assert "a parameter that isn't a tensor" in refusal(path)


def test_tensors_of_before_2018_are_read(op, write_legacy, read_all):
    rebuild = op.name("torch._utils", "_rebuild_tensor")
    size = op.name("torch", "Size") + op.sizes(2, 2) + b"\x85R"
    tensor = rebuild + op.tuple(op.storage(), b"K\0", size, op.sizes(1, 2)) + b"R"
    pickle = op.pickle(op.dict(w=tensor))
    assert read_all(write_legacy(pickle, [("0", 4, FOUR)]))["w"].tolist() == [[1, 3], [2, 4]]


def test_tensors_are_copied_only_if_their_place_is_not_aligned(op, write_legacy):
    byte = op.tensor(storage=op.storage("a", "ByteStorage", 1), shape=(1,))
    copied = []
    for length in range(1, 5):  # one of four lengths puts the floats on a multiple of four
        items = {"x" * length: b"N", "a": byte, "b": op.tensor(storage=op.storage("b"))}
        path = write_legacy(op.pickle(op.dict(**items)), [("a", 1, b"\1"), ("b", 4, FOUR)])
        array = open_checkpoint(path)["b"]
        assert array.flags.aligned
        assert array.tolist() == [1, 2, 3, 4]
        copied.append(array.base is None)
    assert sorted(copied) == [False, True, True, True]
