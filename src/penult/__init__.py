"""Penult: image features from pretrained networks; any weights file, no TensorFlow or PyTorch.

    >>> import penult
    >>> model = penult.load_model()
    >>> model.features(["examples/photos/cat_chelsea.jpg"]).shape
    (1, 1280)

`extract` does the same for whole folders and stores the result; `open` reads it again.
`penult.sklearn` has a transformer for scikit-learn, `penult.legacy` what the scripts of 2018 did.
Each name below is loaded when it is first used, so that importing Penult costs next to nothing.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from penult.errors import (
    CheckpointError,
    DownloadError,
    ImageError,
    MachineError,
    MissingExtraError,
    MissingKeyError,
    NetworkError,
    PenultError,
    SourceError,
    StoreError,
    UnsafeError,
    UsageError,
)
from penult.version import __version__ as __version__

if TYPE_CHECKING:
    from penult.analysis.clusters import Cluster, Clusters, cluster
    from penult.analysis.comparison import Comparison, compare
    from penult.analysis.near_duplicates import Duplicates, duplicates
    from penult.analysis.neighbours import IndexReport, Match, index, search
    from penult.analysis.outliers import Outlier, outliers
    from penult.analysis.probe_file import Probe, open_probe
    from penult.analysis.probes import ProbeReport, probe
    from penult.analysis.projection import Map, project
    from penult.analysis.sampling import sample
    from penult.exports.export import export
    from penult.extraction.classification import classify
    from penult.extraction.verification import Verification, verify
    from penult.images.stores import allow_remote
    from penult.model.description import OnnxDescription, describe
    from penult.model.inspection import Inspection, inspect
    from penult.model.loading import load_model
    from penult.model.model import Model
    from penult.model.published import Download, download
    from penult.nets import find as models
    from penult.table.extract import extract
    from penult.table.features import Features, open_features
    from penult.table.merge import merge
    from penult.util.machine import set_threads
    from penult.viewer.server import Viewer, view

    map, open = project, open_features  # noqa: A001 -- the words for it

# ONNX Runtime reads this when it is loaded; it would write a device id into the home and send
# events to its vendor.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_SHADOWING = ("map", "open")  # public too, but not for `from penult import *`

__all__ = [
    "CheckpointError",
    "Cluster",
    "Clusters",
    "Comparison",
    "Download",
    "DownloadError",
    "Duplicates",
    "Features",
    "ImageError",
    "IndexReport",
    "Inspection",
    "MachineError",
    "Map",
    "Match",
    "MissingExtraError",
    "MissingKeyError",
    "Model",
    "NetworkError",
    "OnnxDescription",
    "Outlier",
    "PenultError",
    "Probe",
    "ProbeReport",
    "SourceError",
    "StoreError",
    "UnsafeError",
    "UsageError",
    "Verification",
    "Viewer",
    "allow_remote",
    "classify",
    "cluster",
    "compare",
    "describe",
    "download",
    "duplicates",
    "export",
    "extract",
    "index",
    "inspect",
    "load_model",
    "merge",
    "models",
    "open_probe",
    "outliers",
    "probe",
    "sample",
    "search",
    "set_threads",
    "verify",
    "view",
]

_LAZY = {
    "Cluster": ("penult.analysis.clusters", "Cluster"),
    "Clusters": ("penult.analysis.clusters", "Clusters"),
    "Comparison": ("penult.analysis.comparison", "Comparison"),
    "Download": ("penult.model.published", "Download"),
    "Duplicates": ("penult.analysis.near_duplicates", "Duplicates"),
    "Features": ("penult.table.features", "Features"),
    "IndexReport": ("penult.analysis.neighbours", "IndexReport"),
    "Inspection": ("penult.model.inspection", "Inspection"),
    "Map": ("penult.analysis.projection", "Map"),
    "Match": ("penult.analysis.neighbours", "Match"),
    "Model": ("penult.model.model", "Model"),
    "OnnxDescription": ("penult.model.description", "OnnxDescription"),
    "Outlier": ("penult.analysis.outliers", "Outlier"),
    "Probe": ("penult.analysis.probe_file", "Probe"),
    "ProbeReport": ("penult.analysis.probes", "ProbeReport"),
    "Verification": ("penult.extraction.verification", "Verification"),
    "Viewer": ("penult.viewer.server", "Viewer"),
    "allow_remote": ("penult.images.stores", "allow_remote"),
    "classify": ("penult.extraction.classification", "classify"),
    "cluster": ("penult.analysis.clusters", "cluster"),
    "compare": ("penult.analysis.comparison", "compare"),
    "describe": ("penult.model.description", "describe"),
    "download": ("penult.model.published", "download"),
    "duplicates": ("penult.analysis.near_duplicates", "duplicates"),
    "export": ("penult.exports.export", "export"),
    "extract": ("penult.table.extract", "extract"),
    "index": ("penult.analysis.neighbours", "index"),
    "inspect": ("penult.model.inspection", "inspect"),
    "load_model": ("penult.model.loading", "load_model"),
    "map": ("penult.analysis.projection", "project"),
    "merge": ("penult.table.merge", "merge"),
    "models": ("penult.nets", "find"),
    "open": ("penult.table.features", "open_features"),
    "open_probe": ("penult.analysis.probe_file", "open_probe"),
    "outliers": ("penult.analysis.outliers", "outliers"),
    "probe": ("penult.analysis.probes", "probe"),
    "sample": ("penult.analysis.sampling", "sample"),
    "search": ("penult.analysis.neighbours", "search"),
    "set_threads": ("penult.util.machine", "set_threads"),
    "verify": ("penult.extraction.verification", "verify"),
    "view": ("penult.viewer.server", "view"),
}


_MODULES = ("legacy", "sklearn")
_SPELT = {
    "compute_features": "penult.extract, or as of 2018 penult.legacy.compute_features",
    "load_features": "penult.open, or of 2018's pickles penult.legacy.load_features",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 -- any public name
    if name in _MODULES:
        return import_module(f"penult.{name}")
    if name not in _LAZY:
        hint = f": use {_SPELT[name]}" if name in _SPELT else ""
        raise AttributeError(f"module 'penult' has no attribute {name!r}{hint}")
    module, attribute = _LAZY[name]
    value = globals()[name] = getattr(import_module(module), attribute)
    return value


def __dir__() -> list[str]:
    return [*__all__, *_SHADOWING, *_MODULES, "__version__"]
