"""Checkpoints that TensorFlow itself wrote, whole, cut and changed; and the ways to open them."""

import hashlib
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError

REFERENCE = Path(__file__).parents[1] / "reference" / "checkpoints"
FILES = {
    "mixed_v1": "model.ckpt",
    "mixed_v1_sharded": "model.ckpt-00001-of-00002",
    "mixed_v2": "model.ckpt.index",
    "mixed_v2_sharded": "model.ckpt.data-00001-of-00002",
    "compressible_v1": "model.ckpt",
    "object_based_tf2": "weights.index",
}
# Names in the file where they aren't those that TensorFlow gave the values under.
RENAMED = {"bf16_as_float32": "bf16", "zeros": "zeros_1"}
MUTANTS = 600


def expected(folder):
    """The values that TensorFlow read back, by the names in the file."""
    with np.load(REFERENCE / folder / "expected.npz") as arrays:
        names = {key: key.replace("|", "/").removesuffix(":0") for key in arrays.files}
        return {RENAMED.get(name, name): arrays[key] for key, name in names.items()}


def equal(found, array):
    if found.dtype == object:
        return [text.hex() for text in found.flat] == list(array.flat)
    return (
        found.dtype == array.dtype
        and found.shape == array.shape
        and found.tobytes() == array.tobytes()
    )


@pytest.fixture
def copy(tmp_path):
    """A folder with the files of a checkpoint, for one of them to be changed."""

    def copied(folder):
        shutil.copytree(
            REFERENCE / folder,
            tmp_path / folder,
            ignore=shutil.ignore_patterns("expected.npz"),
            copy_function=shutil.copyfile,
        )
        return tmp_path / folder

    return copied


@pytest.mark.parametrize("folder", FILES)
def test_all_values_are_those_of_tensorflow(folder):
    checkpoint = open_checkpoint(REFERENCE / folder / FILES[folder])
    values = expected(folder)
    assert sorted(checkpoint) == sorted(values)
    for name, array in values.items():
        assert checkpoint.shapes[name] == array.shape
        assert equal(checkpoint[name], array), name
        assert not checkpoint[name].flags.writeable


def test_types_are_called_as_tensorflow_does():
    dtypes = open_checkpoint(REFERENCE / "mixed_v2").dtypes
    assert dtypes["bf16"] == "bfloat16"
    assert dtypes["scope/half"] == "float16"
    assert dtypes["text"] == "string"


def test_the_three_forms_of_a_network_are_equal():
    paths = [
        "mobilenet_v1_025_v1",
        "mobilenet_v1_025_v2",
        "mobilenet_v1_025_2016_08_28.tar.gz",
    ]
    first, *others = (open_checkpoint(REFERENCE / path) for path in paths)
    assert len(first) == 138
    for other in others:
        assert other.shapes == first.shapes
        assert all(np.array_equal(other[name], first[name]) for name in first)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("mixed_v2", "model.ckpt"),
        ("mixed_v2", "model.ckpt.index"),
        ("mixed_v2", "model.ckpt.data-00000-of-00001"),
        ("mixed_v2", "."),
        ("mixed_v1", "model.ckpt"),
        ("mixed_v1", "."),
        ("mixed_v1_sharded", "model.ckpt"),
        ("mixed_v1_sharded", "model.ckpt-00000-of-00002"),
        ("mixed_v1_sharded", "model.ckpt-00001-of-00002"),
        ("mixed_v1_sharded", "."),
    ],
)
def test_any_file_prefix_or_folder_leads_to_a_checkpoint(folder, name):
    path = REFERENCE / folder / name
    checkpoint = open_checkpoint(path)
    assert checkpoint.path == path
    assert "part/weights" in checkpoint


@pytest.mark.parametrize("name", [".", "saved_model.pb", "variables", "variables/variables"])
def test_a_saved_model_leads_to_its_variables(name, tmp_path):
    variables = tmp_path / "variables"
    variables.mkdir()
    for each in (REFERENCE / "mixed_v2").glob("model.ckpt.*"):
        shutil.copyfile(each, variables / each.name.replace("model.ckpt", "variables"))
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    checkpoint = open_checkpoint(tmp_path / name)
    assert checkpoint.path == tmp_path / name
    assert "part/weights" in checkpoint


def test_the_latest_of_a_folder_is_opened(copy):
    folder = copy("mixed_v2")
    shutil.copyfile(REFERENCE / "mixed_v1" / "model.ckpt", folder / "model.ckpt-7")
    (folder / "checkpoint").write_text('model_checkpoint_path: "/far/away/model.ckpt-7"\n')
    assert open_checkpoint(folder).format == "TensorFlow (V1)"


def test_several_checkpoints_in_a_folder_are_listed(copy, refusal):
    folder = copy("mixed_v2")
    shutil.copyfile(REFERENCE / "mixed_v1" / "model.ckpt", folder / "model.ckpt-7")
    message = "2 checkpoints, name one: 'model.ckpt-7', 'model.ckpt.index'"
    assert refusal(folder).endswith(message)


def test_a_latest_that_is_not_there_is_named(copy, refusal):
    folder = copy("mixed_v2")
    (folder / "checkpoint").write_text('model_checkpoint_path: "../secret"\n')
    assert refusal(folder).endswith("no 'secret' there, the latest by checkpoint")


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("mixed_v2_sharded", "model.ckpt.data-00001-of-00002"),
        ("mixed_v1_sharded", "model.ckpt-00001-of-00002"),
    ],
)
def test_a_missing_file_is_named(folder, name, copy, refusal):
    path = copy(folder)
    (path / name).unlink()
    message = refusal(path)
    assert f"'{name}' belongs to it, no such file or directory; fetch both again" in message


