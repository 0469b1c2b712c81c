"""Words as queries, beside images and conditions."""

import numpy as np
import pytest

import penult
from fake_words import Words
from penult.analysis import neighbours, words
from penult.errors import ImageError, NetworkError, UsageError

COMPASS = {"east": [2, 0], "north": [0, 1], "north_east": [1, 1], "west": [-1, 0]}
DIRECTIONS = {"right": [3, 0], "up": [0, 5], "left": [-1, 0], "photo": [0, 4]}


def keys(matches):
    return [match.key for match in matches]


@pytest.fixture
def compass(make_table):
    return make_table(COMPASS, layer="image_features", facts={"north": {"width": 1500}})


@pytest.fixture
def tower(monkeypatch):
    tower = Words(DIRECTIONS)
    tower.loaded = []
    monkeypatch.setattr(
        words, "read_tower", lambda table, weights: tower.loaded.append(weights) or tower
    )
    return tower


def test_words_find_what_is_near(compass, tower):
    found = compass.search(text="right", k=2)
    assert keys(found) == ["east", "north_east"]
    assert [match.score for match in found] == [pytest.approx(1), pytest.approx(0.5**0.5)]
    assert found == penult.search(compass, text=["right"], k=2)


def test_texts_count_the_same_whatever_their_length(compass, tower):
    assert compass.search(text=["right", "up"], k=1)[0] == ("north_east", pytest.approx(1))


def test_words_combine_with_images_and_with_what_is_not_wanted(compass, tower):
    assert keys(compass.search("east", k=1, text="up")) == ["north_east"]
    assert keys(compass.search(text="up", not_text="right", k=2)) == ["north", "west"]
    assert keys(compass.search(text="up", exclude="east", k=2)) == ["north", "west"]
    assert keys(compass.search("north_east", not_text="right", k=1)) == ["north"]
    assert tower.asked[1] == ["up", "right"]  # in one call


def test_a_condition_holds_for_words_too(compass, tower):
    assert keys(compass.search(text="right", where="width > 1000")) == ["north"]


def test_words_search_by_an_index(compass, tower, monkeypatch):
    monkeypatch.setattr(neighbours, "EXACT_BELOW", 1)
    monkeypatch.setattr(neighbours, "SAMPLE", 2)
    compass.index()
    found = penult.open(compass.path).search(text="right", not_text="up", k=1)
    assert found[0] == ("east", pytest.approx(0.5**0.5))


def test_templates_are_filled_and_averaged(compass, tower):
    assert keys(compass.search(text="right", k=1, template="{}")) == ["east"]
    assert keys(compass.search(text="right", k=1, template=["photo {}"])) == ["north_east"]
    with pytest.raises(UsageError, match="a template has one"):
        compass.search(text="right", template="a drawing")


def test_the_tower_stays_loaded(compass, tower):
    for _ in range(3):
        compass.search(text="up")
    assert tower.loaded == [None]
    compass.search(text="up", weights="other.safetensors")
    assert tower.loaded == [None, "other.safetensors"]


def test_words_that_cancel_each_other(compass, tower):
    with pytest.raises(UsageError, match="nothing is left to search for"):
        compass.search(text=["right", "left"])


def test_only_what_is_not_wanted(compass, tower):
    with pytest.raises(UsageError, match=r"nothing to search for: give a key.* or a text \(-t\)"):
        compass.search(not_text="up")


@pytest.mark.parametrize("metric", ["dot", "l2"])
def test_words_are_compared_by_cosine(compass, tower, metric):
    with pytest.raises(UsageError, match=f"by cosine, not by {metric}: leave out --metric"):
        compass.search(text="up", metric=metric)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"text": 5}, "text is a text or several, not '5'"),
        ({"text": b"up"}, "text is a text or several, not"),
        ({"text": ["up", None]}, "text is of texts, not of 'None'"),
        ({"text": "up", "not_text": [b"left"]}, "not_text is of texts, not of"),
        ({"text": "up", "template": 5}, "template is a text or several, not '5'"),
    ],
)
def test_what_is_no_text(compass, tower, given, said):
    with pytest.raises(UsageError, match=said):
        compass.search(**given)


def test_a_network_without_words(make_table):
    said = (
        r"t\.lance' has no layer image_features that words are compared with: 'tiny' made it; "
        "extract with one of images and words, such as clip, siglip2"
    )
    with pytest.raises(NetworkError, match=said):
        make_table(COMPASS).search(text="up")


def test_another_layer(make_table, tower):
    table = make_table({"a": [1, 2]}, layer="image_features", more=("pool",))
    assert keys(table.search(text="up", layer="image_features")) == ["a"]
    with pytest.raises(UsageError, match="compared with layer image_features, not 'pool': name it"):
        table.search(text="up", layer="pool")


def test_vectors_of_another_width(compass, monkeypatch):
    tower = Words({"up": [1, 2, 3]})
    monkeypatch.setattr(words, "read_tower", lambda *_: tower)
    with pytest.raises(UsageError, match=r"have 3 values, those of 'image_features' 2: name the"):
        compass.search(text="up")


@pytest.mark.parametrize("query", ["a red bicycle", "bicycle"])
def test_words_in_the_place_of_images_get_a_hint(compass, query):
    with pytest.raises(ImageError, match=r"nor is it a key of .*; words are given as -t \(text=\)"):
        compass.search(query)


def test_a_file_that_is_gone_gets_no_such_hint(compass):
    with pytest.raises(ImageError) as caught:
        compass.search("gone.jpg")
    assert "words" not in str(caught.value)


def test_vectors_of_words_are_those_of_the_tower(compass, tower):
    found = words.text_vectors(compass, "image_features", ["up", "right up"])
    assert np.array_equal(found, [[0, 5], [3, 5]])
