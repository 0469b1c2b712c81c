"""What the readers of all formats share: the file in memory, its errors, and the checkpoint."""

import mmap
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from numpy.typing import NDArray

from penult.checkpoints import digests
from penult.errors import CheckpointError, UnsafeError
from penult.util.machine import unload
from penult.util.text import quoted

Array = NDArray[Any]

MAX_DIGESTS = 1 << 14  # that are remembered, each some 300 bytes
MAX_NAME = 1024  # characters in a tensor's name; the longest seen in real checkpoints is under 200


_digests: dict[digests.Version, bytes] = {}


class WeightsFile:
    """A regular file, mapped into memory, and the errors that name it.

    The mapping lives as long as an array made from it. As with every memory-mapped file, nobody
    may shorten the file meanwhile: replace it by renaming another over it.

    Attributes:
        path: Where it is.
        inside: A place in it, if it is an archive.
        data: Its content.
        size: Bytes.

    Raises:
        OSError: There is no such file, it can't be read, it is empty or not a regular file.
        ValueError: The path isn't a possible one.
    """

    resave = "load it where it was made and save the arrays with numpy.savez"

    def __init__(self, path: str | os.PathLike[str], inside: str = "") -> None:
        self.path = Path(path)
        self.inside = inside
        status = self.path.stat()  # asked first: to open a pipe is to wait for its writer
        if not stat.S_ISREG(status.st_mode):
            raise OSError("a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file")
        if status.st_size == 0:
            raise OSError("an empty file")
        with self.path.open("rb") as stream:
            self._version = digests.version(os.fstat(stream.fileno()))
            self.data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        self.size = len(self.data)

    def sha256(self) -> bytes:
        """The SHA-256 of its content; remembered while nothing says that the file has changed."""
        if self._version not in _digests:
            if len(_digests) >= MAX_DIGESTS:
                _digests.clear()
            _digests[self._version] = digests.known(self._version) or self._compute_sha256()
        return _digests[self._version]

    def _compute_sha256(self) -> bytes:
        import hashlib

        began = time.time_ns()
        digest = hashlib.sha256(self.data).digest()
        digests.note(self._version, digest, self.path, began)
        return digest

    def unload(self) -> None:
        """Give the system back what is in memory of it."""
        unload(self.data)

    def beside(self, name: str) -> "WeightsFile":
        """Another file of the same checkpoint, in the same folder."""
        return WeightsFile(self.path.with_name(name))

    def error(self, reason: str, offset: int | None = None) -> CheckpointError:
        """An error about this file, to be raised."""
        return CheckpointError(self._message(reason, offset))

    def damaged(self, reason: str, offset: int | None = None) -> CheckpointError:
        """An error about content that no writer would have written."""
        return self.error(f"{reason}; damaged or forged: fetch the file again", offset)

    def unsafe(self, reason: str, offset: int) -> UnsafeError:
        """An error about a file that asks to run code."""
        return UnsafeError(
            self._message(
                f"{reason}, which is code, not data; if you trust it, {self.resave}", offset
            )
        )

    def _message(self, reason: str, offset: int | None) -> str:
        place = "" if offset is None else f", byte {offset}"
        return f"{quoted(self.path)}{place}: {reason}"


