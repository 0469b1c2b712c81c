"""Tables as they lie in files: Parquet, Arrow's two formats, and Lance, read forward in pieces.

Memory is bounded by what one piece takes to unpack: of Parquet a page of a column, read through a
buffer of 1 MiB rather than a row group ahead, of Arrow a record batch, of Lance a few rows. A page
has 2 GiB at most.

Arrow's library reads these files in this process, and damage that it doesn't notice ends it: what
of its interface was seen to abort on damaged files isn't used, and batches are validated. Tables
that a stranger may have forged are read as safely as Arrow is.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from penult.images.blobs import arrow_file
from penult.images.items import Version
from penult.util.text import quoted

if TYPE_CHECKING:
    import pyarrow as pa

PIECE_ROWS = 16  # of images that are unpacked together
MANY_ROWS = 4096  # of other columns
BUFFER_BYTES = 1 << 20


class Rows(ABC):
    """A table that is open.

    Attributes:
        schema: Its columns.
        starts: The rows at which reading can begin, the first of which is 0, and the end.
    """

    schema: "pa.Schema"
    starts: Sequence[int]

    @abstractmethod
    def pieces(self, group: int, columns: list[str], rows: int) -> Iterator["pa.RecordBatch"]:
        """Yield columns in pieces, from the row on where a group starts.

        Args:
            group: Which of `starts`.
            columns: Names, of which one within a struct is written with a dot.
            rows: Of a piece at most, if the format lets it be chosen.
        """


class ParquetRows(Rows):
    """A Parquet file, whose groups are its row groups."""

    def __init__(self, path: str, version: Version) -> None:
        import pyarrow.parquet as pq

        self._file = pq.ParquetFile(
            arrow_file(path, version), pre_buffer=False, buffer_size=BUFFER_BYTES
        )
        self.schema = self._file.schema_arrow
        groups = map(self._file.metadata.row_group, range(self._file.num_row_groups))
        self.starts = [0, *accumulate(group.num_rows for group in groups)]

    def pieces(self, group: int, columns: list[str], rows: int) -> Iterator["pa.RecordBatch"]:
        """Yield columns in pieces, none of two row groups: a damaged one costs its own rows."""
        for number in range(group, self._file.num_row_groups):
            yield from self._file.iter_batches(
                rows, row_groups=[number], columns=columns, use_threads=False
            )


class ArrowRows(Rows):
    """A file of Arrow's, of either format; its groups are its record batches."""

    def __init__(self, path: str, version: Version) -> None:
        self._path, self._version = path, version
        batches = self._batches()
        self.schema = next(batches)
        self.starts = [0, *accumulate(len(batch) for batch in batches)]

    def pieces(self, group: int, columns: list[str], rows: int) -> Iterator["pa.RecordBatch"]:
        """Yield columns in pieces."""
        batches = self._batches()
        next(batches)
        for number, batch in enumerate(batches):
            if number >= group:
                some = batch.select([name.partition(".")[0] for name in columns])
                some.validate(full=True)  # what the file says of places isn't looked at before
                for start in range(0, len(some), rows):
                    yield some.slice(start, rows)

    def _batches(self) -> Iterator[Any]:
        """The schema, then the batches, each read when it is asked for."""
        import pyarrow as pa

        with arrow_file(self._path, self._version) as file:
            is_file = file.read(6) == b"ARROW1"
            file.seek(0)
            reader = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
            yield reader.schema
            if is_file:
                yield from map(reader.get_batch, range(reader.num_record_batches))
            else:
                yield from reader


class LanceRows(Rows):
    """A Lance table as it was when it was opened; reading can begin anywhere."""

    def __init__(self, path: str) -> None:
        import lance

        self._dataset = lance.dataset(path)
        for base in self._dataset.base_paths().values():  # which may be in anybody's bucket
            raise ValueError(f"files of it lie outside of it: {quoted(base.path)}")
        self.schema = self._dataset.schema
        count = self._dataset.count_rows()
        self.starts = [*range(0, count, PIECE_ROWS), count]

    def pieces(self, group: int, columns: list[str], rows: int) -> Iterator["pa.RecordBatch"]:
        """Yield columns in pieces."""
        end = self.starts[-1]
        for start in range(self.starts[group], end, rows):
            some = range(start, min(start + rows, end))
            yield from self._dataset.take([*some], columns=columns).combine_chunks().to_batches()


def open_rows(path: str, version: Version) -> Rows:
    """Open a table by the end of its name; raises what Arrow does."""
    if path.lower().endswith(".parquet"):
        return ParquetRows(path, version)
    return LanceRows(path) if path.lower().endswith(".lance") else ArrowRows(path, version)
