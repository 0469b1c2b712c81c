"""A model on an engine whose answers can be computed by hand."""

import time
from threading import Lock

import numpy as np
import pytest

import penult
from penult.engine import Cut
from penult.errors import NetworkError, UsageError
from penult.model.recipe import Recipe

IMAGES = [np.full((9, 9, 3), colour, np.uint8) for colour in range(40)]


class Means:
    """Fills each layer with the mean colour; takes a call at a time, of three images at most."""

    def __init__(self, cut: Cut) -> None:
        self.batch, self.calls = 3, 1
        self.description = {"engine": "means", "device": "paper", "precision": "exact"}
        self.outputs = cut.outputs
        self.images: list[int] = []
        self._running = Lock()

    def wait(self) -> None:
        pass

    def run(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        assert self._running.acquire(blocking=False)
        time.sleep(0.005)
        self.images.append(len(inputs))
        self._running.release()
        means = inputs.mean((1, 2, 3))
        return {name: np.outer(means, np.ones(shape)) for name, shape in self.outputs.items()}


@pytest.fixture
def means(model):
    return penult.Model(model.network, Recipe.of(model.network, preprocess="raw"), Means)


def test_features_are_what_the_engine_makes_of_the_inputs(means):
    features = means.features(IMAGES)
    np.testing.assert_array_equal(features, np.outer(range(40), np.ones(1280)))


def test_the_engine_says_how_many_images_and_calls_it_takes_at_once(means):
    means._pace.images = 12  # as it learns to be
    means.features(IMAGES)
    assert sum(means.engine.images) == len(IMAGES)
    assert max(means.engine.images) == 3


class Many(Means):
    """Takes many images a call, as other devices do."""

    def __init__(self, cut: Cut) -> None:
        super().__init__(cut)
        self.batch = 32


def test_an_engine_for_many_images_gets_many(model):
    many = penult.Model(model.network, Recipe.of(model.network, preprocess="raw"), Many)
    many._decoders = 1
    features = many.features(IMAGES * 5)
    np.testing.assert_array_equal(features[:, 0], [*range(40)] * 5)
    assert max(many.engine.images) == 32


def test_the_classifier_has_an_engine_of_the_same_kind(means):
    np.testing.assert_array_equal(means.logits(IMAGES[7:8]), np.full((1, 1000), 7))


def test_an_engine_that_cannot_be_made_is_refused_with_the_model(model):
    def engine(cut: Cut) -> Means:
        raise NetworkError("no such device")

    with pytest.raises(NetworkError, match="no such device"):
        penult.Model(model.network, engine=engine)


def test_a_model_computes_on_its_recipes_device_or_is_refused(model, missing_device):
    with pytest.raises(NetworkError, match=f"^--device {missing_device}: "):
        penult.Model(model.network, Recipe.of(model.network, device=missing_device))


def test_a_network_that_the_engine_refuses_is_refused_when_it_is_loaded(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no kernel for Conv")

    monkeypatch.setattr("onnxruntime.InferenceSession", refuse)
    with pytest.raises(NetworkError, match="ONNX Runtime can't run it: no kernel for Conv"):
        penult.load_model()


def test_a_model_takes_the_options_of_load_model(model):
    known = r"avg, max, none, cls or cls\+avg"
    with pytest.raises(UsageError, match=f"pool must be {known}, not 'foo'"):
        penult.Model(model.network, pool="foo")
    assert penult.Model(model.network, layer="block_3", pool="max").outputs == {"block_3": (40,)}
    with pytest.raises(UsageError, match="a recipe has its pool"):
        penult.Model(model.network, model.recipe, pool="max")
    with pytest.raises(TypeError, match="weights"):
        penult.Model(model.network, weights="other.pth")
