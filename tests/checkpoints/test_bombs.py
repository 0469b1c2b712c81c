"""Small files that would cost much time or memory if what they say were believed."""

import json
import struct
import subprocess
import sys

import pytest

from penult.checkpoints.unpickle import MAX_PICKLES, MAX_STEPS

SECONDS = 2.0  # of processor time; the worst takes 0.6 on an ordinary core
MEMORY = 64 << 20

CHILD = """
import json, resource, sys, time
from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

open_checkpoint(sys.argv[1])  # everything is imported
for path in sys.argv[2:]:
    before, start = peak(), time.process_time()
    try:
        checkpoint = open_checkpoint(path)
        for name in checkpoint:
            checkpoint[name]
        message = None
    except CheckpointError as exc:
        message = str(exc)
    print(json.dumps([path, message, time.process_time() - start, peak() - before]), flush=True)
"""


def u4(value):
    return struct.pack("<I", value)


def u8(value):
    return struct.pack("<Q", value)


LENGTHS = {
    "binunicode": b"X" + u4(2**32 - 1),
    "binunicode8": b"\x8d" + u8(2**62),
    "binunicode8_max": b"\x8d" + u8(2**64 - 1),
    "binbytes": b"B" + u4(2**32 - 1),
    "binbytes8": b"\x8e" + u8(2**62),
    "binbytes8_max": b"\x8e" + u8(2**64 - 1),
    "bytearray8": b"\x96" + u8(2**62),
    "bytearray8_max": b"\x96" + u8(2**64 - 1),
    "binstring": b"T" + u4(2**31 - 1),
    "binstring_negative": b"T" + u4(2**32 - 1),
    "long4": b"\x8b" + u4(2**31 - 1),
    "long4_negative": b"\x8b" + u4(2**32 - 1),
    "frame": b"\x95" + u8(2**63),
    "memo_index": b"Nr" + u4(2**32 - 1) + b"j" + u4(2**32 - 2),
    "text_number": b"I" + b"9" * 9000 + b"\n",
    "text_long": b"L" + b"9" * 9000 + b"L\n",
    "text_float": b"F" + b"9" * 9000 + b"\n",
}

# A few opcodes, over and over.
REPEATED = {
    "nones": b"N",
    "dicts": b"}",
    "marks": b"(",
    "doubled": b"2",
    "memoized": b"}\x94",
    "tuples_of_one": b"N\x85",
    "tuples_of_marked": b"(t",
    "nested_lists": b"](",
    "long_numbers": b"\x8a\xff" + b"\x7f" * 255,
    "texts": b"\x8c\xff" + b"a" * 255,
    "wide_texts": b"\x8c\xff" + "\U0001f600".encode() + b"a" * 251,
    "globals": b"ctorch\nSize\n",
    "sets": b"\x8f(N\x90",
    "dict_items": b"}(K\1K\2K\3K\4u",
}


def _calls(op):
    """Calls with arguments off the memo: a few bytes each, and work in each."""
    pair = b"](K\1Ne"
    pairs = op.name("collections", "OrderedDict") + b"q\0](" + pair * 20_000 + b"e\x85q\1"
    counts = op.name("collections", "Counter") + b"q\0}(" + b"K\1NK\2N" * 20_000 + b"u\x85q\1"
    many = op.sizes(*[1] * 64)
    view = op.tuple(op.storage(), b"K\0", many, many, b"\x89", b"}")
    tensors = op.name("torch._utils", "_rebuild_tensor_v2") + b"q\0" + view + b"q\1"
    wide = op.tuple(op.storage(), b"K\0", op.sizes(1 << 20), op.sizes(0), b"\x89", b"}")
    expanded = op.name("torch._utils", "_rebuild_tensor_v2") + b"q\0" + wide + b"q\1"
    again = b"h\0h\1R"
    return {
        "pairs": pairs + again * 300_000,
        "counts": counts + again * 300_000,
        "tensors": tensors + again * 300_000,
        "expanded_tensors": expanded + again * 300_000,
        "identities": op.storage()[:-1] + b"q\0" + b"h\0Q" * 300_000,
    }


