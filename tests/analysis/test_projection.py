"""Maps of digits, of made-up groups and of tables that leave little to map."""

import re

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

import penult
from penult.analysis import projection
from penult.errors import MissingExtraError, UsageError

DIGITS = 500


@pytest.fixture(scope="module")
def digits():
    data, labels = load_digits(return_X_y=True)
    return {f"{i:04}.png": row for i, row in enumerate(data[:DIGITS])}, labels[:DIGITS]


def accuracy(places, labels):
    """How often an image's five neighbours on the map have its label."""
    return cross_val_score(KNeighborsClassifier(5), places, labels, cv=3).mean()


def test_neighbours_on_the_map_have_the_same_label(make_table, digits):
    vectors, labels = digits
    features = make_table(vectors)
    near = accuracy(features.map().places, labels)
    assert near > 0.85
    assert near > accuracy(features.map(method="pca").places, labels) + 0.2


@pytest.mark.parametrize("limit", [10_000, 60])
def test_a_map_is_the_same_each_time(make_table, digits, monkeypatch, limit):
    monkeypatch.setattr(projection, "LAID_OUT", limit)
    monkeypatch.setattr(projection, "STEPS", (50, 50))
    vectors = dict(list(digits[0].items())[:100])
    first = make_table(vectors).map().places
    other = make_table(dict(reversed(vectors.items())), "other.lance").map().places
    np.testing.assert_array_equal(first, other)


def test_rows_outside_the_sample_are_placed_among_it(make_table, digits, monkeypatch):
    monkeypatch.setattr(projection, "LAID_OUT", 400)
    vectors, labels = digits
    found = make_table(vectors).map()
    assert found.laid_out == 400
    assert accuracy(found.places, labels) > 0.8


def test_places_are_stored_and_fill_a_square(make_table):
    features = make_table({f"{i}.jpg": [i, 5 - i, 1] for i in range(6)})
    found = features.map(store=True)
    assert features.columns == {"x": "float", "y": "float"}
    stored = penult.open(features.path).facts(["x", "y"])
    np.testing.assert_array_equal(np.stack([stored["x"], stored["y"]], axis=1), found.places)
    assert np.abs(found.places).max() == pytest.approx(1)


def test_places_need_not_be_stored_or_have_names_of_ones_own(make_table):
    features = make_table({f"{i}.jpg": [i, 1] for i in range(3)})
    penult.map(features.path)
    assert penult.open(features.path).columns == {}
    with pytest.raises(UsageError, match="columns says where to store: give store=True too"):
        features.map(columns=("across", "up"))
    penult.map(features.path, store=True, columns=("across", "up"))
    assert penult.open(features.path).columns == {"across": "float", "up": "float"}


def test_names_that_places_cannot_have_are_refused_before_they_are_found(make_table, monkeypatch):
    features = make_table({f"{i}.jpg": [i, 1] for i in range(3)})
    monkeypatch.setattr(projection, "_reduce", None)
    with pytest.raises(UsageError, match="'Up' can't be a column's name"):
        features.map(store=True, columns=("across", "Up"))


@pytest.mark.parametrize("count", [3, 9, 10, 12])
@pytest.mark.parametrize("width", [1, 4])
def test_few_images_have_a_map(make_table, count, width):
    chance = np.random.default_rng(0)
    found = make_table({f"{i:02}.jpg": chance.normal(size=width) for i in range(count)}).map()
    assert found.method == ("pca" if count < 10 else "tsne")
    assert found.places.shape == (count, 2)
    assert np.isfinite(found.places).all()


@pytest.mark.parametrize("method", ["tsne", "pca"])
@pytest.mark.parametrize("vector", [[1, 2, 3], [0, 0, 0]])
def test_images_that_are_all_the_same_have_a_map(make_table, method, vector):
    found = make_table({f"{i:02}.jpg": vector for i in range(20)}).map(method=method)
    assert np.isfinite(found.places).all()


def test_progress_is_told(make_table, monkeypatch):
    monkeypatch.setattr(projection, "STEPS", (25, 50))
    told = []
    vectors = {f"{i:02}.jpg": [i, 1, 2] for i in range(12)}
    make_table(vectors).map(progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 75), (25, 75), (50, 75), (75, 75)]


def test_a_method_that_is_none(make_table):
    with pytest.raises(UsageError, match=re.escape("method must be one of tsne, pca, not 'umap'")):
        make_table({"a.jpg": [1, 2]}).map(method="umap")


def test_too_few_images(make_table):
    with pytest.raises(UsageError, match=r"t\.lance' has 2 rows: a map needs 3"):
        make_table({"a.jpg": [1, 2], "b.jpg": [2, 1]}).map()


def test_a_missing_package_is_named(make_table, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openTSNE", None)
    features = make_table({f"{i:02}.jpg": [i, 1] for i in range(12)})
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'penult[analysis]'")):
        features.map()
