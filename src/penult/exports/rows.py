"""Parquet for Embedding Atlas and Renumics Spotlight: a row an image, in the order of keys."""

import shlex
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from penult.errors import ImageError, StoreError
from penult.exports import facts
from penult.exports.neighbours import neighbours
from penult.extraction.row_files import row_files, same_images
from penult.images.addresses import is_address
from penult.images.names import within
from penult.store import TableReader
from penult.util.files import replacing
from penult.util.text import plural, quoted

if TYPE_CHECKING:
    import pyarrow as pa

    from penult.images.thumbnails import Thumbnails

NEAR = 15  # neighbours of a row, as many as Embedding Atlas looks for itself
NEIGHBOURS_BELOW = 100_000  # rows: the time grows with their square

More = Callable[["pa.Table", int], list["pa.Array"]]  # of some rows from a place on


def has_map(features: TableReader) -> bool:
    """Whether images have places in the plane."""
    return {"x", "y"} <= set(features.columns)


def has_neighbours(features: TableReader) -> bool:
    """Whether a file for Embedding Atlas gets each row's neighbours."""
    return len(features) < NEIGHBOURS_BELOW


def atlas(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """Thumbnails as `image`, `path`, vectors, columns (`x` and `y` are the map), `neighbors`.

    Format: packages/docs/data-formats.md and tool.md of github.com/apple/embedding-atlas. An
    `image` is stored as Hugging Face's datasets store one; it is null where the file has gone, has
    changed, can't be read, or is in a bucket that nobody has named. `ids` of neighbours are rows,
    counted from 0.
    """
    import pyarrow as pa

    from penult.images.thumbnails import Thumbnails

    (layer,) = layers
    _warn_of_newer(features)
    image = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    near = pa.struct({"ids": pa.list_(pa.int32()), "distances": pa.list_(pa.float32())})
    fields = {"image": image} | ({"neighbors": near} if has_neighbours(features) else {})
    found = neighbours(features, layer, NEAR) if has_neighbours(features) else None

    def more(piece: pa.Table, start: int) -> list[pa.Array]:
        images = pa.array([*_pictures(piece, thumbnails)], image)
        if found is None:
            return [images]
        lists = [_lists(values[start : start + len(piece)]) for values in found]
        return [images, pa.StructArray.from_arrays(lists, fields=list(near))]

    with closing(Thumbnails(cache_bytes=0)) as thumbnails:
        _write(features, layer, out, pa.schema(fields), more)


def _warn_of_newer(features: TableReader) -> None:
    """Say how many images are on no map: Embedding Atlas may draw those anywhere."""
    missing = features.facts(["x"])["x"].null_count if has_map(features) else 0
    if missing:
        warnings.warn(
            f"{plural(missing, 'image')} of {quoted(features.path)} came after the map, and have "
            f"no place in it: penult map {shlex.quote(str(features.path))} makes it anew",
            stacklevel=4,
        )


def spotlight(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """Vectors, added columns, and the images by `path`: Spotlight finds out which column is what.

    Format: renumics/spotlight/io/pandas.py of github.com/Renumics/spotlight, `infer_dtype`.
    """
    import pyarrow as pa

    (layer,) = layers

    def more(piece: pa.Table, start: int) -> list[pa.Array]:
        for place in piece["path"].to_pylist():
            require_file(place or "")
        return []

    _write(features, layer, out, pa.schema([]), more)


def _write(features: TableReader, layer: str, out: Path, fields: "pa.Schema", more: More) -> None:
    """Write what the table knows of its images, the layer, and the columns that `more` makes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = facts.types(features)
    vector = pa.list_(pa.float32(), int(np.prod(features.layers[layer])))
    schema = pa.schema(
        [*pa.schema(known | {layer: vector}), *fields], metadata={"penult": features.document}
    )
    with replacing(out) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        start = 0
        for piece in features.tables(["sha256", *known], [layer]):
            columns = [*facts.with_paths(piece).columns[1:], *more(piece, start)]
            writer.write_table(pa.table(columns, schema=schema))
            start += len(piece)


def require_file(place: str) -> None:
    """Refuse an image that isn't a file, for programs that open images by their paths.

    Raises:
        StoreError: It lies in a file of many, or in a bucket.
    """
    if is_address(place):
        raise StoreError(
            f"{quoted(place)} isn't a file, and this format names files: copy its bucket to a disk "
            "and extract that folder, or export for atlas, which carries pictures"
        )
    if within(place):
        raise StoreError(
            f"{quoted(place)} isn't a file, and this format names files: unpack the archive and "
            "extract its folder, or export for atlas, which carries pictures"
        )


def _pictures(
    piece: "pa.Table", thumbnails: "Thumbnails"
) -> Iterator[dict[str, bytes | None] | None]:
    for made in thumbnails.each(image or "" for image in same_images(row_files(piece))):
        yield None if isinstance(made, ImageError) else {"bytes": made, "path": None}


def _lists(values: "np.typing.NDArray[np.generic]") -> "pa.ListArray":
    """Rows of a matrix as lists."""
    import pyarrow as pa

    rows, width = values.shape
    return pa.ListArray.from_arrays(np.arange(rows + 1, dtype=np.int32) * width, values.ravel())
