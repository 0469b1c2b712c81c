"""The transformer of scikit-learn: in pipelines, cloned, pickled."""

import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import penult
from penult.sklearn import Embedder


@pytest.fixture
def files(photos):
    return [str(photos / name) for name in ("cat_chelsea.jpg", "cat_kitten.jpg", "rocket.jpg")]


def test_its_parameters_are_those_of_load_model():
    ours = inspect.signature(Embedder).parameters
    theirs = inspect.signature(penult.load_model).parameters
    assert list(ours) == list(theirs)
    for name, parameter in ours.items():
        assert parameter.default == theirs[name].default, name


def test_it_gives_the_features_of_the_model(files, model):
    embedder = Embedder()
    found = embedder.fit_transform(files)
    np.testing.assert_array_equal(found, model.features(files))
    np.testing.assert_array_equal(Embedder().transform(files), found)
    assert list(embedder.get_feature_names_out()[[0, -1]]) == [
        "pooled_features_0",
        "pooled_features_1279",
    ]


def test_layers_stand_side_by_side(files):
    embedder = Embedder(layer=["stem", "head"], pool="none").fit()
    stem, head = embedder.model_(files[:1]).values()
    found = embedder.transform(files[:1])
    np.testing.assert_array_equal(found[0], np.concatenate([stem.ravel(), head.ravel()]))
    assert len(embedder.get_feature_names_out()) == found.shape[1]


@pytest.mark.parametrize("kind", [np.array, lambda f: np.array(f, object)[:, None], iter])
def test_paths_come_as_lists_arrays_or_columns(files, kind):
    assert Embedder().transform(kind(files)).shape == (3, 1280)


def test_pictures_come_in_lists_and_arrays(files):
    pictures = [Image.open(file) for file in files]
    assert Embedder().transform(pictures).shape == (3, 1280)
    assert Embedder().transform(np.zeros((2, 8, 8, 3), np.uint8)).shape == (2, 1280)


def test_several_columns_are_refused(files):
    with pytest.raises(penult.UsageError, match="a column of images is expected, not '1×3'"):
        Embedder().transform(np.array([files]))


def test_a_pipeline_learns_and_is_searched(files):
    pipeline = make_pipeline(Embedder(), LogisticRegression())
    files, labels = 2 * files, 2 * ["cat", "cat", "rocket"]
    search = GridSearchCV(pipeline, {"embedder__pool": ["avg", "max"]}, cv=2)
    search.fit(files, labels)
    assert search.predict(files).tolist() == labels
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    assert again.predict(files).tolist() == labels


def test_a_clone_has_the_parameters_and_a_pickled_one_the_model(files):
    embedder = Embedder(layer="block_5", pool="max").fit()
    copy = clone(embedder)
    assert copy.get_params() == embedder.get_params()
    assert not hasattr(copy, "model_")
    again = pickle.loads(pickle.dumps(embedder))
    assert again.model_.recipe == embedder.model_.recipe
    np.testing.assert_array_equal(again.transform(files), copy.transform(files))


def test_wrong_parameters_are_told_by_fit():
    with pytest.raises(penult.UsageError, match="pool must be"):
        Embedder(pool="foo").fit()


def test_without_scikit_learn_it_says_what_to_install():
    script = "import sys; sys.modules['sklearn'] = None; import penult.sklearn"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert b"pip install 'penult[analysis]'" in result.stderr
