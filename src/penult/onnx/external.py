"""Weights of an ONNX file that lie in other files, which must be in the same folder.

The keys of `external_data`: https://github.com/onnx/onnx/blob/main/docs/ExternalData.md.
"""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from penult.checkpoints.base import WeightsFile
from penult.onnx.reader import UnsupportedError
from penult.util.protobuf import MalformedError
from penult.util.text import quoted

_DIGITS = 19  # of a number below 2**63


class DataFiles:
    """The files that an ONNX file's weights lie in, each opened when it is first named."""

    def __init__(self, file: WeightsFile) -> None:
        self._file = file
        self._opened: dict[str, WeightsFile] = {}
        self._taken: Counter[str] = Counter()  # bytes

    @property
    def files(self) -> tuple[WeightsFile, ...]:
        """The ONNX file, and those opened so far, in the order of their names."""
        return (self._file, *(self._opened[name] for name in sorted(self._opened)))

    def locate(self, tensor: str, entries: Mapping[str, str], size: int) -> memoryview:
        """Find a tensor's numbers.

        Args:
            tensor: Its name.
            entries: Its `external_data`: `location`, and perhaps `offset` and `length` in bytes.
            size: How many bytes it has, by shape and type.

        Raises:
            MalformedError: The place isn't in the file, or has another length.
            UnsupportedError: The file isn't there, or isn't in the same folder.
        """
        name = entries.get("location", "")
        offset, length = _number(entries, "offset", 0), _number(entries, "length", size)
        if length != size:
            raise MalformedError(
                f"tensor {quoted(tensor)} has {length} bytes in {quoted(name)} where {size} were"
                " expected"
            )
        if not size:
            return memoryview(b"")
        data = memoryview(self._open(tensor, name).data)
        if offset + size > len(data):
            raise MalformedError(
                f"tensor {quoted(tensor)} ends at byte {offset + size} of {quoted(name)}, which has"
                f" {len(data)}"
            )
        self._taken[name] += size
        if self._taken[name] > len(data):  # lest a small file become any number of large tensors
            raise MalformedError(f"tensors overlap in {quoted(name)}")
        return data[offset : offset + size]

    def _open(self, tensor: str, name: str) -> WeightsFile:
        if name not in self._opened:
            self._require_beside(tensor, name)
            try:
                self._opened[name] = self._file.beside(name)
            except (OSError, ValueError) as exc:
                reason = (getattr(exc, "strerror", None) or str(exc)).lower()
                raise UnsupportedError(
                    f"keeps {quoted(tensor)} in {quoted(name)}, which can't be read beside it"
                    f" ({reason}): put both into one folder"
                ) from exc
        return self._opened[name]

    def _require_beside(self, tensor: str, name: str) -> None:
        """Refuse what isn't a file of the same folder, links out of it included.

        Both files may be links into one other folder, as the caches of model hubs have them.
        """
        path = self._file.path
        plain = name not in {"", ".", ".."} and not set(name) & set("/\\:\0")
        if plain:
            folders = {_real(path.parent), _real(path).parent}
            plain = _real(path.with_name(name)).parent in folders
        if not plain:
            raise UnsupportedError(
                f"keeps {quoted(tensor)} in {quoted(name)}, and only files of its own folder are"
                " read: save it again with its data beside it"
            )


def _real(path: Path) -> Path:
    """Where all links lead; of links in a circle one of them, where `Path.resolve` fails."""
    return Path(os.path.realpath(path))


def _number(entries: Mapping[str, str], key: str, default: int) -> int:
    text = entries.get(key, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        raise MalformedError(f"an external tensor with {key} {quoted(text)}")
    return int(text)
