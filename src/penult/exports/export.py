"""`export`: features as a file of a format, or as a program wants them."""

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar, get_args

from penult.errors import UsageError
from penult.exports import folders, formats, indexes, rows
from penult.store import Table, TableReader, open_table
from penult.store.messages import wrap_errors
from penult.store.versions import versions
from penult.util.keys import Keys
from penult.util.text import quoted

ProgramName = Literal["atlas", "spotlight", "fiftyone", "tensorboard", "faiss", "usearch"]


Reader = TypeVar("Reader", bound=TableReader)


class Writer(NamedTuple):
    """What writes features for a suffix or a program.

    Attributes:
        write: Writes layers of a table to a file or a folder.
        several: Whether it takes several layers, rather than one.
        suffix: Of the file that a program opens; empty for a folder, and for a format.
        opening: The words that open it: a command, or Python; None if any program may read it.
        own: Names that columns of the table can't have, because they mean something to a program.
    """

    write: Callable[[TableReader, Sequence[str], Path], None]
    several: bool = False
    suffix: str = ""
    opening: Callable[[TableReader, str, str], str] | None = None
    own: tuple[str, ...] = ()


def export(
    table: Table,
    out: str | os.PathLike[str],
    layer: str | None = None,
    *,
    program: ProgramName | None = None,
    where: str | None = None,
    keys: Keys | None = None,
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
        where: A condition in SQL that rows must meet, such as `width > 1000`.
        keys: Those to write; or a file with one a line, `-` for standard input.

    Returns:
        The file or folder.

    Raises:
        UsageError: The suffix is unknown or not the program's, a layer has to be chosen, or the
            condition or a key can't be used.
        StoreError: There's no such layer, or the file can't be written.
        MissingExtraError: The format's package isn't installed.

    Example:
        >>> import penult
        >>> penult.export("photos.lance", "map.parquet", program="atlas")  # doctest: +SKIP
    """
    features, path = chosen(open_table(table), where, keys), Path(out)
    writer = _writer(path, program)
    layers = _layers(features, layer, writer, program or path.suffix.lower())
    for name in features.columns:
        if name in writer.own:
            raise UsageError(
                f"{program} has a column {quoted(name)} of its own: name the table's otherwise"
            )
    with wrap_errors(f"can't write {quoted(path)}"):
        writer.write(features, layers, path)
    return path


def chosen(features: Reader, where: str | None, keys: Keys | None) -> Reader:
    """The table with the rows to export alone; errors as of `export`."""
    places = features.chosen(where, keys)
    return features if places is None else features.subset(places)


def opening(features: TableReader, out: Path, layer: str | None, program: str | None) -> str | None:
    """What to type to open what was exported; None for formats that any program may read."""
    writer = WRITERS.get(program or out.suffix.lower())
    if writer is None or writer.opening is None:
        return None
    return writer.opening(features, features.layer(layer), str(out))


def _writer(out: Path, program: str | None) -> Writer:
    """The writer for a program or, if none is named, for a file's suffix."""
    suffix = out.suffix.lower()
    if program and program not in get_args(ProgramName):
        known = ", ".join(get_args(ProgramName))
        raise UsageError(f"can't export for {quoted(program)}: expected one of {known}")
    writer = WRITERS.get(program or suffix)
    if writer is None:
        known = ", ".join(name for name in WRITERS if name.startswith("."))
        raise UsageError(
            f"can't export to {quoted(out)}: unknown suffix {quoted(out.suffix)}, "
            f"use one of {known}"
        )
    if versions(out):
        raise UsageError(f"{quoted(out)} is a table: name another folder")
    if writer.suffix and suffix != writer.suffix:
        raise UsageError(f"{quoted(out)}: a file for {program} must end in {writer.suffix}")
    return writer


def _layers(features: TableReader, layer: str | None, writer: Writer, name: str) -> list[str]:
    """The layer that is asked for, or all; what takes one layer takes the only one."""
    if layer is not None:
        return [features.layer(layer)]
    layers = list(features.layers)
    if len(layers) > 1 and not writer.several:
        choose = f"one layer: choose it (-l, layer=): {', '.join(layers)}"
        if writer.opening:
            raise UsageError(f"{name.removeprefix('.')} takes {choose}")
        raise UsageError(f"{name} holds {choose}; or export to .npz, .parquet or .h5")
    return layers


def _open_atlas(features: TableReader, layer: str, out: str) -> str:
    where = ["--x", "x", "--y", "y"] if rows.has_map(features) else ["--vector", layer]
    near = ["--neighbors", "neighbors"] if rows.has_neighbours(features) else []
    return shlex.join(["embedding-atlas", out, "--image", "image", *where, *near])


def _open_fiftyone(features: TableReader, layer: str, out: str) -> str:
    of_type = ["--type", "fiftyone.types.FiftyOneDataset"]
    name = Path(out).name
    return shlex.join(
        ["fiftyone", "datasets", "create", "--name", name, "--dataset-dir", out, *of_type]
    )


_FAISS = Writer(
    indexes.faiss,
    suffix=".faiss",
    opening=lambda features, layer, out: f"faiss.read_index({out!r})",
)
_USEARCH = Writer(
    indexes.usearch,
    suffix=".usearch",
    opening=lambda features, layer, out: f"Index.restore({out!r})",
)

WRITERS: dict[str, Writer] = {  # by a file's suffix, or by the program that is to open it
    ".npz": Writer(formats.npz, several=True),
    ".npy": Writer(formats.npy),
    ".parquet": Writer(formats.parquet, several=True),
    ".csv": Writer(formats.csv),
    ".pkl": Writer(formats.pkl),
    ".h5": Writer(formats.h5, several=True),
    ".faiss": _FAISS,
    ".usearch": _USEARCH,
    "atlas": Writer(rows.atlas, suffix=".parquet", opening=_open_atlas, own=("image", "neighbors")),
    "spotlight": Writer(
        rows.spotlight,
        suffix=".parquet",
        opening=lambda features, layer, out: shlex.join(["spotlight", out]),
    ),
    "fiftyone": Writer(
        folders.fiftyone, opening=_open_fiftyone, own=("id", "filepath", "tags", "metadata")
    ),
    "tensorboard": Writer(
        folders.tensorboard,
        opening=lambda features, layer, out: shlex.join(["tensorboard", "--logdir", out]),
    ),
    "faiss": _FAISS,
    "usearch": _USEARCH,
}
