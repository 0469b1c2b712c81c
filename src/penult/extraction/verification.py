"""`verify`: compute rows of a table again, and compare."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penult.engine import DeviceName
from penult.extraction.row_files import COLUMNS, RowFile, row_files
from penult.images import Readable
from penult.images.containers import is_gone
from penult.model.model import Model, rebuild
from penult.model.recipe import Recipe
from penult.model.stream import Outcome
from penult.store import TableReader, open_table
from penult.util.checks import number_or_none, require_at_least
from penult.util.notebook import shown
from penult.util.progress import Counts
from penult.util.result import Result

TOLERANCE = 1e-4  # relative difference (L2) up to which features count as the same


@dataclass(slots=True, repr=False)
class Verification(Result):
    """How rows of a table compare with what their images give now.

    Attributes:
        compared: Images whose features were computed again.
        largest: The largest relative difference (L2) among them, over all layers.
        key: The image that has it.
        changed: Images whose file is another one now; they aren't compared.
        vanished: Images whose file has gone; they aren't either.
        failures: Reasons of images that can't be computed now, although their file is the same, or
            that are in a bucket that nobody has named.
        made_on: The device that made the table.
        device: The one that computed its rows again.
    """

    compared: int = 0
    largest: float = 0.0
    key: str | None = None
    changed: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    made_on: str = "cpu"
    device: str = "cpu"

    def _summary(self) -> str:
        others = len(self.changed) + len(self.vanished) + len(self.failures)
        return f"{self.compared:,} compared, {others:,} not, largest difference {self.largest:.2g}"

    @property
    def ok(self) -> bool:
        """Whether something was compared, and all of it is the same."""
        return self.compared > 0 and self.largest <= TOLERANCE and not self.failures


class _Row(NamedTuple):
    key: str
    file: RowFile
    image: Readable
    vectors: dict[str, NDArray[np.float32]]  # flat


def verify(
    table: str | Path,
    n: int | Literal["all"] = 50,
    *,
    weights: str | Path | None = None,
    device: DeviceName = "cpu",
    seed: int = 0,
    progress: Callable[[Counts], None] | None = None,
) -> Verification:
    """Compute rows of a table again, from the images and weights that it names, and compare.

    Args:
        table: The table; images that failed in it are left out.
        n: How many rows, drawn at random, or `all`.
        weights: Where the weights are now, if not where they were.
        device: As of `load_model`; it needn't be that which made the table, as all compute in
            float32, nearer to each other than the difference that counts.
        seed: Seeds the random draw.
        progress: Called with the counts so far at the start and after each image.

    Raises:
        StoreError: The table can't be read, or doesn't say what made it.
        CheckpointError: The weights aren't there or can't be read.
        UsageError: `n` is below 1, or the weights are not those of the table.
        NetworkError: The device isn't here or can't run the network.
    """
    wanted = number_or_none("all", "n", n)
    if wanted is not None:
        require_at_least(1, "n", wanted)
    features = open_table(table)
    places = _draw_places(len(features), wanted, seed)
    model = rebuild_model(features, weights, device)
    result = Verification(made_on=features.provenance["device"], device=device)
    waiting: deque[_Row] = deque()  # rows whose images are being computed

    def images() -> Iterator[Readable]:
        for row in _select_unchanged(features, places, result):
            waiting.append(row)
            yield row.image

    counts = Counts(listed=len(places))
    report = shown(progress)
    report(counts)
    with closing(model.stream(images())) as outcomes:
        for outcome in outcomes:
            _compare(waiting.popleft(), outcome, result)
            counts.count(ok=outcome.error is None)
            left_out = len(result.failures) - counts.failures
            counts.skipped = len(result.changed) + len(result.vanished) + left_out
            report(counts)
    return result


def _draw_places(rows: int, n: int | None, seed: int) -> NDArray[np.int64]:
    if n is None or n >= rows:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, n, replace=False))


def rebuild_model(
    features: TableReader, weights: str | Path | None = None, device: DeviceName = "cpu"
) -> Model:
    """Make the model of a table again, on a device that needn't be the table's.

    Errors are as of `rebuild`, and StoreError as of `Recipe`.
    """
    recipe = Recipe.read(features.layers, features.provenance, features.path)
    return rebuild(replace(recipe, device=device), features.path, weights)


def _select_unchanged(
    features: TableReader, places: NDArray[np.int64], result: Verification
) -> Iterator[_Row]:
    """Yield the rows whose image is what it was; note the others."""
    for piece in features.tables(["key", *COLUMNS], list(features.layers), places):
        blocks = {name: _flat(piece.column(name)) for name in features.layers}
        files = zip(piece["key"].to_pylist(), row_files(piece), strict=True)
        for index, (key, file) in enumerate(files):
            image = file.image()
            if file.refusal:
                result.failures[key] = file.refusal
            elif image is not None:
                yield _Row(key, file, image, {name: block[index] for name, block in blocks.items()})
            else:
                (result.vanished if is_gone(file.place) else result.changed).append(key)


def _flat(column: Any) -> NDArray[np.float32]:  # noqa: ANN401 -- pyarrow has no types
    values: NDArray[np.float32] = column.combine_chunks().flatten().to_numpy()
    return values.reshape(len(column), -1)


def _compare(row: _Row, outcome: Outcome, result: Verification) -> None:
    if outcome.error:
        result.failures[row.key] = str(outcome.error)
        return
    layers = outcome.vectors.items()
    difference = max(_difference(vector.ravel(), row.vectors[name]) for name, vector in layers)
    if difference > TOLERANCE and row.file.sha256 not in {None, row.file.digest()}:
        result.changed.append(row.key)  # its size and time hid that it is another file
        return
    result.compared += 1
    if result.key is None or difference > result.largest:
        result.largest, result.key = difference, row.key


def _difference(now: NDArray[np.float32], then: NDArray[np.float32]) -> float:
    """The relative difference; infinite where nothing has become something."""
    distance = float(np.linalg.norm(now.astype(np.float64) - then))
    length = float(np.linalg.norm(then.astype(np.float64)))
    return distance / length if length else (inf if distance else 0.0)
