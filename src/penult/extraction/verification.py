"""`verify`: compute rows of a table again, and compare."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.errors import CheckpointError, StoreError, UsageError
from penult.extraction.row_files import COLUMNS, row_files
from penult.extraction.run import provenance
from penult.models.model import Model, load_model
from penult.models.stream import Outcome
from penult.nets import NETS, PackagedWeights
from penult.store import Features, open_features
from penult.store.layout import Kind, Shape
from penult.util.progress import Counts
from penult.util.text import quoted

TOLERANCE = 1e-4  # relative difference (L2) up to which features count as the same

_NEEDED = {  # what a table's provenance says for its model to be made again
    "network": str,
    "weights_path": str,
    "pool": str,
    "size": int,
    "preprocess": str,
    "decode": str,
    "ema": bool,
    "exact": bool,
}


@dataclass(slots=True)
class Verification:
    """How rows of a table compare with what their images give now.

    Attributes:
        compared: Images whose features were computed again.
        largest: The largest relative difference (L2) among them, over all layers.
        key: The image that has it.
        changed: Images whose file is another one now; they aren't compared.
        vanished: Images whose file has gone; they aren't either.
        failures: Reasons of images that can't be computed now, although their file is the same.
    """

    compared: int = 0
    largest: float = 0.0
    key: str | None = None
    changed: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether something was compared, and all of it is the same."""
        return self.compared > 0 and self.largest <= TOLERANCE and not self.failures


class _Row(NamedTuple):
    key: str
    path: str
    vectors: dict[str, NDArray[np.float32]]  # flat


def verify(
    table: str | Path,
    n: int | None = 50,
    *,
    weights: str | Path | None = None,
    seed: int = 0,
    progress: Callable[[Counts], None] | None = None,
) -> Verification:
    """Compute rows of a table again, from the images and weights that it names, and compare.

    Args:
        table: The table; images that failed in it are left out.
        n: How many rows, drawn at random; None takes all.
        weights: Where the weights are now, if not where they were.
        seed: Of the draw.
        progress: Called with the counts so far at the start and after each image.

    Raises:
        StoreError: The table can't be read, or doesn't say what made it.
        CheckpointError: The weights aren't there or can't be read.
        UsageError: `n` is below 1, or the weights are not those of the table.
    """
    if n is not None and n < 1:
        raise UsageError(f"n must be at least 1, not {n}")
    features = open_features(table)
    model = rebuilt(features, weights)
    found = Verification()
    waiting: deque[_Row] = deque()  # rows whose images are being computed

    def paths() -> Iterator[str]:
        for row in _unchanged(features, _places(len(features), n, seed), found):
            waiting.append(row)
            yield row.path

    counts = Counts(listed=min(n or len(features), len(features)))
    report = progress or (lambda counts: None)
    report(counts)
    with closing(model.stream(paths())) as outcomes:
        for outcome in outcomes:
            _compare(waiting.popleft(), outcome, found)
            counts.count(ok=outcome.error is None)
            counts.skipped = len(found.changed) + len(found.vanished)
            report(counts)
    return found


def _places(rows: int, n: int | None, seed: int) -> NDArray[np.int64]:
    if n is None or n >= rows:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, n, replace=False))


def rebuilt(features: Features, weights: str | Path | None) -> Model:
    """The model that made a table, from what its provenance says."""
    return rebuild(features.path, features.layers, features.provenance, weights)


def rebuild(
    origin: Path,
    layers: Mapping[str, Shape],
    made: Mapping[str, Any],
    weights: str | Path | None,
) -> Model:
    """The model that made features of some layers, from what their file says of it.

    Args:
        origin: The file or table, which messages name.
        layers: Their shapes by name.
        made: Their provenance.
        weights: Where the weights are, if neither where they were nor a package's.

    Raises:
        StoreError: The provenance isn't complete.
        CheckpointError: The weights aren't there or can't be read.
        UsageError: The weights are others.
    """
    unknown = [name for name, kind in _NEEDED.items() if type(made.get(name)) is not kind]
    if unknown:
        raise StoreError(f"{quoted(origin)} doesn't say its {', '.join(unknown)}: make it again")
    try:
        model = _loaded(layers, made, Path(weights or made["weights_path"]))
    except CheckpointError as exc:
        if weights:
            raise
        if not _is_packaged(made):
            where = f"say where the weights of {quoted(origin)} are (-w)"
            raise CheckpointError(f"{exc}; {where}") from exc
        model = _loaded(layers, made, None)
    now = Kind.of(model.outputs, provenance(model))
    if differences := Kind.of(layers, made).differences(now):
        raise UsageError(
            f"{quoted(model.network.path)} didn't make {quoted(origin)}: "
            f"{'; '.join(differences[:3])}: name the weights that did (-w)"
        )
    return model


def _loaded(layers: Mapping[str, Shape], made: Mapping[str, Any], weights: Path | None) -> Model:
    is_network = weights is not None and weights.suffix == ".onnx"
    return load_model(
        None if is_network else made["network"],
        weights=weights,
        layer=list(layers),
        pool=made["pool"],
        size=made["size"],
        preprocess=made["preprocess"],
        decode=made["decode"],
        ema=made["ema"],
        exact=made["exact"],
    )


def _is_packaged(made: Mapping[str, Any]) -> bool:
    """Whether the weights come as a package, which lies elsewhere on each machine."""
    spec = NETS.get(made["network"])
    packaged = spec.weights if spec else None
    return isinstance(packaged, PackagedWeights) and packaged.sha256 == made.get("weights_sha256")


def _unchanged(
    features: Features, places: NDArray[np.int64], found: Verification
) -> Iterator[_Row]:
    """Yield the rows whose image is what it was; note the others."""
    for piece in features.tables(["key", *COLUMNS], list(features.layers), places):
        blocks = {name: _flat(piece.column(name)) for name in features.layers}
        files = zip(piece["key"].to_pylist(), row_files(piece), strict=True)
        for index, (key, file) in enumerate(files):
            state = file.state()
            if state == "same":
                yield _Row(key, file.path, {name: block[index] for name, block in blocks.items()})
            else:
                (found.vanished if state == "gone" else found.changed).append(key)


def _flat(column: Any) -> NDArray[np.float32]:  # noqa: ANN401 -- pyarrow has no types
    values: NDArray[np.float32] = column.combine_chunks().flatten().to_numpy()
    return values.reshape(len(column), -1)


def _compare(row: _Row, outcome: Outcome, found: Verification) -> None:
    if outcome.error:
        found.failures[row.key] = str(outcome.error)
        return
    found.compared += 1
    for name, vector in outcome.vectors.items():
        difference = _difference(vector.ravel(), row.vectors[name])
        if found.key is None or difference > found.largest:
            found.largest, found.key = difference, row.key


def _difference(now: NDArray[np.float32], then: NDArray[np.float32]) -> float:
    """The relative difference; infinite where nothing has become something."""
    distance = float(np.linalg.norm(now.astype(np.float64) - then))
    length = float(np.linalg.norm(then.astype(np.float64)))
    return distance / length if length else (inf if distance else 0.0)
