"""Index files of FAISS and USearch, by their own packages; beside each, `NAME.keys.txt`."""

from collections.abc import Sequence
from pathlib import Path

from numpy import arange, prod, uint64

from penult.analysis.vectors import blocks
from penult.errors import MissingExtraError
from penult.exports.formats import write_keys
from penult.store import TableReader
from penult.util.files import replacing


def faiss(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """Write an exact index (`IndexFlatIP`) of vectors of length 1: its products are cosines."""
    try:
        from faiss import IndexFlatIP, write_index
    except ImportError:
        raise MissingExtraError("export to .faiss", "indexes") from None
    (layer,) = layers
    index = IndexFlatIP(int(prod(features.layers[layer])))
    for block in blocks(features, layer):
        index.add(block.vectors / block.lengths[:, None])
    write_keys(features, out)
    with replacing(out) as temporary:
        write_index(index, str(temporary))


def usearch(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """Write a graph (HNSW) for cosines, approximate, in which keys are row numbers from 0."""
    try:
        from usearch.index import Index
    except ImportError:
        raise MissingExtraError("export to .usearch", "indexes") from None
    (layer,) = layers
    index = Index(ndim=int(prod(features.layers[layer])), metric="cos", dtype="f32")
    for block in blocks(features, layer):
        rows = arange(block.start, block.start + len(block.vectors), dtype=uint64)
        index.add(rows, block.vectors)
    write_keys(features, out)
    with replacing(out) as temporary:
        index.save(str(temporary))