def test_the_number_of_a_shard_is_a_possible_one(copy, refusal):
    path = copy("mixed_v1") / "model.ckpt"
    path = path.rename(path.with_name("model.ckpt-00002-of-00002"))
    assert "shard 2 of 2: is the file's name its own?" in refusal(path)


def test_a_shard_is_not_another_one(copy, refusal):
    folder = copy("mixed_v1_sharded")
    names = [f"model.ckpt-0000{number}-of-00002" for number in (0, 1)]
    shutil.copyfile(folder / names[0], folder / names[1])
    assert "the list of variables has a slice of" in refusal(folder / names[1])


def test_the_digest_of_several_files_is_that_of_their_digests():
    checkpoint = open_checkpoint(REFERENCE / "mixed_v2_sharded")
    names = ["index", "data-00000-of-00002", "data-00001-of-00002"]
    paths = [REFERENCE / "mixed_v2_sharded" / f"model.ckpt.{name}" for name in names]
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in paths]
    assert checkpoint.digest() == hashlib.sha256(b"".join(digests)).hexdigest()


def test_values_of_v2_are_views_of_the_file():
    array = open_checkpoint(REFERENCE / "mobilenet_v1_025_v2")["MobilenetV1/Conv2d_0/weights"]
    assert not array.flags.owndata


def test_values_of_v1_are_views_of_the_file_at_any_place():
    checkpoint = open_checkpoint(REFERENCE / "mobilenet_v1_025_v1")
    arrays = [array for array in checkpoint.values() if array.dtype == np.float32]
    assert not any(array.flags.owndata for array in arrays)
    assert not all(array.flags.aligned for array in arrays)


V1 = ("mobilenet_v1_025_v1", "mobilenet_v1_025.ckpt")
INDEX = ("mobilenet_v1_025_v2", "model.ckpt.index")
VALUES = ("mobilenet_v1_025_v2", "model.ckpt.data-00000-of-00001")


@pytest.mark.parametrize(
    ("file", "at", "reason"),
    [
        (V1, 900_000, "byte 899915: the block of tensor 'MobilenetV1/Logits/Conv2d_1c_1x1/weights"),
        (V1, 10, ".ckpt', byte 0: the block of the list of variables doesn't match its checksum"),
        (V1, -60, ".ckpt', byte 1925142: the index doesn't match its checksum"),
        (
            V1,
            1_925_130,
            ".ckpt', byte 1925129: the block without meaning doesn't match its checksum",
        ),
        (V1, -9, ".ckpt', byte 1925350: a footer with more than two places; damaged or forged"),
        (V1, -42, ".ckpt', byte 1859606: the index doesn't match its checksum"),
        (INDEX, 10, ".index', byte 0: a block doesn't match its checksum"),
        (INDEX, -60, ".index', byte 5610: the index doesn't match its checksum"),
        (VALUES, 0, ", byte 0: tensor 'MobilenetV1/Conv2d_0/BatchNorm/beta' doesn't match its"),
        (VALUES, -8, "tensor 'global_step' doesn't match its checksum; damaged or forged: fetch"),
    ],
)
def test_a_changed_byte_is_placed(file, at, reason, copy, refusal):
    path = copy(file[0]) / file[1]
    raw = bytearray(path.read_bytes())
    raw[at] ^= 4
    path.unlink()
    path.write_bytes(raw)
    assert reason in refusal(path)


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (V1, ".ckpt': begins with b'\\x00\\x00"),
        (INDEX, "or lacks its end; formats read: "),
        (VALUES, ": tensor 'MobilenetV1/Logits/Conv2d_1c_1x1/weights' ends at"),
    ],
)
def test_a_file_without_its_end_is_placed(file, reason, copy, refusal):
    path = copy(file[0]) / file[1]
    raw = path.read_bytes()
    path.unlink()
    path.write_bytes(raw[:-100])
    assert reason in refusal(path)


CHANGED = [
    ("mixed_v2_sharded", "model.ckpt.index"),
    ("mixed_v2_sharded", "model.ckpt.data-00001-of-00002"),
    ("mixed_v1_sharded", "model.ckpt-00001-of-00002"),
    ("object_based_tf2", "weights.index"),
]


@pytest.mark.parametrize(("folder", "name"), CHANGED)
def test_a_file_cut_anywhere_is_refused(folder, name, copy, read_all):
    path = copy(folder) / name
    raw = path.read_bytes()
    for length in range(len(raw)):
        path.unlink()
        path.write_bytes(raw[:length])
        with pytest.raises(CheckpointError):
            read_all(path)


def mutant(raw, rng):
    """A copy with a flipped bit, or a stretch lost, doubled, moved, zeroed or filled."""
    at, length = rng.randrange(len(raw)), rng.choice([1, 2, 4, 8, 30])
    piece = raw[at : at + length]
    other = rng.randrange(len(raw))
    flipped = bytes([piece[0] ^ 1 << rng.randrange(8)]) + piece[1:]
    moved = raw[other : other + length]
    new = rng.choice([flipped, b"", piece * 2, moved, bytes(length), b"\xff" * length])
    return raw[:at] + new + raw[at + length :]


@pytest.mark.parametrize(("folder", "name"), [*CHANGED, ("mixed_v1", "model.ckpt")])
def test_mutants_are_refused_or_equal(folder, name, copy, read_all):
    path, values = copy(folder) / name, expected(folder)
    raw, rng = path.read_bytes(), random.Random(name)
    for _ in range(MUTANTS):
        path.unlink()
        path.write_bytes(mutant(raw, rng))
        try:
            tensors = read_all(path)
        except CheckpointError as exc:
            message = str(exc)
            assert message.isprintable()
            assert len(message) <= 300
            continue
        assert tensors.keys() == values.keys()
        assert all(equal(tensors[name], values[name]) for name in values)
