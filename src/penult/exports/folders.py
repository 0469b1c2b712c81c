"""Folders for FiftyOne and TensorBoard's projector."""

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from penult.errors import ImageError, StoreError
from penult.exports import facts
from penult.exports.formats import npy
from penult.exports.rows import require_file
from penult.extraction.row_files import COLUMNS, row_files, same_images
from penult.images import from_key
from penult.store import TableReader
from penult.util.files import replacing
from penult.util.text import quoted

TILE = 64  # pixels of a picture on the sheet, fewer if there are many
SHEET = 8192  # pixels of the sheet's sides at most, what graphics cards take as a texture

_IN_A_CELL = str.maketrans("\t\n\r", "   ")


def fiftyone(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """`samples.json` and `metadata.json` with paths and facts, and `embeddings.npy` beside them.

    It is FiftyOne's own format, FiftyOneDataset, without a `version`: so the samples are plain
    JSON rather than documents of its data base, and it finds out the types of their fields. The
    vectors are in the order of the samples, as `compute_visualization(embeddings=)` wants them.
    """
    (layer,) = layers
    names = [*features.columns]
    out.mkdir(parents=True, exist_ok=True)
    npy(features, layers, out / "embeddings.npy")
    with (
        replacing(out / "samples.json") as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        file.write('{"samples": [')
        for number, row in enumerate(_rows(features, ["path", "width", "height", "bytes", *names])):
            file.write(",\n" * bool(number) + json.dumps(_sample(features, row, names)))
        file.write("]}\n")
    with replacing(out / "metadata.json") as temporary:
        info = {"penult": features.provenance, "layer": layer}
        temporary.write_text(json.dumps({"media_type": "image", "info": info}), "utf-8")


def tensorboard(features: TableReader, layers: Sequence[str], out: Path) -> None:
    """`projector_config.pbtxt`, and the files that it names: vectors, facts, a sheet of pictures.

    Format: projector_config.proto of github.com/tensorflow/tensorboard.
    """
    (layer,) = layers
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "tensors.tsv") as temporary, temporary.open("wb") as file:
        for block in features.blocks(layer):
            np.savetxt(file, block.reshape(len(block), -1), "%.9g", "\t")
    columns = ["key", "path", "width", "height", *features.columns]
    with (
        replacing(out / "metadata.tsv") as temporary,
        temporary.open("w", encoding="utf-8") as text,
    ):
        text.write("\t".join(columns) + "\n")
        for row in _rows(features, columns):
            row["path"] = facts.shown(row["path"])
            cells = ("" if row[name] is None else str(row[name]) for name in columns)
            text.write("\t".join(cell.translate(_IN_A_CELL) for cell in cells) + "\n")
    side = _sheet(features, out / "sprite.png")
    with replacing(out / "projector_config.pbtxt") as temporary:
        temporary.write_text(
            "embeddings {\n"
            f"  tensor_name: {json.dumps(layer, ensure_ascii=False)}\n"
            '  tensor_path: "tensors.tsv"\n'
            '  metadata_path: "metadata.tsv"\n'
            f'  sprite {{ image_path: "sprite.png" single_image_dim: [{side}, {side}] }}\n'
            "}\n",
            "utf-8",
        )


def _sheet(features: TableReader, out: Path) -> int:
    """One picture of all images, row by row; returns the pixels of an image's sides."""
    from PIL import Image

    from penult.images.thumbnails import Thumbnails

    across = max(1, math.ceil(math.sqrt(len(features))))
    side = max(1, min(TILE, SHEET // across))
    sheet = Image.new("RGB", (across * side, math.ceil(max(1, len(features)) / across) * side))
    pieces = features.tables([*COLUMNS], [])
    images = chain.from_iterable(same_images(row_files(piece)) for piece in pieces)
    with closing(Thumbnails(side, cache_bytes=0)) as thumbnails:
        pictures = thumbnails.each(image or "" for image in images)
        for place, made in enumerate(pictures):
            if not isinstance(made, ImageError):
                down, right = divmod(place, across)
                sheet.paste(Image.open(BytesIO(made)), (right * side, down * side))
    with replacing(out) as temporary:
        sheet.save(temporary, "PNG")
    return side


def _sample(features: TableReader, row: dict[str, Any], names: list[str]) -> dict[str, Any]:
    if row["path"] is None:
        place = quoted(features.path)
        raise StoreError(f"{place} doesn't say where its images are: extract them again")
    require_file(row["path"])
    size = {"width": row["width"], "height": row["height"], "size_bytes": row["bytes"]}
    known = {name: row[name] for name in names if row[name] is not None}
    return {
        "filepath": from_key(row["path"]),
        "tags": [],
        "metadata": {"_cls": "ImageMetadata", **size},
        "key": row["key"],
        **known,
    }


def _rows(features: TableReader, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Rows in the order of keys, some at a time."""
    for piece in features.tables(["key", *(name for name in columns if name != "key")], []):
        yield from piece.to_pylist()
