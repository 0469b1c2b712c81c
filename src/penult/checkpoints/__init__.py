"""Weights files, read as data: names and arrays, without the framework that wrote them.

    checkpoint = open_checkpoint("resnet18.pth")
    checkpoint["conv1.weight"]  # (64, 3, 7, 7) float32
    checkpoint.shapes, checkpoint.dtypes  # known without reading any tensor

A file may come from anywhere. Nothing in it is executed or imported, no length in it is believed
before it is compared with the file's, and whatever is wrong with it ends as a CheckpointError of
one line. A new format is one module with a `Format`, added to `FORMATS` below.
"""

import os
from pathlib import Path

from penult.checkpoints import (
    hdf5,
    npz,
    pytorch,
    safetensors,
    shards,
    tarball,
    tensorflow_v1,
    tensorflow_v2,
)
from penult.checkpoints.base import Checkpoint, WeightsFile, unreadable
from penult.checkpoints.tensorflow_files import locate, split_archive
from penult.util.text import quoted

__all__ = ["Checkpoint", "open_checkpoint"]

FORMATS = (
    hdf5.KERAS,  # a zip archive too, as the next two
    npz.NPZ,
    pytorch.ZIP,
    pytorch.LEGACY,
    shards.INDEX,
    safetensors.SAFETENSORS,
    hdf5.HDF5,
    tensorflow_v2.V2,
    tensorflow_v1.V1,
    tarball.TAR,
)


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Open a weights file, whose format is recognised by its content.

    A TensorFlow checkpoint may also be named by the prefix of its files, or by its folder, also one
    in an archive; a checkpoint in several files of safetensors or PyTorch by its index,
    `model.safetensors.index.json`, or by any of them that has the index beside it.

    Raises:
        UnsafeError: The file asks to run code.
        CheckpointError: It isn't there, isn't a weights file, or is damaged.
    """
    kinds = dict.fromkeys(each.name.partition(" (")[0] for each in FORMATS)
    formats = f"formats read: {', '.join(kinds)}, ONNX"  # of which `penult.onnx` reads the last
    try:
        file = WeightsFile(*split_archive(locate(shards.index_of(Path(path)))))
    except (OSError, ValueError) as exc:
        raise unreadable(Path(path), exc, f"; {formats}") from exc
    for each in FORMATS:
        if each.recognises(file) and (each is tarball.TAR or not file.inside):
            checkpoint = each.open(file)
            checkpoint.path = Path(path)
            return checkpoint
    if file.inside:
        raise file.error(f"{quoted(file.inside)} can't be in it: it isn't an archive that is read")
    start = bytes(file.data[:8])
    raise file.error(f"begins with {start!r}, so isn't a weights file, or lacks its end; {formats}")
