"""Columns of tables as sources of images: bytes, or Hugging Face's structs of bytes and a path.

An image is named by its column and row, `train.parquet#image/17`, or by a column of names. Only
bytes are read: a path in a table of a stranger's leads nowhere. What damage leaves unread of a row
group is a failure each; Arrow, which unpacks it, isn't contained as decoders are.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

from penult.errors import ImageError, PenultError, SourceError
from penult.images.items import Version
from penult.images.kept import KEPT
from penult.images.members import NAME_BYTES, Container, Member
from penult.images.names import as_key, as_key_within
from penult.images.table_rows import MANY_ROWS, PIECE_ROWS, open_rows
from penult.util.text import one_line, quoted

if TYPE_CHECKING:
    import pyarrow as pa

FAR_ROWS = 1024  # rows that are read through rather than passed over


class TableImages(Container):
    """The images in a column of a table.

    Args:
        path: The table.
        version: As it is now.
        column: The column; by default the only one that can hold images.

    Raises:
        ImageError: There is no such column, or several.
        ValueError, OSError: The table can't be read.
    """

    def __init__(self, path: str, version: Version, column: str | None) -> None:
        super().__init__(path, version)
        with _readable():
            self._rows = open_rows(path, version)
        self.column = _image_column(self._rows.schema, column)
        is_struct = not _is_bytes(self._rows.schema.field(self.column).type)
        self._path = f"{self.column}.bytes" if is_struct else self.column
        self._names = f"{as_key(self.column)}/"
        self._lock = Lock()
        self._pieces: Iterator[pa.RecordBatch] | None = None
        self._next = 0  # the row that comes next
        self._broken: dict[int, str] = {}  # groups that can't be read to their end, and why

    def __len__(self) -> int:
        return self._rows.starts[-1]

    def items(self, key: str) -> Iterator[Member]:
        """Yield the images of all rows, by their numbers."""
        for number in range(len(self)):
            yield Member(as_key_within(key, self.name(number)), self, number)

    def named_items(self, column: str) -> Iterator[Member]:
        """Yield the images of all rows, whose keys are what another column says.

        Raises:
            SourceError: There is no such column, it isn't of texts or whole numbers, can't be read,
                or a row has no key.
        """
        about = f"{quoted(self.path)}, column {quoted(column)}"
        kind = self._kind(column)
        if kind is None or not _is_key(kind):
            raise SourceError(f"{about} is {kind or 'missing'}: keys are texts or whole numbers")
        try:
            for number, name in enumerate(self._texts(column)):
                if not name or "\0" in name or len(name) > NAME_BYTES:
                    raise SourceError(f"{about}: row {number} has {_shown(name)}, which is no key")
                yield Member(as_key(name), self, number)
        except (ValueError, OSError) as error:
            raise SourceError(f"{about}: {one_line(str(error))}") from error

    def _texts(self, column: str) -> Iterator[str | None]:
        import pyarrow as pa

        with _readable():
            for piece in self._rows.pieces(0, [column], MANY_ROWS):
                yield from piece.column(0).cast(pa.string()).to_pylist()

    def require_values(self, columns: Sequence[str]) -> None:
        """Raise a SourceError unless there are these columns, of numbers or texts."""
        for column in columns:
            kind = self._kind(column)
            if kind is None or not _is_value(kind):
                about = f"{quoted(self.path)}, column {quoted(column)}"
                raise SourceError(f"{about} is {kind or 'missing'}: kept are numbers and texts")

    def values(self, column: str, numbers: Sequence[int]) -> list[Any]:
        """What a column says of rows."""
        import pyarrow as pa

        self.require_values([column])
        try:
            with _readable():
                pieces = [p.column(0) for p in self._rows.pieces(0, [column], MANY_ROWS)]
        except (ValueError, OSError) as error:
            about = f"{quoted(self.path)}, column {quoted(column)}"
            raise SourceError(f"{about}: {one_line(str(error))}") from error
        values: list[Any] = pa.chunked_array(pieces, self._kind(column)).take(numbers).to_pylist()
        return values

    def _kind(self, column: str) -> "pa.DataType | None":
        schema = self._rows.schema
        return schema.field(column).type if schema.names.count(column) == 1 else None

    def find(self, name: str) -> int | None:
        """The row that a name counts."""
        digits = name.removeprefix(self._names)
        if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
            return None
        number = int(digits)
        return number if number < len(self) and name == self.name(number) else None

    def name(self, number: int) -> str:
        """The column and the row."""
        return f"{self._names}{number}"

    def size(self, number: int) -> int:
        """It isn't known."""
        return 0

    def complaint(self, number: int) -> ImageError | None:
        """None: what is wrong is found by reading."""
        return None

    @property
    def is_whole(self) -> bool:
        """It is: a table has its number of rows."""
        return True

    def read(self, number: int, max_bytes: int) -> bytes:
        """Read the image of a row; those before it are kept for a while."""
        with self._lock:
            data = KEPT.pop(self, number)
            if data is None:
                data = self._read(number)
        if not data:
            raise ImageError("empty", "the row has no bytes")
        return data

    def _read(self, number: int) -> bytes:
        """Read forward to a row, or from the start of its group if what is before it is damaged."""
        group = self._group(number)
        while group not in self._broken:
            try:
                with _readable():
                    return self._forward(number, group)
            except ValueError as error:
                self._broken[self._group(self._next)] = one_line(str(error))
                self._pieces = None
        raise ImageError("damaged", self._broken[group])

    def _forward(self, number: int, group: int) -> bytes:
        starts = self._rows.starts
        is_far = number >= self._next + FAR_ROWS and starts[group] > self._next
        if self._pieces is None or number < self._next or is_far:
            self.require_unchanged()
            self._next = starts[group]
            self._pieces = self._rows.pieces(group, [self._path], PIECE_ROWS)
        while True:
            piece = next(self._pieces, None)
            if piece is None:
                raise ValueError(f"it ends before row {number}")
            images = _bytes_of(piece.column(0)).to_pylist()
            start, self._next = self._next, self._next + len(images)
            for row, image in enumerate(images, start):
                if row != number:
                    KEPT.put(self, row, image or b"")
            if number < self._next:
                return images[number - start] or b""

    def _group(self, number: int) -> int:
        last = len(self._rows.starts) - 2
        return min(bisect_right(self._rows.starts, number) - 1, last)


