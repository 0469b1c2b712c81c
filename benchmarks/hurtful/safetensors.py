"""Files of safetensors, whose header is JSON, of one count that grows."""

import json
from pathlib import Path

from hurtful.base import Kind, put


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


KINDS = {
    "JSON: lists": Kind(json_lists, 10_000_000),
    "JSON: dicts": Kind(json_dicts, 10_000_000),
    "JSON: deep": Kind(json_deep, 5_000_000),
    "JSON: numbers": Kind(json_numbers, 10_000_000),
    "JSON: wide letters": Kind(json_wide, 30_000_000),
    "JSON: metadata": Kind(json_metadata, 1_000_000),
    "JSON: tensors": Kind(json_tensors, 500_000),
}
