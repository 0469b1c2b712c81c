"""Writers of small weights files, byte by byte, so that each byte can be a wrong one."""

import json
import struct
import zipfile
from pathlib import Path

import pytest

from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError

DATA = Path(__file__).parent / "data"
MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
PROTOCOL = b"\x80\x02M\xe9\x03."


def fresh(path):
    """A path without a file: to write a new one is quicker than to shorten an old one."""
    path.unlink(missing_ok=True)
    return path


class Opcodes:
    """Pieces of pickles, as bytes."""

    @staticmethod
    def text(value):
        raw = value.encode("utf-8", "surrogatepass")
        return b"X" + struct.pack("<I", len(raw)) + raw

    @staticmethod
    def number(value):
        if -(2**31) <= value < 2**31:
            return b"J" + struct.pack("<i", value)
        raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(raw)]) + raw

    @staticmethod
    def name(module, name):
        return f"c{module}\n{name}\n".encode()

    @classmethod
    def tuple(cls, *items):
        return b"(" + b"".join(items) + b"t"

    @classmethod
    def sizes(cls, *values):
        return cls.tuple(*map(cls.number, values))

    @classmethod
    def storage(cls, key="0", kind="FloatStorage", count=4, view=None):
        parts = [cls.text("storage"), cls.name("torch", kind), cls.text(key), cls.text("cpu")]
        return cls.tuple(*parts, cls.number(count), *([] if view is None else [view])) + b"Q"

    @classmethod
    def tensor(cls, storage=None, offset=0, shape=(4,), strides=(1,)):
        view = [storage or cls.storage(), cls.number(offset), cls.sizes(*shape)]
        function = cls.name("torch._utils", "_rebuild_tensor_v2")
        return function + cls.tuple(*view, cls.sizes(*strides), b"\x89", b"}") + b"R"

    @classmethod
    def dict(cls, **items):
        return b"}(" + b"".join(cls.text(key) + item for key, item in items.items()) + b"u"

    @classmethod
    def pickle(cls, *parts):
        return b"\x80\x02" + b"".join(parts) + b"."

    @classmethod
    def state(cls, **tensor):
        """A whole pickle: a state_dict with one tensor, `w`."""
        return cls.pickle(cls.dict(w=cls.tensor(**tensor)))


@pytest.fixture(scope="session")
def op():
    return Opcodes


@pytest.fixture(scope="session")
def data():
    return DATA


@pytest.fixture
def write_legacy(tmp_path, op):
    """Write a legacy file; each storage is (key, elements, bytes)."""

    def write(pickle, storages=(("0", 4, bytes(16)),), *, little_endian=b"\x88", keys=None):
        path = fresh(tmp_path / "legacy.pth")
        keys = [key for key, _, _ in storages] if keys is None else keys
        parts = [MAGIC, PROTOCOL, op.pickle(op.dict(little_endian=little_endian)), pickle]
        parts.append(op.pickle(b"](" + b"".join(map(op.text, keys)) + b"e"))
        parts += [struct.pack("<q", count) + raw for _, count, raw in storages]
        path.write_bytes(b"".join(parts))
        return path

    return write


@pytest.fixture
def write_zip(tmp_path):
    """Write an archive of records, stored as PyTorch does; the first is data.pkl."""

    def write(pickle, **records):
        path = fresh(tmp_path / "zipped.pth")
        content = {"data.pkl": pickle, "byteorder": b"little", "data/0": bytes(16)}
        content |= {name.replace("__", "/"): raw for name, raw in records.items()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, raw in content.items():
                if raw is not None:
                    archive.writestr(f"archive/{name}", raw)
        return path

    return write


@pytest.fixture
def write_safetensors(tmp_path):
    """Write a safetensors file; the header as a dict or as bytes."""

    def write(header, content=b"", *, length=None):
        path = fresh(tmp_path / "plain.safetensors")
        raw = header if isinstance(header, bytes) else json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(raw) if length is None else length) + raw + content)
        return path

    return write


@pytest.fixture(scope="session")
def refusal():
    """The message with which a file is refused, once it has proved to be fit for a person."""

    def message_of(path, kind=CheckpointError):
        with pytest.raises(CheckpointError) as caught:
            read_all(path)
        message = str(caught.value)
        assert type(caught.value) is kind, message
        assert message.isprintable()
        assert len(message) <= 300
        assert path.name in message
        return message

    return message_of


def read_all(path):
    checkpoint = open_checkpoint(path)
    return {name: checkpoint[name] for name in checkpoint}


@pytest.fixture(name="read_all", scope="session")
def _read_all():
    return read_all