def unreadable(path: Path, error: OSError | ValueError, advice: str = "") -> CheckpointError:
    """An error about a file that `WeightsFile` can't open, to be raised."""
    reason = getattr(error, "strerror", None) or str(error)
    return CheckpointError(f"{quoted(path)}: {reason.lower()}{advice}")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file: what is known without reading it, and how to read it."""

    dtype: str
    shape: tuple[int, ...]
    read: Callable[[], Array]


class Checkpoint(Mapping[str, Array]):
    """The tensors of a weights file, by the names they have there; each is read when asked for.

    Arrays are read-only. They are views of the file where NumPy can have them so: aligned, and of
    a type that it knows. bfloat16 and float8 are widened to float32, which holds all their values.
    Those of TensorFlow's V1 are views even where they aren't aligned: for code that needs them
    aligned, `np.require(array, requirements="A")` makes a copy if need be.

    Attributes:
        path: What was opened: the file, or the folder or prefix that led to it.
        files: The files that it consists of; mostly one.
        format: What kind of file it is, for instance "PyTorch (zip)".
        metadata: Small facts beside the tensors: safetensors' metadata, the epoch of a checkpoint.
        shapes: The tensors' shapes, by name; known without reading any tensor.
        dtypes: The element types as the file calls them, by name: "bfloat16", "BF16".
        tensors: The same by name, as descriptions.
        averages: Moving averages that a trainer saved apart, as `model_ema` beside `model`; their
            names begin with that of the dict they are in.
        ema: Whether moving averages stand in the place of variables.
    """

    def __init__(
        self,
        file: WeightsFile,
        layout: str,
        tensors: Mapping[str, Tensor],
        metadata: Mapping[str, str],
        others: Iterable[WeightsFile] = (),
    ) -> None:
        for name in tensors:
            _check_name(file, name)
        self.path = file.path
        self.files = (file, *others)
        self.format = layout
        self.metadata = MappingProxyType({_text(k): _text(v) for k, v in metadata.items()})
        self.averages: Mapping[str, Tensor] = {}
        self.ema = False
        self._hold(tensors)
        self._digest: str | None = None

    def __getitem__(self, name: str) -> Array:
        return self.tensors[name].read()

    def __contains__(self, name: object) -> bool:  # Mapping's own would read the tensor
        return name in self.tensors

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def __repr__(self) -> str:
        return f"<Checkpoint {str(self.path)!r}: {self.format}, {len(self)} tensors>"

    def with_averages(self, averages: Mapping[str, str]) -> "Checkpoint":
        """Return the same checkpoint with the tensors of `averages`, by the names they are of."""
        other = copy(self)
        other.ema = True
        known = {**self.averages, **self.tensors}
        other._hold({**self.tensors, **{k: known[v] for k, v in averages.items()}})
        return other

    def below(self, prefix: str) -> "Checkpoint":
        """Return the same checkpoint with the tensors whose names begin so, without that."""
        other = copy(self)
        tensors = self.tensors.items()
        other._hold({n.removeprefix(prefix): t for n, t in tensors if n.startswith(prefix)})
        apart = ((*name.partition("."), tensor) for name, tensor in self.averages.items())
        other.averages = {
            f"{key}.{name.removeprefix(prefix)}": tensor
            for key, _, name, tensor in apart
            if name.startswith(prefix)
        }
        return other

    def _hold(self, tensors: Mapping[str, Tensor]) -> None:
        self.tensors = tensors
        self.shapes = MappingProxyType({name: it.shape for name, it in tensors.items()})
        self.dtypes = MappingProxyType({name: it.dtype for name, it in tensors.items()})

    def unload(self) -> None:
        """Give the system back what is in memory of the files."""
        for file in self.files:
            file.unload()

    def digest(self) -> str:
        """The file's SHA-256 in hexadecimal; computed at the first call.

        Of several files, it is the SHA-256 of their SHA-256s, 32 bytes each, in `files`' order.
        """
        if self._digest is None:
            self._digest = digest_of(self.files)
            self.unload()
        return self._digest


def digest_of(files: Iterable[WeightsFile]) -> str:
    """The SHA-256 of a file in hexadecimal; of several, that of their SHA-256s, 32 bytes each."""
    import hashlib

    first, *others = [file.sha256() for file in files]
    return (hashlib.sha256(first + b"".join(others)).digest() if others else first).hex()


def _check_name(file: WeightsFile, name: str) -> None:
    if len(name) > MAX_NAME:
        raise file.damaged(f"tensor name {quoted(name)} of more than {MAX_NAME} characters")
    try:
        name.encode()
    except UnicodeEncodeError as exc:
        raise file.damaged(f"tensor name {quoted(name)} isn't Unicode text") from exc


def _text(value: str) -> str:
    """The same text, but one that can be written: lone surrogates become escapes."""
    return value.encode("utf-8", "backslashreplace").decode()


class Format(NamedTuple):
    """A kind of weights file: how to recognise its content, and how to open it."""

    name: str
    recognises: Callable[[WeightsFile], bool]
    open: Callable[[WeightsFile], Checkpoint]
