"""Checkpoints in several files with an index, as Hugging Face's libraries write large ones.

    model.safetensors.index.json        {"metadata": {…}, "weight_map": {TENSOR: FILE, …}}
    model-00001-of-00002.safetensors    a checkpoint of its own; PyTorch's for `pytorch_model.bin`

A file is taken only from the index's folder: its name has no folder in it, and if it is a link, it
leads to where the index itself lies, as in Hugging Face's cache. Index and files must agree: each
tensor is in the one file that the index names, and no file has others.
Source: split_torch_state_dict_into_shards of https://github.com/huggingface/huggingface_hub.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from penult.checkpoints.base import Checkpoint, Format, Tensor, WeightsFile
from penult.checkpoints.pytorch import LEGACY, ZIP
from penult.checkpoints.safetensors import SAFETENSORS
from penult.checkpoints.strict_json import parse_object
from penult.checkpoints.tensorflow_files import beside
from penult.util.text import quoted

MAX_INDEX = 4 << 20  # bytes; about 100 a tensor
MAX_SHARDS = 1000  # the largest models that are published have under 200

_SUFFIX = ".index.json"
_SHARD = re.compile(r"(?s)(.+)-\d{5}-of-\d{5}(\.safetensors|\.bin)")


def index_of(path: Path) -> Path:
    """The index beside one of several files, if there is one; else `path`."""
    match = _SHARD.fullmatch(path.name)
    index = path.with_name(f"{match[1]}{match[2]}{_SUFFIX}") if match else path
    return index if index.is_file() else path


def _recognises(file: WeightsFile) -> bool:
    return file.path.name.endswith(_SUFFIX) and file.data[:64].lstrip()[:1] == b"{"


def _open(file: WeightsFile) -> Checkpoint:
    places = _read_index(file)
    opened = [_open_shard(file, name) for name in sorted(set(places.values()))]
    tensors = _join(file, opened)
    for name, place in places.items():
        if name not in tensors or tensors[name][0] != place:
            raise file.error(f"tensor {quoted(name)} isn't in {quoted(place)}; fetch both again")
    for name, (place, _) in tensors.items():
        if name not in places:
            raise file.error(
                f"tensor {quoted(name)} of {quoted(place)} isn't in the index; fetch both again"
            )
    others = [each for shard in opened for each in shard.files]
    ordered = {name: tensors[name][1] for name in places}
    return Checkpoint(file, f"{opened[0].format}, in {len(opened)} files", ordered, {}, others)


def _read_index(file: WeightsFile) -> dict[str, str]:
    """Which file each tensor is in."""
    if file.size > MAX_INDEX:
        raise file.damaged(f"an index of {file.size} bytes, at most {MAX_INDEX} are read")
    places = parse_object(file, "index", 0, file.size).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise file.damaged("an index without its weight_map")
    for place in places.values():
        if not _is_plain(place):
            raise file.damaged(f"{quoted(place)} isn't the name of a file in the index's folder")
    count = len(set(places.values()))
    if count > MAX_SHARDS:
        raise file.damaged(f"an index of {count} files, at most {MAX_SHARDS} are read")
    return places


def _is_plain(name: object) -> bool:
    return (
        isinstance(name, str)
        and name.isprintable()
        and name not in ("", ".", "..")
        and not set(name) & set("/\\:")
    )


def _open_shard(index: WeightsFile, name: str) -> Checkpoint:
    path = index.path.with_name(name)
    homes = {index.path.parent.resolve(), index.path.resolve().parent}
    if path.is_symlink() and path.resolve().parent not in homes:
        raise index.error(f"{quoted(name)} is a link out of the folder; put the file itself there")
    shard = beside(index, name)
    for each in (SAFETENSORS, ZIP, LEGACY):
        if each.recognises(shard):
            return each.open(shard)
    raise shard.error("neither safetensors nor PyTorch's, though an index names it; fetch it again")


def _join(index: WeightsFile, opened: list[Checkpoint]) -> Mapping[str, tuple[str, Tensor]]:
    """Each tensor, and the name of the file that it is in."""
    tensors: dict[str, tuple[str, Tensor]] = {}
    for shard in opened:
        for name, tensor in shard.tensors.items():
            if name in tensors:
                two = f"{quoted(tensors[name][0])} and {quoted(shard.path.name)}"
                raise index.error(f"tensor {quoted(name)} is in {two}; fetch both again")
            tensors[name] = shard.path.name, tensor
    return tensors


INDEX = Format("safetensors (index)", _recognises, _open)
