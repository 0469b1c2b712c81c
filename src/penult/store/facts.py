"""What is known of many files, held as columns: some 25 bytes each, where an object takes 200."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from penult.store.layout import File

if TYPE_CHECKING:
    import pyarrow as pa

Places = NDArray[np.int64]

T = TypeVar("T")

_AS_BYTES, _AS_TEXT = b"\0", b"\1"  # how a digest is held


class Names:
    """Texts that occur again and again, by number."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._numbers: dict[str, int] = {}

    def number(self, text: str | None) -> int:
        """The number of a text, given to it now if it has none; -1 for None."""
        if text is None:
            return -1
        number = self._numbers.setdefault(text, len(self.texts))
        if number == len(self.texts):
            self.texts.append(text)
        return number

    def known(self, text: str) -> int | None:
        """The number of a text, if it has one."""
        return self._numbers.get(text)

    def text(self, number: int) -> str | None:
        """The text of a number."""
        return None if number < 0 else self.texts[number]


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Where files are and what they are like, but for their keys, which whoever asks has.

    A place is held as a text that many share, such as a folder, and what comes after it, which
    mostly is the key.

    Attributes:
        names: Has the first parts of places.
        roots: Their numbers; -1 where no place is known.
        tails: What comes after; null where it's the key, None if it is everywhere.
        sizes: Bytes.
        times: Last changes in nanoseconds.
        digests: As `_packed` writes them; None if there is none.
    """

    names: Names
    roots: NDArray[np.int32]
    tails: "pa.StringArray | None"
    sizes: NDArray[np.int64]
    times: NDArray[np.int64]
    digests: "pa.BinaryArray | None"

    @classmethod
    def of(
        cls,
        names: Names,
        keys: Sequence[str],
        paths: Sequence[str | None],
        sizes: Sequence[int] | NDArray[np.int64],
        times: Sequence[int] | NDArray[np.int64],
        digests: Sequence[str | None],
    ) -> Self:
        """Take columns, in the order of `keys`."""
        parts = [_split(key, path) for key, path in zip(keys, paths, strict=True)]
        return cls(
            names,
            np.fromiter((names.number(root) for root, _ in parts), np.int32, len(parts)),
            _array([tail for _, tail in parts], "string"),
            np.array(sizes, np.int64),
            np.array(times, np.int64),
            _array([_packed(digest) for digest in digests], "binary"),
        )

    @classmethod
    def of_files(cls, names: Names, files: Sequence[File]) -> Self:
        """Take what is known of files."""
        return cls.of(
            names,
            [file.key for file in files],
            [file.path for file in files],
            [file.bytes for file in files],
            [file.mtime_ns for file in files],
            [file.sha256 for file in files],
        )

    def __len__(self) -> int:
        return len(self.roots)

    def take(self, places: Places) -> "Facts":
        """Some of them."""
        return Facts(
            self.names,
            self.roots[places],
            None if self.tails is None else self.tails.take(places),
            self.sizes[places],
            self.times[places],
            None if self.digests is None else self.digests.take(places),
        )

    def paths(self, keys: Sequence[str]) -> list[str | None]:
        """Places, of files with these keys."""
        texts = self.names.texts
        tails = keys if self.tails is None else self.tails.to_pylist()
        return [
            None if root < 0 else texts[root] + (key if tail is None else tail)
            for root, key, tail in zip(self.roots.tolist(), keys, tails, strict=True)
        ]

    def sha256(self) -> list[str | None]:
        """Digests as texts."""
        if self.digests is None:
            return [None] * len(self)
        return [_unpacked(digest) for digest in self.digests.to_pylist()]

    def starts(self) -> NDArray[np.int32]:
        """Numbers of the first parts of places that go on with the keys; -1 for others."""
        if self.tails is None:
            return self.roots
        return np.where(self.tails.is_null().to_numpy(zero_copy_only=False), self.roots, -1)

    def files(self, keys: Sequence[str]) -> list[File]:
        """The same as objects."""
        columns = (self.sizes.tolist(), self.times.tolist(), self.paths(keys), self.sha256())
        return [File(*each) for each in zip(keys, *columns, strict=True)]


def joined(parts: Sequence[Facts]) -> Facts:
    """Several, one after the other, that share their names."""
    return Facts(
        parts[0].names,
        np.concatenate([part.roots for part in parts]),
        _column([part.tails for part in parts], [len(part) for part in parts], "string"),
        np.concatenate([part.sizes for part in parts]),
        np.concatenate([part.times for part in parts]),
        _column([part.digests for part in parts], [len(part) for part in parts], "binary"),
    )


class FactsLog:
    """Facts that are added bit by bit, numbered in their order."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._parts: list[Facts] = []
        self._starts: list[int] = []
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, files: Sequence[File]) -> None:
        """Add what is known of files."""
        if files:
            self._parts.append(Facts.of_files(self._names, files))
            self._starts.append(self._rows)
            self._rows += len(files)

    def files(self, keys: Sequence[str], rows: Places) -> list[File]:
        """Files by their numbers, with these keys."""
        found: dict[int, File] = {}
        for places, part, inside in spread(self._starts, self._parts, rows):
            some = part.take(inside).files([keys[place] for place in places])
            found |= zip(places.tolist(), some, strict=True)
        return [found[place] for place in range(len(rows))]


