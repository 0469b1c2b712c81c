"""Keras' weights in HDF5: `.h5` of Keras 1 and 2, `.weights.h5` of Keras 3, and `.keras`.

    .h5             a group for each layer, with an attribute `weight_names` (in parts with a number
                    each if it is long); in it, the weights by these names: "conv1/kernel:0". In
                    whole models, these groups are in `model_weights`.
    .weights.h5     layers/NAME/vars/0 and so on; in the first of these, instead of `layers`,
                    _layer_checkpoint_dependencies
    .keras          a zip archive with `model.weights.h5`

A weight of Keras 1 and 2 has the name that Keras gave it, without ":0", and with that of its layer
before it if two layers have one of this name. Everything else, the optimizer's state too, has its
path in the file. What else is there, such as the model's configuration, in which there may be code,
is never read.
"""

import re
from collections import Counter
from collections.abc import Iterable

from penult.checkpoints.archive import Archive, contents
from penult.checkpoints.base import Checkpoint, Format, Tensor, WeightsFile
from penult.checkpoints.hdf5_objects import SIGNATURE, Dataset, Group, Objects
from penult.checkpoints.hdf5_values import Values, values
from penult.util.budget import unpacked_limit
from penult.util.text import quoted

MAX_TENSORS = 20_000

_WEIGHTS = "model.weights.h5"
_MODEL = "model_weights/"
_OPTIMIZER = "optimizer_weights"
_NAMES = re.compile(r"weight_names\d*")


def _recognises(file: WeightsFile) -> bool:
    return file.data[:8] == SIGNATURE


def _open(file: WeightsFile) -> Checkpoint:
    return Checkpoint(file, HDF5.name, _tensors(Objects(file, 0, file.size)), {})


def _is_keras(file: WeightsFile) -> bool:
    return _WEIGHTS in contents(file)


def _open_keras(file: WeightsFile) -> Checkpoint:
    archive = Archive(file, packed=True)
    inner, start, end = archive.unpacked(_WEIGHTS)
    room = unpacked_limit(file.size) - (0 if inner is file else inner.size)
    return Checkpoint(file, KERAS.name, _tensors(Objects(inner, start, end, room)), {})


def _tensors(objects: Objects) -> dict[str, Tensor]:
    file = objects.file
    layers: set[str] = set()
    found: dict[str, Values] = {}
    for path, item in objects.walk():
        if isinstance(item, Dataset):
            found[path] = values(objects, path, item)
        elif _is_layer(path, item):
            layers.add(path)
        if len(found) > MAX_TENSORS:
            raise file.damaged(f"more than {MAX_TENSORS} tensors")
    if not found:
        raise file.error("no tensors in this file; save the model's weights")
    _check_places(file, found.values())
    return {
        name: Tensor(it.dtype.name, it.shape, it.read)
        for name, it in _named(file, found, layers).items()
    }


def _is_layer(path: str, group: Group) -> bool:
    state = path == _OPTIMIZER or path.startswith(f"{_OPTIMIZER}/")
    return not state and any(map(_NAMES.fullmatch, group.attributes))


def _named(file: WeightsFile, found: dict[str, Values], layers: set[str]) -> dict[str, Values]:
    """The datasets by what the tensors are called, instead of by path."""
    own = {path: _own_name(path, layers) for path in found}
    times = Counter(own.values())
    named = {
        name if times[name] == 1 else path.removeprefix(_MODEL).removesuffix(":0"): found[path]
        for path, name in own.items()
    }
    if len(named) < len(found):
        raise file.damaged("two tensors of one name, in one layer")
    return named


def _own_name(path: str, layers: set[str]) -> str:
    """A weight's name, as Keras gave it within its layer; the path if it is in none."""
    for match in re.finditer("/", path):
        if path[: match.start()] in layers:
            return path[match.end() :].removesuffix(":0")
    return path


def _check_places(file: WeightsFile, found: Iterable[Values]) -> None:
    end = 0
    places = [(it.start, it.size, each.name) for each in found for it in each.stretches]
    for start, size, name in sorted(places):
        if start < end:
            raise file.damaged(f"{quoted(name)} overlaps another tensor", start)
        end = start + size


HDF5 = Format("Keras (HDF5)", _recognises, _open)
KERAS = Format("Keras (.keras)", _is_keras, _open_keras)
