"""Weights files that are made to hurt: of each kind, one count that can grow for ever.

A file of a kind is all right up to some count, and then costs the reader time or memory without end
unless it stops. `KINDS` has each with the largest count that is of use; what they are for is
measured by `made_to_hurt.py`, and at small counts by tests/checkpoints/test_made_to_hurt.py.
"""

import gzip
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from runpy import run_path
from typing import NamedTuple

import cramjam
import google_crc32c
import h5py
import numpy as np

from penult.util.protobuf import encode, encode_varint

TESTS = Path(__file__).parents[1] / "tests"
WRITER = run_path(str(TESTS / "checkpoints/tensorflow_writer.py"))
OPCODES = run_path(str(TESTS / "checkpoints/conftest.py"))["Opcodes"]
message, block, stored, table = (WRITER[name] for name in ("message", "block", "stored", "table"))


class Kind(NamedTuple):
    """Writes a file of a count into a folder; returns what to open."""

    write: Callable[[Path, int], Path]
    most: int


def put(path: Path, *parts: bytes) -> Path:
    """Write a file."""
    path.write_bytes(b"".join(parts))
    return path


# Archives


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """The header of a member of a tar archive."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def member(name: str, content: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A member of a tar archive."""
    return header(name, len(content), kind) + content + bytes(-len(content) % 512)


def tar_gz(folder: Path, *members: bytes) -> Path:
    """An archive."""
    return put(folder / "net.tar.gz", gzip.compress(b"".join(members) + bytes(1024), 1))


def pax_digits(folder: Path, count: int) -> Path:
    """A header of nothing but digits."""
    return tar_gz(folder, member("x", b"1" * count, tarfile.XHDTYPE), member("a.ckpt", b"x"))


def pax_records(folder: Path, count: int) -> Path:
    """Records that each say that they are of two bytes."""
    records = b"2 " * count + b"a=b\n"
    return tar_gz(folder, member("x", records, tarfile.XHDTYPE), member("a.ckpt", b"x"))


def pax_headers(folder: Path, count: int) -> Path:
    """Headers of digits, each as short as they come, one for each member."""
    digits = member("x", b"1" * 512, tarfile.XHDTYPE)
    return tar_gz(folder, *(digits + member(f"{n}", b"x") for n in range(count)))


def tar_members(folder: Path, count: int) -> Path:
    """Members of nothing."""
    return tar_gz(folder, *(header(f"{n}", 0) for n in range(count)))


def tar_zeros(folder: Path, count: int) -> Path:
    """A member that shrinks to a thousandth."""
    return tar_gz(folder, header("a.ckpt", count), bytes(count + -count % 512))


def gzip_members(folder: Path, count: int) -> Path:
    """An archive in pieces of nothing."""
    archive = gzip.compress(member("a.ckpt", b"x") + bytes(1024))
    return put(folder / "net.tar.gz", archive, gzip.compress(b"") * count)


# TensorFlow


def masked(crc: int) -> int:
    """A CRC-32C as it stands in a file."""
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


def snappy(content: bytes) -> bytes:
    """A block, compressed."""
    return bytes(stored(bytes(cramjam.snappy.compress_raw(content)), 1))


def v2(folder: Path, entries: Mapping[bytes, bytes], data: bytes) -> Path:
    """A checkpoint of V2 in one block, compressed."""
    put(folder / "net.data-00000-of-00001", data)
    ordered = sorted({b"": WRITER["HEADER"], **entries}.items())
    return put(folder / "net.index", table((ordered[-1][0], snappy(block(ordered)))))


def v2_tensor(folder: Path, *, sizes: Iterable[int] = (4,), more: bytes = b"") -> Path:
    """A checkpoint of V2 with one tensor of 16 bytes of nothing, and more fields about it."""
    data = bytes(16)
    crc = struct.pack("<I", masked(google_crc32c.value(data)))
    dims = b"".join(encode((2, encode((1, size)))) for size in sizes)
    about = encode((1, 1), (2, dims), (3, 0), (4, 0), (5, 16)) + b"\x35" + crc
    return v2(folder, {b"a": about + more}, data)


