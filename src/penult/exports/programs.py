"""`export`: features as a file of a format, or as a program wants them."""

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from penult.errors import UsageError
from penult.exports import folders, indexes, rows
from penult.exports.formats import export as export_format
from penult.store import Table, TableReader, open_table
from penult.store.messages import translated
from penult.store.versions import versions
from penult.util.text import quoted

ProgramName = Literal["atlas", "spotlight", "fiftyone", "tensorboard", "faiss", "usearch"]


class Program(NamedTuple):
    """How a program is served.

    Attributes:
        suffix: Of the file that it opens; empty for a folder.
        write: Writes it.
        opening: The words that open it: a command, or Python.
        own: Names that columns of the table can't have, because they mean something to it.
    """

    suffix: str
    write: Callable[[TableReader, str, Path], None]
    opening: Callable[[TableReader, str, str], str]
    own: tuple[str, ...] = ()


def export(
    table: Table,
    out: str | os.PathLike[str],
    layer: str | None = None,
    *,
    program: ProgramName | None = None,
) -> Path:
    """Write features to a file, or for a program to the file or folder that it opens.

    Files that exist are replaced, each whole or not at all. Images that failed are left out.

    Args:
        table: A table, open or by its path.
        out: Where to write. Without a program the suffix says what: `.npz`, `.npy`, `.parquet`,
            `.csv`, `.pkl` or `.h5`, or an index for `.faiss` or `.usearch`.
        layer: The layer to write. By default all of them, or of a format or program that takes
            one layer the only one.
        program: `atlas` and `spotlight` want a `.parquet`, `faiss` a `.faiss` and `usearch` a
            `.usearch`; `fiftyone` and `tensorboard` a folder.

    Returns:
        The file or folder.

    Raises:
        UsageError: The suffix is unknown or not the program's, or a layer has to be chosen.
        StoreError: There's no such layer, or the file can't be written.
        MissingExtraError: The format's package isn't installed.

    Example:
        >>> import penult
        >>> penult.export("photos.lance", "map.parquet", program="atlas")  # doctest: +SKIP
    """
    features = open_table(table)
    path = Path(out)
    wanted = program or _SUFFIXES.get(path.suffix.lower())
    if wanted is None:
        return export_format(features, path, layer)
    if wanted not in PROGRAMS:
        known = ", ".join(get_args(ProgramName))
        raise UsageError(f"can't export for {quoted(wanted)}: expected one of {known}")
    if versions(path):
        raise UsageError(f"{quoted(path)} is a table: name another folder")
    suffix = PROGRAMS[wanted].suffix
    if suffix and path.suffix.lower() != suffix:
        raise UsageError(f"{quoted(path)}: a file for {wanted} must end in {suffix}")
    chosen = only_layer(features, layer, wanted)
    for name in features.columns:
        if name in PROGRAMS[wanted].own:
            raise UsageError(
                f"{wanted} has a column {quoted(name)} of its own: name the table's otherwise"
            )
    with translated(f"can't write {quoted(path)}"):
        PROGRAMS[wanted].write(features, chosen, path)
    return path


def only_layer(features: TableReader, layer: str | None, program: str) -> str:
    """The layer that is asked for, or the only one."""
    if layer is None and len(features.layers) > 1:
        raise UsageError(
            f"{program} takes one layer: choose it (-l, layer=): {', '.join(features.layers)}"
        )
    return features.layer(layer)


def opening(features: TableReader, out: Path, layer: str | None, program: str | None) -> str | None:
    """What to type to open what was exported; None for formats that any program may read."""
    wanted = program or _SUFFIXES.get(out.suffix.lower())
    if wanted is None:
        return None
    return PROGRAMS[wanted].opening(features, features.layer(layer), str(out))


def _open_atlas(features: TableReader, layer: str, out: str) -> str:
    where = ["--x", "x", "--y", "y"] if {"x", "y"} <= set(features.columns) else ["--vector", layer]
    near = ["--neighbors", "neighbors"] if rows.has_neighbours(features) else []
    return shlex.join(["embedding-atlas", out, "--image", "image", *where, *near])


def _open_fiftyone(features: TableReader, layer: str, out: str) -> str:
    of_type = ["--type", "fiftyone.types.FiftyOneDataset"]
    name = Path(out).name
    return shlex.join(
        ["fiftyone", "datasets", "create", "--name", name, "--dataset-dir", out, *of_type]
    )


PROGRAMS: dict[str, Program] = {
    "atlas": Program(".parquet", rows.atlas, _open_atlas, ("image", "neighbors")),
    "spotlight": Program(".parquet", rows.spotlight, lambda *a: shlex.join(["spotlight", a[2]])),
    "fiftyone": Program(
        "", folders.fiftyone, _open_fiftyone, ("id", "filepath", "tags", "metadata")
    ),
    "tensorboard": Program(
        "", folders.tensorboard, lambda *a: shlex.join(["tensorboard", "--logdir", a[2]])
    ),
    "faiss": Program(".faiss", indexes.faiss, lambda *a: f"faiss.read_index({a[2]!r})"),
    "usearch": Program(".usearch", indexes.usearch, lambda *a: f"Index.restore({a[2]!r})"),
}
_SUFFIXES = {".faiss": "faiss", ".usearch": "usearch"}
