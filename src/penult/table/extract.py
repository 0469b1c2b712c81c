"""`extract`: the features of images, as a table of them."""

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Unpack

from penult.errors import UsageError
from penult.extraction import adding, keeping
from penult.extraction.run import Compute, Progress, fill
from penult.images import Columns, Share, Source, Sources, as_sequence, find_images
from penult.images.addresses import is_address, parse
from penult.images.chosen import Chosen
from penult.images.patterns import MAGIC
from penult.model.loading import begin_model, make_model
from penult.model.model import Model, Shape
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
    ray: str | None = None,
    progress: Progress | None = None,
    **options: Unpack[ModelOptions],
) -> Features:
    """Compute the features of images and store them in a table, one row an image.

    Run it again to continue: images that the table has are left alone unless their size or time of
    change did; those whose folder has moved are found where they are now. An image that fails costs
    its row only, see `Features.failures`, and is tried again if it couldn't be read or took too
    long. Images are computed while others are still listed, in the order of the listing.

    A table that was made alike keeps its layers: without `layer` all of them are continued, and a
    layer that it lacks is added to all of its rows, while the others aren't computed again.

    Args:
        sources: Files, folders (searched recursively) and globs; archives (tar, plain or packed
            by gzip, zstd or bzip2, and zip), also numbered ones (`shards-{0000..0127}.tar`);
            tables with a column of images (Parquet, Arrow, Lance); addresses of all these
            (`s3://bucket/photos`), see docs/guides/buckets.md.
        model: A model, or a network's name.
        out: The table, a folder; by default named after the first source, in the current folder.
        from_file: A text file with a path or an address a line; `-` is standard input.
        column: The column of tables that holds the images, as bytes or as structs that have them;
            needed if several might.
        key: The column of tables that names the images; by default their column and row do.
        keep: Columns of tables that come along as columns of the features' table, labels say; of a
            folder those of its metadata.csv or metadata.jsonl, of archives WebDataset's sidecars
            (`cls`, `txt`, `json`).
        keys: Those of the images to take; or a file with one a line, `-` for standard input.
        shard: Which part of the images, `3/8` for the third of eight: as many calls, anywhere,
            give all of them a row in one of their tables, for `merge` to join.
        retry_failed: Try all images again that failed, although they haven't changed.
        checksum: Read all files to tell by their content whether they changed. What has moved, or
            was copied, since a run with `checksum` keeps its features under its new name.
        prune: Remove the rows of files that have gone from the folders and patterns in `sources`.
        ray: Compute on the machines of a Ray cluster: its head's address, or `auto` on one of its
            machines; see docs/guides/ray.md. Images, table and weights lie where all see them.
        progress: Called with the counts so far at the start, after each image and at the end; more
            may be listed as long as `counts.listing` is true.
        options: Those of `load_model`: weights, layer, pool, size, preprocess, decode, ema,
            prefix, exact, device, max_pixels, max_bytes, max_seconds.

    Raises:
        SourceError: A source doesn't exist.
        StoreError: The table can't be written, holds features of another kind, or can't get a
            layer, as an image of a row is gone.
        UsageError, CheckpointError, NetworkError: See `load_model`.
        MachineError: A machine of the cluster doesn't see the images, the table or the weights.

    Example:
        >>> import penult
        >>> features = penult.extract("examples/photos", out="photos.lance")  # doctest: +SKIP
    """
    path = _table_path(out) if out else table_name(sources, from_file, shard)
    columns = Columns(column, key, tuple(keep))
    source = _source(sources, from_file, columns, shard, keys, prune=prune)
    asked = isinstance(model, Model) or bool(options.get("layer"))
    model = make_model(model, begin_model, options)
    how = {"retry_failed": retry_failed, "checksum": checksum, "prune": prune}
    recovered = _fill(
        path, model, source, progress, columns.keep, how, asked=asked, compute=_compute_on(ray)
    )
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
    *,
    asked: bool,
    compute: Compute | None,
) -> str | None:
    """Fill the table; returns what it had to recover from, if anything.

    Args:
        path: The table.
        model: A model.
        source: The images.
        progress: As in `extract`.
        keep: As in `extract`.
        how: The switches of `fill`.
        asked: Whether the model's layers were asked for, rather than the network's own.
        compute: What computes rows, if not this process.
    """
    recipe, layers = model.recipe, _own_first(model, model.outputs)
    with TableWriter.open_or_create(
        path, layers, recipe.provenance, recipe.notes, any_layers=True
    ) as table:
        keeping.require_names(table, keep)
        adding.clear(table)
        there = table.kind.layers
        if there.keys() == layers.keys():
            fill(table, model, source, progress=progress, compute=compute, **how)
        else:
            new = [name for name in layers if asked and name not in there]
            _continue(table, model, new, source, progress, how, compute)
        keeping.keep(table, keep, source.metadata)
    return table.recovered


def _compute_on(ray: str | None) -> Compute | None:
    """What computes rows, if not this process."""
    if ray is None:
        return None
    from penult.runners.ray import on_ray

    return on_ray(ray)


def _continue(
    table: TableWriter,
    model: Model,
    new: list[str],
    source: Source,
    progress: Progress | None,
    how: dict[str, bool],
    compute: Compute | None,
) -> None:
    """Bring a table of other layers up to date, then add new ones."""
    with model.with_layers([*table.kind.layers]) as same:
        counts = fill(table, same, source, progress=progress, compute=compute, **how)
    if new:
        order = [*_own_first(model, table.kind.layers | dict.fromkeys(new, ()))]
        further = model if new == [*model.outputs] else model.with_layers(new)
        adding.add_layers(
            table,
            further,
            order,
            checksum=how["checksum"],
            before=counts,
            progress=progress,
            compute=compute,
        )
        if further is not model:
            further.close()


def _own_first(model: Model, layers: Mapping[str, Shape]) -> dict[str, Shape]:
    """The layers of a table: the network's own embedding first, which searches and all else take.

    Of an ONNX file that has none to tell, they are as asked for.
    """
    own: tuple[str, ...] = ()
    if len(layers) > 1:
        with suppress(UsageError):
            own = tuple(model.network.features)
    return dict(sorted(layers.items(), key=lambda layer: layer[0] not in own))


def table_name(
    sources: Sources, from_file: str | Path | None = None, shard: str | None = None
) -> Path:
    """Name a table after the first source: `photos/` gives `photos.lance`, here."""
    first = os.fspath(next(iter(as_sequence(sources)), from_file or ""))
    part = f"-{shard.replace('/', '-of-')}" if shard else ""
    return Path(f"{_stem(first) or 'features'}{part}.lance")


def _stem(source: str) -> str:
    """What a source is called; nothing if that isn't told by its name."""
    if is_address(source):
        name = parse(source).name or parse(source).bucket
        return re.sub(r"[^\w.-]", "", PurePosixPath(name).stem) if MAGIC.isdisjoint(name) else ""
    path = Path(source).resolve()
    if not path.exists():
        return ""
    return path.name if path.is_dir() else path.stem


def _table_path(out: str | Path) -> Path:
    path = Path(out)
    if path.suffix not in ("", ".lance"):  # which need no look at the formats, a costly import
        from penult.exports.export import WRITERS

        if path.suffix in WRITERS:
            table = path.with_suffix(".lance")
            raise UsageError(f"a table is a folder: extract to {table}, then export it to {path}")
    return path