def v2_extents(folder: Path, count: int) -> Path:
    """Slices of a thousand extents."""
    return v2_tensor(folder, more=encode((7, b"\x0a\0" * 1000)) * -(-count // 1000))


def v2_slices(folder: Path, count: int) -> Path:
    """Slices of one extent."""
    return v2_tensor(folder, more=encode((7, b"\x0a\0")) * count)


def v2_many_slices(folder: Path, count: int) -> Path:
    """Tensors of up to 9000 slices."""
    each = min(count, 9000)
    about = encode((1, 1), (2, encode((2, encode((1, each))))))
    about += b"".join(encode((7, WRITER["extents"]((n, 1)))) for n in range(each))
    names = (b"%05d" % n for n in range(-(-count // each)))
    return v2(folder, dict.fromkeys(names, about), b"")


def v2_dimensions(folder: Path, count: int) -> Path:
    """A shape of ones."""
    return v2_tensor(folder, sizes=(4, *[1] * count))


def v2_entries(folder: Path, count: int) -> Path:
    """Tensors of nothing."""
    entry = encode((1, 1), (2, encode((2, encode((1, 0))))))
    names = (b"%08d" % n for n in range(count))
    return v2(folder, dict.fromkeys(names, entry + b"\x35\xd8\xea\x82\xa2"), b"")


def v2_keys(folder: Path, count: int) -> Path:
    """Long keys, of which each says in six bytes how it differs from the one before."""
    unread = encode((1, 20))  # a tensor that has no values
    first = encode_varint(0) + encode_varint(2044) + b"\2" + b"k" * 2044 + unread
    others = (encode_varint(2044) + b"\4\2" + struct.pack(">I", n) + unread for n in range(count))
    content = b"\0\0" + encode_varint(len(WRITER["HEADER"])) + WRITER["HEADER"] + first
    content += b"".join(others) + struct.pack("<II", 0, 1)
    return put(folder / "net.index", table((b"l", stored(content))))


def v2_graph(folder: Path, count: int) -> Path:
    """Nodes of an object graph with a thousand attributes."""
    return v2_texts_of(folder, [encode((1, b"\x12\0" * 1000)) * -(-count // 1000)], scalar=True)


def v2_nodes(folder: Path, count: int) -> Path:
    """Nodes of an object graph with one attribute."""
    return v2_texts_of(folder, [encode((1, b"\x12\0")) * count], scalar=True)


def v2_texts(folder: Path, count: int) -> Path:
    """Texts of nothing."""
    return v2_texts_of(folder, [b""] * count)


def v2_texts_of(folder: Path, texts: list[bytes], *, scalar: bool = False) -> Path:
    """A checkpoint of V2 with a tensor of texts, which is the object graph if it is a scalar."""
    sizes = b"".join(struct.pack("<I", len(each)) for each in texts)
    crc = google_crc32c.value(sizes)
    sums = struct.pack("<I", masked(crc))
    content = b"".join(texts)
    data = b"".join(map(encode_varint, map(len, texts))) + sums + content
    crc = masked(google_crc32c.extend(google_crc32c.extend(crc, sums), content))
    dims = b"" if scalar else encode((2, encode((1, len(texts)))))
    about = encode((1, 7), (2, dims), (3, 0), (4, 0), (5, len(data))) + b"\x35"
    name = b"_CHECKPOINTABLE_OBJECT_GRAPH" if scalar else b"texts"
    return v2(folder, {name: about + struct.pack("<I", crc)}, data)


def v1(folder: Path, variables: bytes, *blocks: tuple[bytes, bytes]) -> Path:
    """A checkpoint of V1 with a list of variables, and blocks with their last keys."""
    listed = stored(block([(b"", encode((1, variables)))]))
    return put(folder / "net.ckpt", table((b"", listed), *blocks))


def v1_variable(name: str, size: int | None, dtype: int, *places: bytes) -> bytes:
    """A line of the list of variables; of no size, it is a scalar."""
    dims = b"" if size is None else encode((2, encode((1, size))))
    return encode((1, encode((1, name), (2, dims), (3, dtype), *((4, it) for it in places))))


def v1_alternate(folder: Path, count: int) -> Path:
    """Variables of two blocks, listed in turn."""
    listed, halves = [], ([], [])
    for number in range(count):
        for half, letter in zip(halves, "ab", strict=True):
            name = f"{letter}{number:07}"
            key, value, place = WRITER["saved"](name, encode((5, bytes(4))), ())
            half.append((key, value))
            listed.append(v1_variable(name, None, 1, place))
    blocks = [(half[-1][0], stored(block(half))) for half in halves]
    return v1(folder, b"".join(listed), *blocks)


def v1_one(folder: Path, count: int, dtype: int, values: bytes, pack: Callable[..., bytes]) -> Path:
    """One variable of some numbers."""
    key, value, place = WRITER["saved"]("w", values, (WRITER["WHOLE"],))
    return v1(folder, v1_variable("w", count, dtype, place), (key, pack(block([(key, value)]))))


def v1_int8(folder: Path, count: int) -> Path:
    """Numbers of one byte each, which take eight as numbers of 64 bits."""
    return v1_one(folder, count, 6, encode((7, b"\1" * count)), stored)


def v1_negative(folder: Path, count: int) -> Path:
    """Numbers that take ten bytes each."""
    minus = encode_varint(2**64 - 1)
    return v1_one(folder, count, 6, encode((7, minus * count)), stored)


def v1_snappy(folder: Path, count: int) -> Path:
    """The same numbers, all alike, packed."""
    return v1_one(folder, count, 6, encode((7, b"\1" * count)), snappy)


def v1_fields(folder: Path, count: int) -> Path:
    """Fields that mean nothing beside the values, in tensors of 50,000."""
    each, listed, entries = min(count, 50_000), [], []
    for number in range(-(-count // each)):
        values = encode((5, bytes(4))) + b"\x98\x06\0" * each
        key, value, place = WRITER["saved"](f"w{number:05}", values, ())
        listed.append(v1_variable(f"w{number:05}", None, 1, place))
        entries.append((key, value))
    return v1(folder, b"".join(listed), (entries[-1][0], stored(block(entries))))


def v1_slices(folder: Path, count: int) -> Path:
    """A variable in slices, none of which is there."""
    places = (WRITER["extents"]((n, 1)) for n in range(count))
    return v1(folder, v1_variable("w", count, 1, *places))


# ONNX


def onnx(folder: Path, *extra: bytes, dims: bytes = b"", node: bytes = b"") -> Path:
    """A model that pools images, with more in its graph, its input's shape or its first node."""

    def value(name: str, sizes: Iterable[int], more: bytes = b"") -> bytes:
        shape = b"".join(encode((1, encode((1, size)))) for size in sizes) + more
        return encode((1, name), (2, encode((1, encode((1, 1), (2, shape))))))

    pool = encode((1, "x"), (2, "p"), (4, "GlobalAveragePool")) + node
    flat = encode((1, "p"), (2, "y"), (4, "Flatten"))
    graph = encode((1, pool), (1, flat), (2, "g"), (11, value("x", (1, 3, 8, 8), dims)))
    graph += b"".join(extra) + encode((12, value("y", (1, 3))))
    return put(folder / "net.onnx", encode((1, 8), (7, graph), (8, encode((1, ""), (2, 17)))))


def onnx_dimensions(folder: Path, count: int) -> Path:
    """A weight of many dimensions."""
    packed = encode((1, encode_varint(2**30) * count), (2, 1), (8, "w"), (9, b""))
    return onnx(folder, encode((5, packed)))


def onnx_no_dimensions(folder: Path, count: int) -> Path:
    """A weight of many dimensions of nothing."""
    return onnx(folder, encode((5, encode((1, bytes(count)), (2, 1), (8, "w"), (9, b"")))))


def onnx_nodes(folder: Path, count: int) -> Path:
    """Nodes without an end."""
    nodes = (encode((1, "x"), (2, f"{n}"), (4, "Relu")) for n in range(count))
    return onnx(folder, *(encode((1, each)) for each in nodes))


def onnx_chain(folder: Path, count: int) -> Path:
    """Nodes one after another."""
    nodes = (encode((1, f"{n - 1}" if n else "x"), (2, f"{n}"), (4, "Relu")) for n in range(count))
    return onnx(folder, *(encode((1, each)) for each in nodes))


def onnx_names(folder: Path, count: int) -> Path:
    """Nodes with long names."""
    nodes = (encode((1, "x"), (2, f"{n:0{count}}"), (4, "Relu")) for n in range(9_500))
    return onnx(folder, *(encode((1, each)) for each in nodes))


def onnx_inputs_of_a_node(folder: Path, count: int) -> Path:
    """Nodes of 50,000 inputs."""
    each = encode((1, "x")) * min(count, 50_000) + encode((2, "z"), (4, "Sum"))
    return onnx(folder, encode((1, each)) * -(-count // 50_000))


def onnx_attributes(folder: Path, count: int) -> Path:
    """Attributes of a node."""
    return onnx(folder, node=encode((5, encode((1, "a"), (3, 1)))) * count)


def onnx_integers(folder: Path, count: int) -> Path:
    """Lists of 50,000 integers as attributes."""
    each = encode((5, encode((1, "a"), (8, b"\1" * min(count, 50_000)))))
    return onnx(folder, node=each * -(-count // 50_000))


def onnx_weights(folder: Path, count: int) -> Path:
    """Weights of nothing."""
    weights = (encode((1, 0), (2, 1), (8, f"{n}"), (9, b"")) for n in range(count))
    return onnx(folder, *(encode((5, each)) for each in weights))


def onnx_listed(folder: Path, count: int) -> Path:
    """A weight of 64 bits a number, which are listed in one byte each."""
    weight = encode((1, count), (2, 7), (7, b"\1" * count), (8, "w"))
    return onnx(folder, encode((5, weight)))


def onnx_inputs(folder: Path, count: int) -> Path:
    """Inputs without an end."""
    return onnx(folder, *(encode((11, encode((1, f"i{n}")))) for n in range(count)))


def onnx_sides(folder: Path, count: int) -> Path:
    """Images of many dimensions."""
    return onnx(folder, dims=encode((1, encode((1, 1)))) * count)


# safetensors


def safetensors(folder: Path, text: bytes, content: bytes = b"") -> Path:
    """A file with this header."""
    return put(folder / "net.safetensors", len(text).to_bytes(8, "little"), text, content)


def entry(end: int = 0, shape: str = "[0]") -> str:
    """What the header says of a tensor."""
    return f'{{"dtype":"F32","shape":{shape},"data_offsets":[0,{end}]}}'


def json_lists(folder: Path, count: int) -> Path:
    """Empty lists."""
    return safetensors(folder, b'{"x":[' + b"[]," * count + b"[]]}")


def json_dicts(folder: Path, count: int) -> Path:
    """Empty dicts."""
    return safetensors(folder, b'{"x":[' + b"{}," * count + b"{}]}")


def json_deep(folder: Path, count: int) -> Path:
    """Lists in lists."""
    return safetensors(folder, b'{"x":' + b"[" * count + b"]" * count + b"}")


def json_numbers(folder: Path, count: int) -> Path:
    """A shape of ones."""
    shape = f"[{'1,' * count}1]"
    return safetensors(folder, f'{{"w":{entry(4, shape)}}}'.encode(), bytes(4))


def json_wide(folder: Path, count: int) -> Path:
    """Metadata whose letters take four bytes each as soon as there is one that does."""
    text = json.dumps({"__metadata__": {"a": "😀" + "a" * count}}, ensure_ascii=False)
    return safetensors(folder, text.encode())


def json_metadata(folder: Path, count: int) -> Path:
    """Metadata of small texts."""
    text = json.dumps({"__metadata__": {f"{n}": f"{n}" for n in range(count)}})
    return safetensors(folder, text.encode())


def json_tensors(folder: Path, count: int) -> Path:
    """Tensors of nothing."""
    each = (f'"{n}":{entry()}' for n in range(count))
    return safetensors(folder, f"{{{','.join(each)}}}".encode())


# PyTorch


def pth(folder: Path, pickle: bytes, records: Mapping[str, bytes]) -> Path:
    """An archive of PyTorch's."""
    path = folder / "net.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02" + pickle + b".")
        for name, content in records.items():
            archive.writestr(f"net/{name}", content)
    return path


def alike(tensor: bytes, count: int) -> bytes:
    """A dict that has the same tensor under so many names."""
    names = b"".join(OPCODES.text(f"{n}") + b"h\0" for n in range(1, count))
    return b"}(" + OPCODES.text("0") + tensor + b"q\0" + names + b"u"


def pth_views(folder: Path, count: int) -> Path:
    """Tensors that are all of one storage."""
    tensor = OPCODES.tensor(OPCODES.storage(count=1 << 18), 0, (1 << 18,), (1,))
    return pth(folder, alike(tensor, count), {"data/0": bytes(1 << 20)})


def pth_expanded(folder: Path, count: int) -> Path:
    """Tensors that are one number a million times over."""
    tensor = OPCODES.tensor(OPCODES.storage(count=1), 0, (1 << 20,), (0,))
    return pth(folder, alike(tensor, count), {"data/0": bytes(4)})


def pth_tensors(folder: Path, count: int) -> Path:
    """Tensors of one storage, one number each."""
    named = (OPCODES.text(f"{n}") + OPCODES.tensor(shape=(1,)) for n in range(count))
    return pth(folder, b"}(" + b"".join(named) + b"u", {"data/0": bytes(16)})


def pth_records(folder: Path, count: int) -> Path:
    """Records of nothing."""
    records = {f"data/{n}": b"" for n in range(1, count)}
    state = OPCODES.dict(w=OPCODES.tensor())
    return pth(folder, state, {"data/0": bytes(16), **records})


def pth_steps(folder: Path, count: int) -> Path:
    """Dicts in a list."""
    return pth(folder, b"](" + b"}" * count + b"e", {})


def pth_nested(folder: Path, count: int) -> Path:
    """Tuples in tuples."""
    return pth(folder, OPCODES.tensor() + b"\x85" * count, {"data/0": bytes(16)})


def pth_letters(folder: Path, count: int) -> Path:
    """A text whose letters take four bytes each."""
    text = OPCODES.text("😀" + "a" * count)
    return pth(folder, b"}(" + text + OPCODES.tensor() + b"u", {"data/0": bytes(16)})


# Keras and NumPy


def hdf5(folder: Path, fill: Callable[[h5py.File], object]) -> Path:
    """A file of Keras'."""
    path = folder / "net.h5"
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def hdf5_chunks(folder: Path, count: int) -> Path:
    """Chunks of one number."""

    def fill(file: h5py.File) -> None:
        dataset = file.create_dataset("w", (count,), "f4", chunks=(1,))
        for number in range(count):
            dataset.id.write_direct_chunk((number,), bytes(4))

    return hdf5(folder, fill)


def hdf5_datasets(folder: Path, count: int) -> Path:
    """Tensors of nothing."""
    return hdf5(
        folder, lambda file: [file.create_dataset(f"{n}", (0,), "f4") for n in range(count)]
    )


def hdf5_groups(folder: Path, count: int) -> Path:
    """Groups of nothing."""
    return hdf5(folder, lambda file: [file.create_group(f"{n}") for n in range(count)])


def hdf5_zeros(folder: Path, count: int) -> Path:
    """A tensor that shrinks to a thousandth."""
    options = {"compression": "gzip", "chunks": (min(count, 1 << 20),)}
    return hdf5(
        folder, lambda file: file.create_dataset("w", data=np.zeros(count, "u1"), **options)
    )


def keras_zeros(folder: Path, count: int) -> Path:
    """The same beside as many zeros, packed once more."""
    inner = hdf5_zeros(folder, count).read_bytes()
    (folder / "net.h5").unlink()
    path = folder / "net.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", inner + bytes(count))
    return path


def npz(folder: Path, arrays: Iterable[tuple[str, bytes]]) -> Path:
    """A file of NumPy's, deflated."""
    path = folder / "net.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in arrays:
            archive.writestr(f"{name}.npy", content)
    return path


def npy(count: int) -> bytes:
    """An array of zeros."""
    stream = io.BytesIO()
    np.save(stream, np.zeros(count, "u1"))
    return stream.getvalue()


def npz_arrays(folder: Path, count: int) -> Path:
    """Arrays of nothing."""
    content = npy(0)
    return npz(folder, ((f"{n}", content) for n in range(count)))


def npz_zeros(folder: Path, count: int) -> Path:
    """Arrays of a megabyte that shrink to a thousandth."""
    content = npy(1 << 20)
    return npz(folder, ((f"{n}", content) for n in range(-(-count // (1 << 20)))))


def npz_zero(folder: Path, count: int) -> Path:
    """An array that shrinks to a thousandth."""
    return npz(folder, [("w", npy(count))])


KINDS = {
    "tar: digits in a header": Kind(pax_digits, 2_000_000),
    "tar: records in a header": Kind(pax_records, 2_000_000),
    "tar: headers": Kind(pax_headers, 10_000),
    "tar: members": Kind(tar_members, 50_000),
    "tar: zeros": Kind(tar_zeros, 200_000_000),
    "gzip: members": Kind(gzip_members, 1_000_000),
    "V2: extents": Kind(v2_extents, 9_000_000),
    "V2: slices": Kind(v2_slices, 1_000_000),
    "V2: slices of many": Kind(v2_many_slices, 1_000_000),
    "V2: dimensions": Kind(v2_dimensions, 300_000),
    "V2: tensors": Kind(v2_entries, 200_000),
    "V2: long keys": Kind(v2_keys, 1_000_000),
    "V2: attributes of a graph": Kind(v2_graph, 5_000_000),
    "V2: nodes of a graph": Kind(v2_nodes, 3_000_000),
    "V2: texts": Kind(v2_texts, 5_000_000),
    "V1: blocks in turn": Kind(v1_alternate, 50_000),
    "V1: numbers of a byte": Kind(v1_int8, 20_000_000),
    "V1: negative numbers": Kind(v1_negative, 3_000_000),
    "V1: snappy": Kind(v1_snappy, 40_000_000),
    "V1: fields": Kind(v1_fields, 5_000_000),
    "V1: slices": Kind(v1_slices, 200_000),
    "ONNX: dimensions": Kind(onnx_dimensions, 3_000_000),
    "ONNX: dimensions of nothing": Kind(onnx_no_dimensions, 30_000_000),
    "ONNX: nodes": Kind(onnx_nodes, 300_000),
    "ONNX: a chain": Kind(onnx_chain, 300_000),
    "ONNX: long names": Kind(onnx_names, 4096),
    "ONNX: inputs of nodes": Kind(onnx_inputs_of_a_node, 5_000_000),
    "ONNX: attributes": Kind(onnx_attributes, 300_000),
    "ONNX: integers": Kind(onnx_integers, 10_000_000),
    "ONNX: weights": Kind(onnx_weights, 200_000),
    "ONNX: listed numbers": Kind(onnx_listed, 20_000_000),
    "ONNX: inputs": Kind(onnx_inputs, 200_000),
    "ONNX: sides": Kind(onnx_sides, 300_000),
    "JSON: lists": Kind(json_lists, 10_000_000),
    "JSON: dicts": Kind(json_dicts, 10_000_000),
    "JSON: deep": Kind(json_deep, 5_000_000),
    "JSON: numbers": Kind(json_numbers, 10_000_000),
    "JSON: wide letters": Kind(json_wide, 30_000_000),
    "JSON: metadata": Kind(json_metadata, 1_000_000),
    "JSON: tensors": Kind(json_tensors, 500_000),
    "PyTorch: views": Kind(pth_views, 20_000),
    "PyTorch: expanded": Kind(pth_expanded, 20_000),
    "PyTorch: tensors": Kind(pth_tensors, 30_000),
    "PyTorch: records": Kind(pth_records, 40_000),
    "PyTorch: steps": Kind(pth_steps, 5_000_000),
    "PyTorch: nesting": Kind(pth_nested, 5_000_000),
    "PyTorch: wide letters": Kind(pth_letters, 5_000_000),
    "HDF5: chunks": Kind(hdf5_chunks, 200_000),
    "HDF5: tensors": Kind(hdf5_datasets, 30_000),
    "HDF5: groups": Kind(hdf5_groups, 50_000),
    "HDF5: zeros": Kind(hdf5_zeros, 300_000_000),
    "Keras: zeros in zeros": Kind(keras_zeros, 200_000_000),
    "NumPy: arrays": Kind(npz_arrays, 40_000),
    "NumPy: zeros in one": Kind(npz_zero, 300_000_000),
    "NumPy: zeros in many": Kind(npz_zeros, 300_000_000),
}
