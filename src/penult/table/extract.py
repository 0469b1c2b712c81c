"""`extract`: the features of images, as a table of them."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Unpack

from penult.errors import UsageError
from penult.extraction import keeping
from penult.extraction.run import Progress, fill
from penult.images import Columns, Share, Source, Sources, as_sequence, find_images
from penult.images.chosen import Chosen
from penult.model.loading import begin_model, make_model
from penult.model.model import Model
from penult.model.recipe import ModelOptions, takes_options
from penult.store import TableWriter
from penult.table.features import Features
from penult.util.keys import Asked, Keys, asked_for
from penult.util.lists import STDIN


@takes_options()
def extract(  # noqa: PLR0913 -- each is an option of the command
    sources: Sources = (),
    model: str | Model | None = None,
    *,
    out: str | Path | None = None,
    from_file: str | Path | None = None,
    column: str | None = None,
    key: str | None = None,
    keep: Sequence[str] = (),
    keys: Keys | None = None,
    shard: str | None = None,
    retry_failed: bool = False,
    checksum: bool = False,
    prune: bool = False,
    progress: Progress | None = None,
    **options: Unpack[ModelOptions],
) -> Features:
    """Compute the features of images and store them in a table, one row an image.

    Run it again to continue: images that the table has are left alone unless their size or time of
    change did; those whose folder has moved are found where they are now. An image that fails costs
    its row only, see `Features.failures`, and is tried again if it couldn't be read or took too
    long.

    Args:
        sources: Files, folders (searched recursively) and globs; archives (tar, plain or packed
            by gzip, zstd or bzip2, and zip), also numbered ones (`shards-{0000..0127}.tar`);
            tables with a column of images (Parquet, Arrow, Lance).
        model: A model, or a network's name.
        out: The table, a folder; by default named after the first source, in the current folder.
        from_file: A text file with a path a line; `-` is standard input.
        column: The column of tables that holds the images, as bytes or as structs that have them;
            needed if several might.
        key: The column of tables that names the images; by default their column and row do.
        keep: Columns of tables that come along as columns of the features' table: labels, say.
        keys: Those of the images to take; or a file with one a line, `-` for standard input.
        shard: Which part of the images, `3/8` for the third of eight: as many calls, anywhere,
            give all of them a row in one of their tables, for `merge` to join.
        retry_failed: Try all images again that failed, although they haven't changed.
        checksum: Read all files to tell by their content whether they changed. What has moved, or
            was copied, since a run with `checksum` keeps its features under its new name.
        prune: Remove the rows of files that have gone from the folders and patterns in `sources`.
        progress: Called with the counts so far at the start and after each image.
        options: Those of `load_model`: weights, layer, pool, size, preprocess, decode, ema,
            prefix, exact, device, max_pixels, max_bytes, max_seconds.

    Raises:
        SourceError: A source doesn't exist.
        StoreError: The table can't be written, or holds features of another kind.
        UsageError, CheckpointError, NetworkError: See `load_model`.

    Example:
        >>> import penult
        >>> features = penult.extract("examples/photos", out="photos.lance")  # doctest: +SKIP
    """
    path = _table_path(out) if out else table_name(sources, from_file, shard)
    columns = Columns(column, key, tuple(keep))
    source = _source(sources, from_file, columns, shard, keys, prune=prune)
    model = make_model(model, begin_model, options)
    how = {"retry_failed": retry_failed, "checksum": checksum, "prune": prune}
    recovered = _fill(path, model, source, progress, columns.keep, how)
    features = Features(path)
    features.recovered = features.recovered or recovered
    return features


def _source(
    sources: Sources,
    from_file: str | Path | None,
    columns: Columns,
    shard: str | None,
    keys: Keys | None,
    *,
    prune: bool,
) -> Source:
    """The images to take."""
    if prune and not as_sequence(sources):
        raise UsageError("a list doesn't say what has gone: prune needs a folder or a pattern")
    share = Share.parse(shard or "1/1")
    asked = None if keys is None else _asked_for(keys, from_file, shard, prune=prune)
    source = find_images(sources, from_file=from_file, columns=columns, share=share)
    return source if asked is None else Chosen(source, asked)


def _asked_for(
    keys: Keys, from_file: str | Path | None, shard: str | None, *, prune: bool
) -> Asked:
    """The keys that are asked for, if all else goes with them."""
    if prune:
        raise UsageError("keys don't say what has gone: leave out prune, or keys")
    if shard:
        raise UsageError("keys and a shard are two choices of images: split the list of keys")
    if str(keys) == str(from_file) == STDIN:
        raise UsageError("standard input has either keys or paths: name a file for one of them")
    return asked_for(keys)


def _fill(
    path: Path,
    model: Model,
    source: Source,
    progress: Progress | None,
    keep: Sequence[str],
    how: dict[str, bool],
) -> str | None:
    """Fill the table; returns what it had to recover from, if anything."""
    recipe, layers = model.recipe, _own_first(model)
    with TableWriter.open_or_create(path, layers, recipe.provenance, recipe.notes) as table:
        keeping.require_names(table, keep)
        fill(table, model, source, progress=progress, **how)
        keeping.keep(table, keep)
    return table.recovered


def _own_first(model: Model) -> dict[str, tuple[int, ...]]:
    """The layers of a table: the network's own embedding first, which searches and all else take.

    Of an ONNX file that has none to tell, they are as asked for.
    """
    own: tuple[str, ...] = ()
    if len(model.outputs) > 1:
        with suppress(UsageError):
            own = tuple(model.network.features)
    return dict(sorted(model.outputs.items(), key=lambda layer: layer[0] not in own))


def table_name(
    sources: Sources, from_file: str | Path | None = None, shard: str | None = None
) -> Path:
    """Name a table after the first source: `photos/` gives `photos.lance`, here."""
    first = Path(next(iter(as_sequence(sources)), from_file or "")).resolve()
    stem = first.name if first.is_dir() else first.stem
    part = f"-{shard.replace('/', '-of-')}" if shard else ""
    return Path(f"{stem if first.exists() else 'features'}{part}.lance")


def _table_path(out: str | Path) -> Path:
    path = Path(out)
    if path.suffix not in ("", ".lance"):  # which need no look at the formats, a costly import
        from penult.exports.export import WRITERS

        if path.suffix in WRITERS:
            table = path.with_suffix(".lance")
            raise UsageError(f"a table is a folder: extract to {table}, then export it to {path}")
    return path
