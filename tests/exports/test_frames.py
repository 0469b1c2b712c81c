"""Tables as pandas has them."""

import sys

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import penult
from penult.errors import MissingExtraError
from penult.store import Row, TableWriter


@pytest.fixture
def features(tmp_path):
    """Two images, of which one has a label and a place, which tables hold like a key."""
    vectors = {"a/b": np.arange(4, dtype=np.float32).reshape(2, 2)}
    size = {"width": 3, "height": 2, "vectors": vectors}
    with TableWriter.open_or_create(tmp_path / "t.lance", {"a/b": (2, 2)}, {}) as table:
        table.append([Row("2", 9, 1_700_000_000_123_456_793, path="/p/a\\#b", **size)])
        table.append([Row("1", 8, 1, **size)])
        table.annotate(["2"], {"label": ["cat"]})
    return penult.open(tmp_path / "t.lance")


def test_columns_are_those_of_parquet_in_its_order(features, tmp_path):
    frame = features.to_pandas()
    schema = pq.read_schema(features.export(tmp_path / "f.parquet"))
    assert [frame.index.name, *frame.columns] == schema.names


def test_rows_have_what_is_known_of_their_images(features):
    frame = features.to_pandas()
    assert frame.index.tolist() == ["1", "2"]
    assert frame.loc["2", "path"] == "/p/a#b"
    assert frame.loc["2", ["width", "height", "bytes", "label"]].tolist() == [3, 2, 9, "cat"]
    assert frame.loc["2", "mtime"] == pd.Timestamp(1_700_000_000_123_456_793)
    assert frame.loc["2", "a/b"].dtype == np.float32
    assert frame.loc["2", "a/b"].tolist() == [[0, 1], [2, 3]]
    assert frame.loc["1", ["path", "label"]].isna().all()


def test_without_pandas_the_extra_is_named(monkeypatch, features):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'penult\[pandas\]'"):
        features.to_pandas()
