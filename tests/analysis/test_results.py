"""What people see of results at a prompt and in a notebook: a line, and a short table."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import penult

CHECKPOINT = Path(__file__).parents[1] / "reference/checkpoints/mobilenet_v1_025_v2"


@pytest.fixture
def features(make_table):
    """Two folders of 15 images."""
    chance = np.random.default_rng(0)
    return make_table(
        {
            f"{folder}/<{i:02}>.jpg": np.eye(4)[place] + chance.normal(0, 0.1, 4)
            for place, folder in enumerate("ab")
            for i in range(15)
        }
    )


RESULTS = {
    "<Clusters: 30 images, 2 clusters, silhouette 0.": lambda t: t.cluster(2),
    "<Map: 30 images by pca>": lambda t: t.map(method="pca"),
    "<Duplicates: 30 images, 2 groups, 28 to drop>": lambda t: t.duplicates(0.5, pixels=False),
    "<ProbeReport: 30 images of 2 classes, best ": lambda t: t.probe(),
    "<Comparison: 2 sides, 30 images; t and ": lambda t: t.compare(copied(t), permutations=9),
    "<Description: efficientnet_lite0 at 224×224, ": lambda t: penult.describe(
        "efficientnet_lite0"
    ),
    "<Inspection: mobilenet_v1_025_v2, TensorFlow (V2), mobilenet_v1_025": lambda t: penult.inspect(
        CHECKPOINT
    ),
}


def copied(table):
    return shutil.copytree(table.path, table.path.with_name("other.lance"))


@pytest.mark.parametrize("line", RESULTS)
def test_results_are_shown_in_short(features, line):
    result = RESULTS[line](features)
    assert repr(result).startswith(line)
    assert len(repr(result)) < 230
    page = result._repr_html_()
    assert 2 <= page.count("<tr>") <= 21
    assert "<00>" not in page