def _shown(value: str | None) -> str:
    return "no value" if value is None else quoted(value)


def _bytes_of(column: "pa.Array") -> "pa.Array":
    """The bytes of images, of whichever kind a column is."""
    import pyarrow as pa

    return column.field("bytes") if pa.types.is_struct(column.type) else column


def _image_column(schema: "pa.Schema", wanted: str | None) -> str:
    """The column of images, which has to be named if there are several that may be it."""
    kinds = {field.name: field.type for field in schema if _holds_bytes(field.type)}
    names = [wanted] if wanted in kinds else [*kinds] if wanted is None else []
    if len(names) == 1:
        return str(names[0])
    if wanted is not None:
        found = schema.field(wanted).type if schema.names.count(wanted) == 1 else "missing"
        detail = f"column {quoted(wanted)} is {found}, expected bytes, or a struct with bytes"
    elif kinds:
        have = ", ".join(map(quoted, kinds))
        detail = f"{len(kinds)} columns may hold images, name one (--column): {have}"
    else:
        detail = f"none of its columns holds bytes: {one_line(', '.join(schema.names))}"
    raise ImageError("unsupported_format", detail)


def _holds_bytes(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _is_bytes(kind.field(place).type)
    return _is_bytes(kind)


def _is_bytes(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_key(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind)
    )


def _is_value(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return _is_key(kind) or bool(pa.types.is_floating(kind) or pa.types.is_boolean(kind))


@contextmanager
def _readable() -> Iterator[None]:
    """Make a ValueError of what Arrow and Lance raise on damaged tables; the system's stay."""
    try:
        yield
    except PenultError:
        raise
    except Exception as error:  # on hostile bytes, readers raise whatever they run into
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise ValueError(one_line(str(error).strip()) or type(error).__name__) from error
