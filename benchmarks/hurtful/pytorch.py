"""PyTorch's archives of one count that grows in the pickle, or beside it."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from hurtful.base import OPCODES, Kind


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


KINDS = {
    "PyTorch: views": Kind(pth_views, 20_000),
    "PyTorch: expanded": Kind(pth_expanded, 20_000),
    "PyTorch: tensors": Kind(pth_tensors, 30_000),
    "PyTorch: records": Kind(pth_records, 40_000),
    "PyTorch: steps": Kind(pth_steps, 5_000_000),
    "PyTorch: nesting": Kind(pth_nested, 5_000_000),
    "PyTorch: wide letters": Kind(pth_letters, 5_000_000),
}
