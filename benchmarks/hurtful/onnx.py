"""ONNX files of one count that grows, in a model that pools images."""

from collections.abc import Iterable
from pathlib import Path

from hurtful.base import Kind, put
from penult.util.protobuf import encode, encode_varint


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


KINDS = {
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
}
