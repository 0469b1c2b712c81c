"""The two commands of the project that Penult grew out of, with its files.

Compute-Features (2018, https://github.com/cameronfabbri/Compute-Features) wrote a pickled dict from
image path to feature vector, `features/MODEL_features.pkl`. `compute_features` writes the same from
the same arguments, and `load_features` reads it, whichever Python wrote it.

Kept are its images (.jpg, .jpeg, .bmp and .png below the folder, hidden ones included), its paths
(the folder as given, joined with what is below it) and its layers. Not kept is what was wrong: its
networks were fed unnormalised pixels, all but one at 224×224, which `preprocess="raw"` does again;
a gray, transparent or broken image ended the run, with all features lost; and photos lay as the
camera held them, where now they are turned upright.
"""

import os
import pickle
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penult import nets
from penult.checkpoints.base import WeightsFile
from penult.checkpoints.numpy_objects import NAMES, PickledArray
from penult.checkpoints.unpickle import ARRAYS, Limits, Unpickler
from penult.errors import CheckpointError, SourceError
from penult.model.model import Model, load_model
from penult.store.messages import wrap_errors
from penult.util.files import replacing
from penult.util.progress import Counts, show_nothing
from penult.util.text import quoted

SUFFIXES = (".jpg", ".jpeg", ".bmp", ".png")
SPELLINGS = {"alexnet": "alexnet_v2", "vgg16": "vgg_16", "vgg19": "vgg_19"}
FOLDER = Path("features")
RAW_SIZE = 224  # pixels, of Inception V1 to V4, ResNets and VGG; Inception-ResNet V2 had its 299

PICKLES = (b"\x80", b"}", b"(", b"c")  # how a dict begins: protocols 2 to 5, 1, 0; an OrderedDict
MAX_STEPS = 50_000_000  # of the pickle machine; about 40 an image, or 1 a number in a list
SMALL = 400_000  # what any file may cost, in steps or in bytes; beyond, the file's size decides

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Computed:
    """What became of a run: the file, how many vectors are in it, and the images that failed."""

    path: Path
    count: int
    failures: dict[str, str]  # path -> reason


def compute_features(
    data_dir: str | Path,
    checkpoint_file: str | Path,
    model: str,
    preprocess: str | None = None,
    progress: Callable[[Counts], None] | None = None,
) -> Computed:
    """Compute features as the script of 2018 did, into `features/MODEL_features.pkl`.

    Args:
        data_dir: A folder of images, searched recursively.
        checkpoint_file: A weights file.
        model: A network, as the script or as Penult spells it. The layer is the script's: the
            classifier's output (`fc8`) for VGG, the features before it for all others.
        preprocess: By default what the network was trained with; `raw` is what the script did.
        progress: Called with the counts so far at the start and after each image.

    Raises:
        SourceError: The folder isn't there, or holds no images.
        StoreError: The file can't be written.
        UsageError, CheckpointError, NetworkError: See `load_model`.

    Example:
        >>> import penult.legacy
        >>> penult.legacy.compute_features("test_images/", "inception_v1.ckpt", "inception_v1").path
        ... # doctest: +SKIP
        PosixPath('features/inception_v1_features.pkl')
    """
    failures: dict[str, str] = {}
    paths = _images(os.fspath(data_dir), failures)
    network = _network(model, checkpoint_file, preprocess)
    counts = Counts(listed=len(paths) + len(failures), failed=len(failures))
    report = progress or show_nothing
    report(counts)
    features: dict[str, NDArray[np.float32]] = {}
    with closing(network.stream(paths)) as outcomes:
        for path, outcome in zip(paths, outcomes, strict=True):
            if outcome.error:
                failures[path] = str(outcome.error)
            else:
                (features[path],) = outcome.vectors.values()
            counts.count(ok=outcome.error is None)
            report(counts)
    file = FOLDER / f"{model}_features.pkl"
    _write(features, file)
    return Computed(file, len(features), failures)


