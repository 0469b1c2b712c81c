"""How a model lives: closed, in threads, in forked children."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import penult
from penult.errors import UsageError


def test_a_closed_model_is_refused(photos):
    with penult.load_model() as model:
        model.logits([photos / "hens.jpg"])
    with pytest.raises(UsageError, match="this efficientnet_lite0 is closed: load it again"):
        model.features([photos / "hens.jpg"])
    with pytest.raises(UsageError, match="is closed"):
        model.logits([photos / "hens.jpg"])


def test_threads_may_share_it(model, photos):
    images = [photos / name for name in ("hens.jpg", "koala.jpg", "rocket.jpg", "tripod.jpg")]
    expected = model.features(images)
    with ThreadPoolExecutor(6) as threads:
        for features in threads.map(model.features, [images] * 12):
            np.testing.assert_array_equal(features, expected)


@pytest.mark.filterwarnings("ignore:lance is not fork-safe")  # it says so, whoever forks
def test_a_forked_child_makes_the_same_features(photos, children):
    model = penult.load_model()
    expected = model.features([photos / "hens.jpg"])
    child = os.fork()
    if child == 0:
        try:
            same = np.array_equal(model.features([photos / "hens.jpg"]), expected)
            os._exit(0 if same else 2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    np.testing.assert_array_equal(model.features([photos / "hens.jpg"]), expected)


def test_models_share_decoders(photos, children):
    for layer in ("block_1", "block_2", "block_3"):
        penult.load_model(layer=layer, pool="none").features([photos / "hens.jpg"])
    assert len(children()) == 1


def test_a_relative_path_is_of_the_current_folder(model, photos, tmp_path, monkeypatch):
    expected = model.features([photos / "hens.jpg"])
    monkeypatch.chdir(photos)
    np.testing.assert_array_equal(model.features(["hens.jpg"]), expected)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(penult.ImageError, match="No such file"):
        model.features(["hens.jpg"])
