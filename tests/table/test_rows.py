"""A table as Python and NumPy read it: by key, by keys, whole."""

import shutil

import numpy as np
import pytest

import penult
from penult.store import Row, TableWriter

VECTORS = {"a": (0, 1), "b": (2, 3), "d": (4, 5)}


@pytest.fixture
def features(tmp_path):
    """Three rows, written in another order than that of their keys, and one that failed."""
    rows = [
        Row(key, 1, 1, width=1, height=1, vectors={"pool": np.array(VECTORS[key], np.float32)})
        for key in ("d", "a", "b")
    ]
    with TableWriter.open_or_create(tmp_path / "t.lance", {"pool": (2,)}, {}) as table:
        table.append([*rows, Row("c", 1, 1, error="empty: zero bytes")])
    return penult.open(tmp_path / "t.lance")


def test_an_array_of_a_table_is_its_vectors(features):
    array = np.asarray(features)
    assert array.dtype == np.float32
    assert array.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert np.asarray(features, np.float64).dtype == np.float64
    assert np.array(features, copy=True).shape == (3, 2)
    with pytest.raises(ValueError, match="copy"):
        np.array(features, copy=False)


def test_iteration_is_over_keys(features):
    assert list(features) == ["a", "b", "d"]
    assert len(features) == 3
    assert "a" in features
    assert "c" not in features
    assert 0 not in features


def test_a_key_gives_its_vector(features):
    assert features["b"].tolist() == [2, 3]


def test_keys_give_their_vectors_in_their_order(features):
    assert features[["d", "a", "d"]].tolist() == [[4, 5], [0, 1], [4, 5]]
    assert features[np.array(["b"])].tolist() == [[2, 3]]
    assert features[[]].shape == (0, 2)


def test_a_map_keeps_its_shape(tmp_path):
    row = Row("a", 1, 1, vectors={"map": np.arange(8, dtype=np.float32).reshape(2, 2, 2)})
    with TableWriter.open_or_create(tmp_path / "m.lance", {"map": (2, 2, 2)}, {}) as table:
        table.append([row])
    features = penult.open(tmp_path / "m.lance")
    assert features["a"].shape == (2, 2, 2)
    assert features[["a"]].shape == np.asarray(features).shape == (1, 2, 2, 2)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("aa", "t.lance' has no image 'aa', such as a"),
        ("c", "'c' has no features: empty: zero bytes"),
    ],
)
def test_a_missing_key_is_a_key_error_of_one_line(features, key, message):
    with pytest.raises(penult.MissingKeyError) as caught:
        features[key]
    assert isinstance(caught.value, KeyError)
    assert message in str(caught.value)
    with pytest.raises(penult.MissingKeyError):
        features[["a", key]]


@pytest.mark.parametrize("places", [0, slice(2), None, np.int64(1), [0], [True, False, True]])
def test_rows_have_no_numbers(features, places):
    with pytest.raises(penult.UsageError, match="named by keys"):
        features[places]


def test_a_notebook_shows_pictures(photos, tmp_path):
    shutil.copy2(photos / "hens.jpg", tmp_path / "<b>.jpg")
    shutil.copy2(photos / "macaw.png", tmp_path)
    features = penult.extract(tmp_path, out=tmp_path / "t.lance")
    (tmp_path / "macaw.png").unlink()
    html = features._repr_html_()
    assert html.count("data:image/jpeg;base64,") == 1
    assert html.count("no picture") == 1
    assert "<b>.jpg" not in html
    assert "&lt;b&gt;.jpg" in html