def load_features(path: str | Path) -> dict[str, Array]:
    """Read a pickled dict from path to vector: the script's, or `penult export`'s.

    The file is data: nothing in it is executed or imported, and it may hold arrays and lists of
    real numbers only. A path that Python 2 wrote as bytes is taken for UTF-8, or else for Latin-1.

    Returns:
        The vectors in the file's order; those that the file has as arrays are read-only.

    Raises:
        UnsafeError: The file asks to run code.
        CheckpointError: It isn't there, is damaged, or isn't a dict of vectors.

    Example:
        >>> import penult.legacy
        >>> features = penult.legacy.load_features("features/vgg_16_features.pkl")  # doctest: +SKIP
    """
    file = _open(Path(path))
    root = _unpickle(file)
    if not isinstance(root, dict):
        raise file.error(f"holds a {type(root).__name__}, expected a dict from path to vector")
    vectors = _Vectors(file)
    features = {vectors.key(key): vectors.vector(key, value) for key, value in root.items()}
    if len(features) != len(root):
        raise file.error("two of its paths are the same, once as text and once as bytes")
    return features


def _images(folder: str, failures: dict[str, str]) -> list[str]:
    """The images below a folder, sorted; what can't be listed goes to the failures."""
    if not Path(folder).is_dir():
        raise SourceError(f"no folder {quoted(Path(folder))}; check --data_dir")

    def note(error: OSError) -> None:
        failures[str(error.filename)] = f"unreadable: {error.strerror}"

    paths = [
        os.path.join(parent, name)  # noqa: PTH118 -- Path would rewrite the folder as given
        for parent, _, names in os.walk(folder, onerror=note)
        for name in names
        if name.lower().endswith(SUFFIXES)
    ]
    if not paths:
        reason = next(iter(failures.values()), f"{', '.join(SUFFIXES)} are taken")
        raise SourceError(f"no images in {quoted(Path(folder))}: {reason}")
    return sorted(paths)


def _network(name: str, weights: str | Path, preprocess: str | None) -> Model:
    spec = nets.get(SPELLINGS.get(name, name))
    fixed = spec.name.startswith(("inception_v", "resnet_", "vgg_"))
    return load_model(
        spec.name,
        weights=weights,
        layer=f"{spec.name}/fc8" if spec.name.startswith("vgg_") else spec.architecture.embedding,
        size=RAW_SIZE if fixed and preprocess == "raw" else None,
        preprocess=preprocess,
    )


def _write(features: dict[str, NDArray[np.float32]], path: Path) -> None:
    with wrap_errors(f"can't write {quoted(path)}"):
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            pickle.dump(features, file, protocol=4)


def _open(path: Path) -> WeightsFile:
    hint = "name a .pkl of `penult compute-features`"
    try:
        file = WeightsFile(path)
    except (OSError, ValueError) as exc:
        reason = (getattr(exc, "strerror", None) or str(exc)).lower()
        raise CheckpointError(f"{quoted(path)}: {reason}; {hint}") from exc
    if file.data[:1] not in PICKLES:
        raise file.error(f"begins with {bytes(file.data[:8])!r}, so isn't a pickled dict; {hint}")
    return file


def _unpickle(file: WeightsFile) -> object:
    steps = min(MAX_STEPS, SMALL + file.size)
    limits = Limits(file.size, steps, "save the features of fewer images to a file")
    pickles = Unpickler(file, 0, file.size, NAMES, methods=ARRAYS, limits=limits)
    root = pickles.load()
    if pickles.end != file.size:
        raise file.damaged("goes on after its end", pickles.end)
    return root


class _Vectors:
    """Turns the items of a pickled dict into paths and arrays, with an eye on the memory."""

    def __init__(self, file: WeightsFile) -> None:
        self._file = file
        self._copied = 0  # bytes; a list can be the value of many keys

    def key(self, key: object) -> str:
        """A path; of Python 2, bytes."""
        if isinstance(key, bytes):
            try:
                return key.decode()
            except UnicodeDecodeError:
                return key.decode("latin-1")
        if not isinstance(key, str):
            raise self._file.error(f"a key is a {type(key).__name__}, expected a path")
        return key

    def vector(self, key: object, value: object) -> Array:
        """What belongs to a key, in this machine's byte order."""
        if isinstance(value, PickledArray) and value.array is not None:
            array = value.array
            if array.dtype.isnative:
                return array
            self._spend(array.nbytes)
            return array.astype(array.dtype.newbyteorder("="))
        if isinstance(value, list | tuple):
            self._spend(8 * len(value))
            numbers = [it.array if isinstance(it, PickledArray) else it for it in value]
            if all(_is_number(it) for it in numbers):
                return np.array(numbers, np.float64)
        raise self._file.error(f"what belongs to {quoted(self.key(key))} is no array of numbers")

    def _spend(self, size: int) -> None:
        self._copied += size
        if self._copied > SMALL + 8 * self._file.size:
            raise self._file.damaged("the same vectors over and over")


def _is_number(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return value.ndim == 0
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)
