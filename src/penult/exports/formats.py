"""Features as a file of a format that many programs read: a function a format.

Rows are in the order of the keys; images that failed are left out. A file is written beside
its final name, synced and renamed, so that an existing one is replaced whole or not at all.
"""

import json
import pickle
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from penult.errors import MissingExtraError
from penult.store import TableReader
from penult.util.files import replacing

_LINE_BREAKS = re.compile("[\\\\\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def npz(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """NumPy's archive: `keys` as text, and an array a layer; no pickles inside."""
    with replacing(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with archive.open("keys.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, np.array(features.keys, np.str_), allow_pickle=False)
        for layer in layers:
            with archive.open(f"{layer}.npy", "w", force_zip64=True) as member:
                _write_matrix(member, features, layer)


def npy(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """One array, and its keys in `NAME.keys.txt`."""
    (layer,) = layers
    write_keys(features, out)
    with replacing(out) as temporary, temporary.open("wb") as file:
        _write_matrix(file, features, layer)


def parquet(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """A row an image, vectors as fixed-size lists; the schema's metadata has the provenance.

    Columns that were added to the table come before the vectors.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    facts = {
        "key": pa.string(),
        "width": pa.int32(),
        "height": pa.int32(),
        "bytes": pa.int64(),
        "mtime": pa.timestamp("ns"),
    }
    sizes = {name: int(np.prod(features.layers[name])) for name in layers}
    vectors = {name: pa.list_(pa.float32(), size) for name, size in sizes.items()}
    added = {name: pa.type_for_alias(kind) for name, kind in features.columns.items()}
    schema = pa.schema({**facts, **added, **vectors}, metadata={"penult": features.document})
    with (
        replacing(out) as temporary,
        pq.ParquetWriter(temporary, schema, use_dictionary=False) as writer,
    ):
        for piece in features.tables([*facts, *added], layers):
            writer.write_table(pa.table(piece.columns, schema=schema))


def csv(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """`key`, a column a value, with digits enough to get the same float32 back, and added columns.

    Quoted as RFC 4180 says, UTF-8. Keys stay as they are, so one that begins with `=` is a formula
    to a spreadsheet: changing it would break joins with the files' names.
    """
    import pyarrow as pa
    import pyarrow.csv

    (layer,) = layers
    size = int(np.prod(features.layers[layer]))
    fields = {"key": pa.string()} | {f"{layer}_{i}": pa.float32() for i in range(size)}
    added = {name: pa.type_for_alias(kind) for name, kind in features.columns.items()}
    schema = pa.schema(fields | added)
    with replacing(out) as temporary, pa.csv.CSVWriter(temporary, schema) as writer:
        for piece in features.tables(["key", *added], [layer]):
            keys, *others, vectors = (column.combine_chunks() for column in piece.columns)
            values = np.ascontiguousarray(vectors.flatten().to_numpy().reshape(-1, size).T)
            writer.write_table(pa.table([keys, *values, *others], schema=schema))


def pkl(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """A dictionary from key to vector, in memory as a whole, as the 2018 script wrote it."""
    (layer,) = layers
    vectors = dict(zip(features.keys, features.numpy(layer), strict=True))
    with replacing(out) as temporary, temporary.open("wb") as file:
        pickle.dump(vectors, file, protocol=4)


def h5(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """Datasets `keys` and one a layer, `/` in its name as `%2F`; attributes with the provenance.

    Layers are often prefixes of each other (`block1`, `block1/unit_1`), which groups can't be.
    """
    try:
        import h5py
    except ImportError:
        raise MissingExtraError("export to .h5", "hdf5") from None
    with replacing(out) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["penult"] = features.document
        file.create_dataset("keys", data=features.keys, dtype=h5py.string_dtype())
        for layer in layers:
            shape = (len(features), *features.layers[layer])
            dataset = file.create_dataset(layer.replace("/", "%2F"), shape, np.float32)
            dataset.attrs.update(layer=layer, provenance=json.dumps(features.provenance))
            start = 0
            for block in features.blocks(layer):
                dataset[start : start + len(block)] = block
                start += len(block)


def write_keys(features: TableReader, out: Path) -> None:
    r"""Write `NAME.keys.txt` beside a file that has no place for keys, a key a line.

    In a key, backslashes and whatever ends a line are written as in a Python string (`\n`).
    """
    with replacing(out.with_suffix(".keys.txt")) as temporary:
        lines = (_LINE_BREAKS.sub(_escape, key) for key in features.keys)
        temporary.write_text("".join(f"{line}\n" for line in lines), "utf-8", newline="\n")


def _write_matrix(file: IO[bytes], features: TableReader, layer: str) -> None:
    """Write a layer as `np.save` does, without holding it in memory."""
    shape = (len(features), *features.layers[layer])
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for block in features.blocks(layer):
        file.write(block.astype("<f4", copy=False).tobytes())


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
