"""Good files with something wrong: cut at every byte, and changed at random with a fixed seed."""

import json
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError

MUTANTS = 2000
FORMATS = ["zip", "script", "legacy", "safetensors"]


@pytest.fixture
def small(op, write_zip, write_legacy, write_safetensors):
    """The bytes of a small file of each format, with several tensors."""
    tensors = {
        "a": op.tensor(),
        "b": op.tensor(shape=(2, 2), strides=(1, 2)),
        "c": op.tensor(storage=op.storage("1", "BFloat16Storage", 8), shape=(8,)),
    }
    pickle = op.pickle(op.dict(model=op.dict(**tensors), epoch=b"K\3"))
    floats = struct.pack("<4f", 1, 2, 3, 4)
    module = op.name("__torch__", "Net") + b")\x81" + op.dict(**tensors) + b"b"
    program = {"constants.pkl": b"\x80\x02).", "code/__torch__.py": b"pass\n"}
    script = write_zip(op.pickle(module), data__0=floats, data__1=floats, **program).read_bytes()
    entries = {
        "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "b": {"dtype": "BF16", "shape": [8], "data_offsets": [16, 32]},
        "__metadata__": {"format": "pt"},
    }
    return {
        "zip": write_zip(pickle, data__0=floats, data__1=floats).read_bytes(),
        "script": script,
        "legacy": write_legacy(pickle, [("0", 4, floats), ("1", 8, floats)]).read_bytes(),
        "safetensors": write_safetensors(entries, floats * 2).read_bytes(),
    }


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_cut_anywhere_is_refused(form, small, tmp_path, refusal):
    path = tmp_path / "cut.pth"
    for length in range(len(small[form])):
        path.unlink(missing_ok=True)
        path.write_bytes(small[form][:length])
        refusal(path)


def mutant(raw, rng):
    """A copy with a flipped bit, an extreme number, or a stretch lost, doubled, moved or zeroed."""
    at, length = rng.randrange(len(raw)), rng.choice([1, 2, 4, 8, 30])
    piece = raw[at : at + length]
    other = rng.randrange(len(raw))
    new = rng.choice(
        [
            bytes([piece[0] ^ 1 << rng.randrange(8)]) + piece[1:],
            bytes([rng.randrange(256)]) + piece[1:],
            b"",
            piece * 2,
            bytes(len(piece)),
            b"\xff" * len(piece),
            raw[other : other + len(piece)],
        ]
    )
    return raw[:at] + new + raw[at + length :]


@pytest.fixture
def outcome(tmp_path, read_all):
    """The tensors of these bytes, or None if they are refused as they should be."""

    def outcome_of(raw):
        path = tmp_path / "mutant.pth"
        path.unlink(missing_ok=True)  # quicker than to shorten it
        path.write_bytes(raw)
        try:
            tensors = read_all(path)
        except CheckpointError as exc:
            message = str(exc)
            assert message.isprintable()
            assert len(message) <= 300
            assert "mutant.pth" in message
            return None
        assert all(array.nbytes <= 4 << 20 for array in tensors.values())
        return tensors

    return outcome_of


@pytest.mark.parametrize("form", FORMATS)
def test_mutants_end_in_one_error_or_in_arrays(form, small, outcome):
    rng = random.Random(form)
    read = sum(outcome(mutant(small[form], rng)) is not None for _ in range(MUTANTS))
    assert 0 < read < MUTANTS / 2


def test_mutants_with_checksums_are_refused_or_equal(data, outcome):
    raw = (data / "zip2.pth").read_bytes()
    good = dict(open_checkpoint(data / "zip2.pth"))
    rng = random.Random(1)
    for _ in range(MUTANTS):
        tensors = outcome(mutant(raw, rng))
        if tensors is not None:
            assert list(tensors) == list(good)
            assert all(np.array_equal(tensors[name], good[name]) for name in good)


def test_mutants_of_several_changes_end_the_same_way(small, outcome):
    rng = random.Random(2)
    for number in range(MUTANTS):
        raw = small[FORMATS[number % len(FORMATS)]]
        for _ in range(rng.randrange(2, 6)):
            raw = mutant(raw, rng)
        outcome(raw)


def program(rng, op):
    """A random pickle of opcodes that fit together more often than by chance."""
    values = [
        b"N", b"\x88", b"K\1", b")", b"]", b"}", b"(", b"G?\xf0\0\0\0\0\0\0", op.number(2**40),
        op.text("w"), op.text("model"), op.storage(), op.tensor(), op.name("torch", "Size"),
        op.name("collections", "OrderedDict"), op.name("torch", "float32"), b"\x8f",
        op.name("torch._utils", "_rebuild_parameter"), op.name("numpy", "dtype"),
        op.name("torch._tensor", "_rebuild_from_type_v2"), op.name("builtins", "list"),
    ]  # fmt: skip
    actions = [b"s", b"u", b"a", b"e", b"t", b"\x85", b"\x86", b"\x87", b"R", b"\x81", b"b", b"Q"]
    actions += [b"\x90", b"\x91", b"q\0", b"q\1", b"h\0", b"h\1", b"\x94", b"\x93", b"2", b"0"]
    steps = [
        rng.choice(values if rng.random() < 0.6 else actions) for _ in range(rng.randrange(25))
    ]
    return op.pickle(b"}", op.text("a"), *steps, b"s" * rng.randrange(3))


def test_random_programs_end_the_same_way(op, write_legacy, outcome):
    rng = random.Random(3)
    for _ in range(MUTANTS):
        outcome(write_legacy(program(rng, op)).read_bytes())


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux does")
def test_mutants_of_all_formats_keep_what_the_benchmark_promises(tmp_path):
    results = tmp_path / "mutants.json"
    script = Path(__file__).parents[2] / "benchmarks" / "mutants.py"
    command = [sys.executable, script, "40", results]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(results.read_text())["rows"]
    assert all(row["refused"] for row in rows.values())
