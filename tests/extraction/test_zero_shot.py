"""Classes in words: probabilities as CLIP and SigLIP define them, on stand-ins for both towers."""

from types import SimpleNamespace

import numpy as np
import pytest

import penult
from fake_words import Words
from penult.errors import ImageError, NetworkError, UsageError
from penult.extraction import classification
from penult.extraction.zero_shot import Labels

WORDS = {"cat": [1, 0], "dog": [0, 2], "photo": [3, 3]}
IMAGES = {"cat.jpg": [4, 3], "dog.jpg": [0, 1]}


class Model:
    """Knows the features of its images by their names."""

    network = SimpleNamespace(name="tiny clip")

    def __init__(self, tower, outputs=("image_features",)):
        self.text = tower
        self.outputs = dict.fromkeys(outputs, (2,))

    def stream(self, images):
        for image in images:
            vector = IMAGES.get(image.rpartition("/")[2])
            error = None if vector else ImageError("damaged", "cut")
            vectors = {} if error else {"image_features": np.array(vector, np.float32)}
            yield SimpleNamespace(error=error, vectors=vectors)


@pytest.fixture
def classify(tmp_path, monkeypatch):
    for name in (*IMAGES, "gone.jpg"):
        (tmp_path / name).touch()

    def classify(tower, outputs=("image_features",), **options):
        monkeypatch.setattr(classification, "make_model", lambda *_: Model(tower, outputs))
        return {each.key: each for each in penult.classify(tmp_path, "tiny", **options)}

    return classify


def test_a_softmax_by_the_temperature(classify):
    found = classify(Words(WORDS, logit_scale=2.0), labels="dog,cat", template="{}")
    cat, dog = np.exp(2 * 0.8), np.exp(2 * 0.6)
    (first, p), (second, q) = found["cat.jpg"].classes
    assert (first, second) == ("cat", "dog")
    assert (p, q) == (pytest.approx(cat / (cat + dog)), pytest.approx(dog / (cat + dog)))
    assert found["dog.jpg"].classes[0][0] == "dog"
    assert found["gone.jpg"].error == "damaged: cut"


def test_sigmoids_by_temperature_and_bias(classify):
    tower = Words(WORDS, logit_scale=10.0, logit_bias=-5.0)
    found = classify(tower, labels=["dog", "cat"], template="{}", k=2)
    (_, p), (_, q) = found["cat.jpg"].classes
    assert p == pytest.approx(1 / (1 + np.exp(5 - 8)))
    assert q == pytest.approx(1 / (1 + np.exp(5 - 6)))


def test_templates_stand_around_labels(classify):
    tower = Words(WORDS)
    found = classify(tower, labels="dog,cat", template=["photo {}"], k=1)
    share = 1 / (1 + np.exp(100 * (27 / (5 * 34**0.5) - 1)))  # cosines of (4, 3) and (3, 5)
    assert found["cat.jpg"].classes == (("cat", pytest.approx(share)),)
    vectors = Labels(Words(WORDS), ["cat", "dog"], ["photo {}"])
    assert vectors.probabilities(np.array([1, 0], np.float32))[0] > 0.5


def test_fewer_are_named_than_asked_where_there_are_fewer(classify):
    assert len(classify(Words(WORDS), labels="cat,dog,cat")["cat.jpg"].classes) == 2


def test_one_label_is_refused_where_probabilities_are_shared(classify):
    with pytest.raises(UsageError, match="'cat' alone would get 100% of every image: add another"):
        classify(Words(WORDS), labels=["cat"])
    found = classify(Words(WORDS, 10.0, -5.0), labels=["cat"], template="{}")
    assert found["cat.jpg"].classes[0][1] == pytest.approx(1 / (1 + np.exp(5 - 8)))


def test_extremes_overflow_nothing():
    for bias in (None, -1e4, 1e4):
        labels = Labels(Words(WORDS, 1e4, bias), ["cat", "dog", "nobody knows"], ["{}"])
        for image in ([1, 0], [0, 0], [-1e30, 1e30]):
            found = labels.probabilities(np.array(image, np.float32))
            assert np.isfinite(found).all()


@pytest.mark.parametrize("outputs", [("pool",), ("image_features", "blocks.3")])
def test_a_model_of_another_layer(classify, outputs):
    said = f"tiny clip gives {', '.join(outputs)}, with which no words are compared: take a network"
    with pytest.raises(NetworkError, match=said):
        classify(Words(WORDS), outputs, labels="cat,dog")


def test_labels_that_are_none_are_refused_before_anything_is_loaded(tmp_path):
    (tmp_path / "cat.jpg").touch()
    with pytest.raises(UsageError, match="no such file"):
        penult.classify(tmp_path, "no_such_network", labels="gone.txt")
