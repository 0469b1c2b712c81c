"""A folder with the files of one repository, as the hub's cache and `git clone` make it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from penult.errors import CheckpointError
from penult.hub.choice import (
    CONFIG,
    INDEX,
    OPEN_CLIP,
    PREPROCESSOR,
    PROCESSOR,
    Library,
    choose,
    like_weights,
    shards,
)
from penult.hub.documents import Document, object_at, read_document, text_at
from penult.util.text import one_line, quoted


@dataclass(frozen=True, slots=True)
class Repository:
    """A network as its publisher keeps it: weights, and what says how to use them.

    Attributes:
        path: The folder.
        weights: One file, or the `….index.json` of the shards beside it.
        config: `config.json` as read; empty if there is none.
        open_clip: `open_clip_config.json` as read.
        preprocessor: What says how images become input: `image_processor` of
            `processor_config.json`, else `preprocessor_config.json`.
        library: Whose names the weights have and whose configuration counts, if that is known.
        name: What it is called on the hub, with the revision; empty for a folder of the user's.
        commit: The commit of the hub's repository; empty for a folder of the user's.
        digests: SHA-256 of each file that was fetched, as "sha256:…", by name.
    """

    path: Path
    weights: Path
    config: Document
    open_clip: Document | None
    preprocessor: Document | None
    library: Library | None
    name: str = ""
    commit: str = ""
    digests: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def open_folder(folder: Path, *, text: bool = False) -> Repository:
    """Tell what a folder of a repository's files holds; no weights are read.

    Args:
        folder: The folder.
        text: Whether the text tower is wanted too, where the folder has files with and without.

    Raises:
        CheckpointError: It can't be read, has no weights, not all of them, or damaged settings.
    """
    try:
        names = {each.name for each in folder.iterdir()}
    except OSError as exc:
        raise CheckpointError(f"{quoted(folder)}: {(exc.strerror or str(exc)).lower()}") from exc
    config = read_settings(folder / CONFIG) if CONFIG in names else {}
    open_clip = read_settings(folder / OPEN_CLIP) if OPEN_CLIP in names else None
    choice = choose(config, open_clip, names.__contains__, text=text)
    if not choice:
        there = ", ".join(one_line(name, 60) for name in like_weights(names)[:5])
        raise CheckpointError(
            f"{quoted(folder)}: no model.safetensors, pytorch_model.bin or open_clip_model.*"
            f"; there {f'is {there}: name one (-w)' if there else 'are no weights'}"
        )
    weights = folder / choice.weights
    if choice.weights.endswith(INDEX) and (lost := set(shards(weights)) - names):
        raise CheckpointError(
            f"{quoted(folder)}: {quoted(min(lost))}, which {choice.weights} names, is missing"
            f" ({len(lost)} in all): fetch the rest"
        )
    return Repository(
        folder, weights, config, open_clip, _preprocessor(folder, names), choice.library
    )


def read_settings(path: Path) -> Document:
    """Read `config.json` or `open_clip_config.json`, with what tells libraries apart checked.

    Raises:
        CheckpointError: It can't be read, or a key of these holds what it can't.
    """
    document = read_document(path)
    for key in ("model_type", "architecture") if path.name == CONFIG else ():
        text_at(document, path, key)
    if path.name == OPEN_CLIP:
        object_at(document, path, "model_cfg")
        object_at(document, path, "preprocess_cfg")
    return document


def _preprocessor(folder: Path, names: set[str]) -> Document | None:
    if PROCESSOR in names:
        path = folder / PROCESSOR
        nested = object_at(read_document(path), path, "image_processor")
        if nested is not None:
            return nested
    return read_document(folder / PREPROCESSOR) if PREPROCESSOR in names else None
