"""`Features`: a table that is open, with the functions that take one as its methods."""

import os
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from penult.store import TableReader
from penult.table.rows import Rows

if TYPE_CHECKING:
    from penult.analysis import (
        clusters,
        comparison,
        near_duplicates,
        neighbours,
        outliers,
        probes,
        projection,
        sampling,
    )
    from penult.exports import export as exports
    from penult.exports import frames
    from penult.viewer import server


class _Method:
    """A function whose first argument is a table: imported when it is first needed, then a method.

    So a table opens without what its methods need, and each has the function's signature and words.

    Args:
        module: Where the function is.
        name: Its name, if it isn't the method's.
    """

    def __init__(self, module: str, name: str | None = None) -> None:
        self._module = module
        self._function = name

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, table: TableReader | None, owner: type) -> Callable[..., Any]:
        function = getattr(import_module(self._module), self._function or self._name)
        setattr(Features, self._name, function)  # in place of this, as if it had been defined there
        method: Callable[..., Any] = function.__get__(table, owner)
        return method


class Features(Rows):
    """Features of images, as one version of a table holds them; what `penult.open` returns.

    Rows are in the order of their keys, whatever order they were written in. Images that failed
    have no row; `failures` has their reasons. Methods whose first argument is `table` are Penult's
    functions of the same name: `features.search(photo)` is `penult.search(features, photo)`.

    `features["a.jpg"]` is a vector, `features[["a.jpg", "b.jpg"]]` several, `np.asarray(features)`
    all of them; `"a.jpg" in features`, `len` and iteration are about keys.

    Attributes:
        path: Folder of the table.
        recovered: A line to print if newest versions couldn't be read and were passed over.
        left_out: Columns that `merge` left out, as not all tables had them alike.
    """

    left_out: Sequence[str] = ()

    if TYPE_CHECKING:
        cluster = clusters.cluster
        compare = comparison.compare
        duplicates = near_duplicates.duplicates
        export = exports.export
        index = neighbours.index
        map = projection.project
        outliers = outliers.outliers
        probe = probes.probe
        sample = sampling.sample
        search = neighbours.search
        to_pandas = frames.to_pandas
        view = server.view
    else:
        cluster = _Method("penult.analysis.clusters")
        compare = _Method("penult.analysis.comparison")
        duplicates = _Method("penult.analysis.near_duplicates")
        export = _Method("penult.exports.export")
        index = _Method("penult.analysis.neighbours")
        map = _Method("penult.analysis.projection", "project")
        outliers = _Method("penult.analysis.outliers")
        probe = _Method("penult.analysis.probes")
        sample = _Method("penult.analysis.sampling")
        search = _Method("penult.analysis.neighbours")
        to_pandas = _Method("penult.exports.frames")
        view = _Method("penult.viewer.server")


def open_features(path: str | os.PathLike[str]) -> Features:
    """Open a table for reading; a process may be writing to it.

    Raises:
        StoreError: If it isn't a table that Penult wrote, or no version of it can be read.
    """
    return Features(path)