def _nests(op):
    """Pickles that are all right in themselves, and unfold when names are given."""
    doubled = b"".join(b"](h%ch%ceq%c" % (n, n, n + 1) for n in range(200))
    longest = op.text("n" * 900) + b"q\1"
    named = b"".join(op.number(n) + b"h\0" for n in range(130_000))
    yield "doubled_lists", b"](]q\0" + doubled + b"e"
    yield (
        "doubled_in_dicts",
        b"}q\0" + b"".join(b"}(K\1h%cK\2h%cuq%c" % (n, n, n + 1) for n in range(200)),
    )
    yield "itself", b"]q\0(" + b"h\0" * 1000 + b"e"
    yield "deep_tuples", op.tensor() + b"\x85" * 390_000
    yield "deep_dicts", b"}K\1" * 130_000 + op.tensor() + b"s" * 130_000
    yield "long_names", op.tensor() + b"q\0}(" + longest + b"}(" + named + b"uu\x86"
    yield "long_keys", b"}(" + op.text("k" * 1_000_000) + b"q\0]" + b"h\0]" * 100_000 + b"u"


def _safetensors(write):
    def entry(begin=0, end=16, shape=(4,), dtype="F32"):
        return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}

    yield "length", write({"w": entry()}, length=2**40)
    yield "length_of_limit", write({"w": entry()}, length=100_000_000)
    yield "shape", write({"w": entry(shape=(2**40,))}, bytes(16))
    yield "shape_product", write({"w": entry(shape=(2**31, 2**31, 2**31))}, bytes(16))
    yield "shape_of_nothing", write({"w": entry(0, 0, shape=(0, 2**62, 2**62))})
    yield "offsets", write({"w": entry(0, 2**42, shape=(2**40,))}, bytes(16))
    yield "dimensions", write({"w": entry(shape=(1,) * 4000)}, bytes(16))
    yield "large_dimensions", write({"w": entry(shape=(2**62,) * 200_000)}, bytes(16))
    yield "deep", write(b'{"w":' + b"[" * 9000)
    yield "deep_dicts", write(b'{"w":' * 1500)
    yield "long_number", write(b'{"w":' + b"9" * 9000 + b"}")


def _archives(write, op):
    def patched(old, new, at):
        path = write(op.state())
        raw = bytearray(path.read_bytes())
        place = raw.rindex(old) + at
        raw[place : place + len(new)] = new
        path.write_bytes(raw)
        return path

    name = b"archive/data/0"
    yield "size", patched(name, u4(2**32 - 2) * 2, 20 - 46)
    yield "size_of_pickle", patched(b"archive/data.pkl", u4(2**32 - 2) * 2, 20 - 46)
    yield "offset", patched(name, u4(2**32 - 2), 42 - 46)
    yield "directory_size", patched(b"PK\5\6", u4(2**32 - 2), 12)
    yield "directory_offset", patched(b"PK\5\6", u4(2**32 - 2), 16)
    yield "name", patched(b"archive/data.pkl", b"\xff\xff", 28 - 46)


def _storages(op, write_legacy, write_zip):
    for count in (2**40, 2**60, 2**62):
        state = op.state(storage=op.storage(count=count), shape=(count,))
        yield f"storage_{count}", write_zip(state)
        yield f"legacy_storage_{count}", write_legacy(state, [("0", count, bytes(16))])
        yield f"view_{count}", write_zip(op.state(shape=(count,), strides=(0,)))
        yield f"nothing_{count}", write_zip(op.state(shape=(0, count, count), strides=(0, 0, 0)))
        yield f"legacy_count_{count}", write_legacy(op.state(), [("0", count, bytes(16))])


@pytest.fixture
def bombs(tmp_path, op, write_legacy, write_zip, write_safetensors):
    """All of them, written; a path each."""
    folder = tmp_path / "bombs"
    folder.mkdir()
    repeats = {name: min(MAX_STEPS + 1, MAX_PICKLES // len(raw)) for name, raw in REPEATED.items()}
    pickles = LENGTHS | {name: raw * repeats[name] for name, raw in REPEATED.items()}
    pickles |= _calls(op) | dict(_nests(op))

    def written():
        for number, (name, raw) in enumerate(pickles.items()):
            yield name, (write_zip if number % 2 else write_legacy)(op.pickle(raw))
        yield from _storages(op, write_legacy, write_zip)
        yield from _safetensors(write_safetensors)
        yield from _archives(write_zip, op)

    return [path.rename(folder / name) for name, path in written()]


def test_bombs_are_refused_quickly_and_in_little_memory(bombs, data):
    pytest.importorskip("resource", reason="memory can't be measured here")
    child = [sys.executable, "-c", CHILD, data / "zip2.pth", *bombs]
    lines = subprocess.run(child, capture_output=True, text=True, check=True).stdout.splitlines()
    results = [json.loads(line) for line in lines]
    assert len(results) == len(bombs) > 70
    assert [path for path, message, _, _ in results if message is None] == []
    assert [path for path, message, _, _ in results if len(message) > 300] == []
    assert [(path, spent) for path, _, spent, _ in results if spent > SECONDS] == []
    assert sum(grown for _, _, _, grown in results) < MEMORY
