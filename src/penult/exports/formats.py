"""Features as a file of a format that many programs read: a function a format.

Rows are in the order of the keys; images that failed are left out. A file is written beside
its final name, synced and renamed, so that an existing one is replaced whole or not at all.
"""

import json
import pickle
import zipfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import IO

import numpy as np

from penult.errors import MissingExtraError
from penult.exports import facts
from penult.store import TableReader
from penult.util.files import replacing
from penult.util.keys import as_line

TEXTS = 4096  # that are written at a time


def npz(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """NumPy's archive: `keys` and `path` as text, columns, an array a layer; no pickles inside."""
    with replacing(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, values in chain([("keys", features.keys)], facts.arrays(features)):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                if isinstance(values, list):
                    _write_texts(member, values)
                else:
                    np.lib.format.write_array(member, values, allow_pickle=False)
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

    Before the vectors come the image's path, size and time, and columns that were added.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sizes = {name: int(np.prod(features.layers[name])) for name in layers}
    vectors = {name: pa.list_(pa.float32(), size) for name, size in sizes.items()}
    schema = pa.schema(facts.types(features) | vectors, metadata={"penult": features.document})
    with (
        replacing(out) as temporary,
        pq.ParquetWriter(temporary, schema, use_dictionary=False) as writer,
    ):
        for piece in facts.tables(features, layers):
            writer.write_table(pa.table(piece.columns, schema=schema))


def csv(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """`key`, what is known, and a column a value, with digits enough to get the same float32 back.

    Quoted as RFC 4180 says, UTF-8. Keys stay as they are, so one that begins with `=` is a formula
    to a spreadsheet: changing it would break joins with the files' names.
    """
    import pyarrow as pa
    import pyarrow.csv

    (layer,) = layers
    size = int(np.prod(features.layers[layer]))
    values = {f"{layer}_{i}": pa.float32() for i in range(size)}
    schema = pa.schema(facts.types(features) | values)
    with replacing(out) as temporary, pa.csv.CSVWriter(temporary, schema) as writer:
        for piece in facts.tables(features, [layer]):
            *known, vectors = (column.combine_chunks() for column in piece.columns)
            columns = np.ascontiguousarray(vectors.flatten().to_numpy().reshape(-1, size).T)
            writer.write_table(pa.table([*known, *columns], schema=schema))


def pkl(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """A dictionary from key to vector, in memory as a whole, as the 2018 script wrote it."""
    (layer,) = layers
    vectors = dict(zip(features.keys, features.numpy(layer), strict=True))
    with replacing(out) as temporary, temporary.open("wb") as file:
        pickle.dump(vectors, file, protocol=4)


def h5(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """Datasets `keys`, `path`, columns, and one a layer, `/` in its name as `%2F`; provenance.

    Layers are often prefixes of each other (`block1`, `block1/unit_1`), which groups can't be.
    """
    try:
        import h5py
    except ImportError:
        raise MissingExtraError("export to .h5", "hdf5") from None
    with replacing(out) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["penult"] = features.document
        for name, values in chain([("keys", features.keys)], facts.arrays(features)):
            if isinstance(values, list):
                file.create_dataset(name, data=values, dtype=h5py.string_dtype())
            else:
                file.create_dataset(name, data=facts.seconds(values))
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
        lines = "".join(f"{as_line(key)}\n" for key in features.keys)
        temporary.write_text(lines, "utf-8", newline="\n")


def _write_texts(file: IO[bytes], texts: Sequence[str]) -> None:
    """Write texts as `np.save` does an array of them, a part at a time in memory."""
    kind = f"<U{max(map(len, texts), default=1) or 1}"
    header = {"descr": kind, "fortran_order": False, "shape": (len(texts),)}
    np.lib.format.write_array_header_1_0(file, header)
    for start in range(0, len(texts), TEXTS):
        file.write(np.array(texts[start : start + TEXTS], kind).tobytes())


def _write_matrix(file: IO[bytes], features: TableReader, layer: str) -> None:
    """Write a layer as `np.save` does, without holding it in memory."""
    shape = (len(features), *features.layers[layer])
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    for block in features.blocks(layer):
        file.write(block.astype("<f4", copy=False).tobytes())