def spread(
    starts: Sequence[int], parts: Sequence[T], rows: Places
) -> list[tuple[Places, T, Places]]:
    """Tell in which part rows are: places in `rows`, the part, and the places within it."""
    which = np.searchsorted(np.asarray(starts), rows, "right") - 1
    found = []
    for number in np.unique(which).tolist():
        places = np.flatnonzero(which == number)
        found.append((places, parts[number], rows[places] - starts[number]))
    return found


def _split(key: str, path: str | None) -> tuple[str | None, str | None]:
    """A place as what many share, and the rest unless that is the key."""
    if path is None:
        return None, None
    if key and path.endswith(key):
        return path.removesuffix(key), None
    cut = max(path.rfind("/"), path.rfind("#")) + 1
    return path[:cut], path[cut:]


def _packed(digest: str | None) -> bytes | None:
    """A digest in half of its digits' bytes; any other text is held as it is."""
    if digest is None:
        return None
    try:
        raw = bytes.fromhex(digest)
    except ValueError:
        raw = b""
    return _AS_BYTES + raw if raw.hex() == digest else _AS_TEXT + digest.encode()


def _unpacked(digest: bytes | None) -> str | None:
    if digest is None:
        return None
    return digest[1:].hex() if digest.startswith(_AS_BYTES) else digest[1:].decode()


def _array(values: "Sequence[str | None] | Sequence[bytes | None]", kind: str) -> "pa.Array | None":
    """Values as a column, None if there are only nulls."""
    return None if all(value is None for value in values) else column_of(values, kind)


def _column(
    parts: "Sequence[pa.Array | None]", lengths: Sequence[int], kind: str
) -> "pa.Array | None":
    import pyarrow as pa

    if all(part is None for part in parts):
        return None
    return concatenated(
        [
            pa.nulls(length, kind) if part is None else part
            for part, length in zip(parts, lengths, strict=True)
        ]
    )


def column_of(values: "Sequence[str | None] | Sequence[bytes | None]", kind: str) -> "pa.Array":
    """Values as a column that takes no more memory than it has; Arrow's own pool keeps a half."""
    import pyarrow as pa

    return pa.array(values, kind, memory_pool=pa.system_memory_pool())


def concatenated(parts: "Sequence[pa.Array]") -> "pa.Array":
    """Columns one after the other, likewise."""
    import pyarrow as pa

    return pa.concat_arrays(parts, pa.system_memory_pool())
