"""What type checkers and editors see of the methods of `Features`; `make lint` checks this file."""

from pathlib import Path
from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import penult


def methods(features: penult.Features) -> None:
    assert_type(features.search("cat.jpg", 3, metric="dot"), list[penult.Match])
    assert_type(features.index(metric="l2"), penult.IndexReport)
    assert_type(features.duplicates(0.9, pixels=False), penult.Duplicates)
    assert_type(features.cluster(5, method="kmeans"), penult.Clusters)
    assert_type(features.cluster("auto", store=True), penult.Clusters)
    assert_type(features.outliers(5), list[penult.Outlier])
    assert_type(features.sample(5, diverse=True), list[str])
    assert_type(features.map(store=True), penult.Map)
    assert_type(features.probe("parent", folds=3), penult.ProbeReport)
    assert_type(features.compare("other.lance", features, k=3), penult.Comparison)
    assert_type(features.export("f.npz", "fc7"), Path)
    assert_type(features.view(port=8000), penult.Viewer)


def mistakes(features: penult.Features) -> None:
    features.search("cat.jpg", metrics="dot")  # type: ignore[call-arg]
    features.cluster("5")  # type: ignore[arg-type]
    features.export()  # type: ignore[call-arg]
    penult.search("photos.lance")  # type: ignore[call-arg]


def functions() -> None:
    assert_type(penult.open("photos.lance"), penult.Features)
    assert_type(penult.extract("photos", out="photos.lance"), penult.Features)
    assert_type(penult.search(penult.open("photos.lance"), "cat.jpg"), list[penult.Match])


def arrays(features: penult.Features, model: penult.Model) -> None:
    assert_type(features["cat.jpg"], NDArray[np.float32])
    assert_type(features[["cat.jpg"]], NDArray[np.float32])
    assert_type(list(features), list[str])
    assert_type(model.features(["cat.jpg"], "fc7"), NDArray[np.float32])
    assert_type(model(["cat.jpg"], "fc7"), NDArray[np.float32])
    assert_type(model(["cat.jpg"], errors="skip")[1], dict[int, penult.ImageError])
    several: dict[str, NDArray[np.float32]] = model(["cat.jpg"])
    one: NDArray[np.float32] = model.features(["cat.jpg"])
    assert_type((several["fc7"].ndim, one.ndim), tuple[int, int])
    model(["cat.jpg"], errors="ignore")  # type: ignore[call-overload]
