"""Weights files that a table or a probe names: looked at before anything in them is parsed.

Whoever made the table may be a stranger, and the path may be that of any file of the user's. So
files of other sizes than recorded aren't opened, and those of another digest aren't read further.
"""

import stat
from collections.abc import Mapping
from pathlib import Path

from penult.checkpoints.base import WeightsFile, digest_of, unreadable
from penult.checkpoints.tensorflow_files import split_archive
from penult.errors import CheckpointError
from penult.util.text import quoted

MAX_FILES = 10_001  # TensorFlow's largest checkpoints, with the index


def recorded_digest(path: Path, files: Mapping[str, int]) -> str:
    """Return the SHA-256 that `Checkpoint.digest` gives of files, without parsing any.

    Args:
        path: The first one, perhaps going on inside it if it's an archive.
        files: Sizes in bytes of all in their order, by their names in the folder of the first,
            whose own name doesn't matter.

    Raises:
        CheckpointError: A file isn't there, or has another size.
    """
    try:
        first, _ = split_archive(path)
    except (OSError, ValueError) as exc:
        raise unreadable(path, exc) from exc
    if not 0 < len(files) <= MAX_FILES:
        raise CheckpointError(f"{quoted(path)}: {len(files)} files are recorded of it")
    names = list(files)[1:]
    if not all(map(_is_plain, names)):
        raise CheckpointError(f"{quoted(path)}: files of other folders are recorded of it")
    paths = [first, *map(first.with_name, names)]
    for each, size in zip(paths, files.values(), strict=True):
        _require_size(each, size)
    try:
        return digest_of(map(WeightsFile, paths))
    except (OSError, ValueError) as exc:
        raise unreadable(path, exc) from exc


def _require_size(path: Path, size: int) -> None:
    try:
        status = path.stat()
    except (OSError, ValueError) as exc:
        raise unreadable(path, exc) from exc
    if not stat.S_ISREG(status.st_mode):
        raise CheckpointError(f"{quoted(path)}: not a regular file")
    if status.st_size != size:
        raise CheckpointError(
            f"{quoted(path)}: {status.st_size} bytes, {quoted(size)} are recorded"
        )


def _is_plain(name: str) -> bool:
    return name not in ("", ".", "..") and not set(name) & set("/\\\0")
