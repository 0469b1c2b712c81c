"""The files that a TensorFlow checkpoint consists of, and what leads to them.

A checkpoint is opened by any of its files, by the prefix of their names that TensorFlow calls its
path, or by its folder. In a folder, the text file `checkpoint` that the Saver writes says which one
is the latest; of the path in it only the last part counts, since folders are moved. Without it,
there must be exactly one checkpoint. A SavedModel, its folder or the graph in it, leads to the
variables in it.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from penult.checkpoints.base import WeightsFile
from penult.errors import CheckpointError
from penult.util.protobuf import MalformedError
from penult.util.text import quoted

MAX_SHARDS = 10_000
STATE = "checkpoint"  # the text file
SAVED_MODEL = "saved_model.pb"  # the graph
VARIABLES = "variables/variables.index"  # beside it
MAX_STATE = 1 << 20  # bytes

_DATA = re.compile(r"(?s)(.+)\.data-\d{5}-of-\d{5}")
_SHARD = re.compile(r"(?s)(.+)-(\d{5})-of-(\d{5})")
_FIRST = re.compile(r"(?s)(?!\._).*(\.index|\.ckpt(-\d+)?|(?<!\.data)-00000-of-\d{5})")
_LATEST = re.compile(rb'^model_checkpoint_path:\s*"([^"\n]*)"', re.MULTILINE)


def locate(path: Path) -> Path:
    """The file to begin with, if `path` leads to a TensorFlow checkpoint; else `path`."""
    model = path.parent if path.name == SAVED_MODEL else path
    if (model / SAVED_MODEL).is_file() and (model / VARIABLES).is_file():
        return model / VARIABLES
    if path.is_dir():
        name = chosen(path, [each.name for each in path.iterdir()], _state(path / STATE))
        return path / name if name else path
    data = _DATA.fullmatch(path.name)
    if data:
        index = path.with_name(data[1] + ".index")
        return index if index.exists() else path
    if path.exists() or not path.parent.is_dir():
        return path
    return path.with_name(_first_of(path.name, (it.name for it in path.parent.iterdir())))


def split_archive(path: Path) -> tuple[Path, str]:
    """Part a path that goes on inside a file: `net.tgz/ema` is the folder `ema` in `net.tgz`."""
    file = next((parent for parent in path.parents if parent.is_file()), path)
    return file, "" if file == path else path.relative_to(file).as_posix()


def chosen(place: Path, names: Iterable[str], state: bytes = b"") -> str | None:
    """Which of these files to begin with; None if there is no checkpoint among them.

    Raises:
        CheckpointError: There are several, or not the one that `state` names.
    """
    names = sorted(names)
    latest = _LATEST.search(state)
    if latest:
        prefix = re.split(r"[/\\]", latest[1].decode("utf-8", "replace"))[-1]
        name = _first_of(prefix, names)
        if name not in names:
            raise CheckpointError(
                f"{quoted(place)}: no {quoted(prefix)} there, the latest by {STATE}"
            )
        return name
    found = [name for name in names if _FIRST.fullmatch(name)]
    if len(found) > 1:
        some = ", ".join(map(quoted, found[:3]))
        raise CheckpointError(f"{quoted(place)}: {len(found)} checkpoints, name one: {some}")
    return found[0] if found else None


def shards(file: WeightsFile) -> list[WeightsFile]:
    """All files of a V1 checkpoint, of which `file` is one."""
    match = _SHARD.fullmatch(file.path.name)
    if not match:
        return [file]
    prefix, own, count = match[1], int(match[2]), int(match[3])
    if own >= count or count > MAX_SHARDS:
        raise file.error(f"shard {own} of {count}: is the file's name its own?")
    names = [f"{prefix}-{number:05}-of-{count:05}" for number in range(count)]
    return [file if number == own else beside(file, name) for number, name in enumerate(names)]


def beside(file: WeightsFile, name: str) -> WeightsFile:
    """Another file of the same checkpoint."""
    try:
        return file.beside(name)
    except OSError as exc:
        reason = (exc.strerror or str(exc)).lower()
        raise file.error(f"{quoted(name)} belongs to it, {reason}; fetch both again") from exc


@contextmanager
def describe_files(file: WeightsFile, what: str) -> Iterator[None]:
    """Say of which file, and of what in it, a MalformedError is."""
    try:
        yield
    except MalformedError as exc:
        raise file.damaged(f"{what} has {exc}") from exc


def _state(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as stream:
        return stream.read(MAX_STATE)


def _first_of(prefix: str, names: Iterable[str]) -> str:
    """The file to begin with of the checkpoint that TensorFlow calls `prefix`."""
    names = set(names)
    if prefix in names:
        return prefix
    if f"{prefix}.index" in names:
        return f"{prefix}.index"
    shard = re.compile(re.escape(prefix) + r"-00000-of-\d{5}")
    return next((name for name in sorted(names) if shard.fullmatch(name)), prefix)
