"""A recipe says all that made features, and makes their model again."""

import inspect
import pickle
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import penult
from penult.cli.options import DECLARED
from penult.engine.devices import DEVICES, DeviceName
from penult.errors import StoreError, UsageError
from penult.images import Limits
from penult.images.geometry import Squash
from penult.images.preprocess import Scaled, Transform, inception
from penult.model.model import rebuild
from penult.model.recipe import ModelOptions, Recipe

FILE = Path("t.lance")


@pytest.fixture(scope="module")
def recipe():
    return penult.load_model(layer=["block_3", "head"], pool="max", decode="fast").recipe


def stored(recipe):
    return recipe.provenance | recipe.notes


def test_what_was_stored_is_read_back(recipe):
    assert Recipe.read(recipe.layers, stored(recipe), FILE) == recipe


def test_its_model_makes_the_same_features(recipe, photos):
    images = [photos / "cat_kitten.jpg", photos / "hens.jpg"]
    first = penult.load_model(layer=["block_3", "head"], pool="max", decode="fast")
    again = rebuild(Recipe.read(recipe.layers, stored(recipe), FILE), FILE)
    for layer in ("block_3", "head"):
        assert np.array_equal(again.features(images, layer), first.features(images, layer))


def test_a_model_is_sent_by_its_recipe(photos):
    model = penult.load_model(layer="block_3", max_pixels=10**6)
    sent = pickle.loads(pickle.dumps(model))
    assert sent.recipe == model.recipe
    assert sent.limits == Limits(pixels=10**6)
    images = [photos / "cat_kitten.jpg"]
    assert np.array_equal(sent.features(images), model.features(images))


@pytest.mark.parametrize("name", Recipe.__slots__)
def test_a_fact_that_is_missing_is_named(recipe, name):
    name = {"weights": "weights_path", "preprocessing": "transform"}.get(name, name)
    if name in {"layers", "limits", "note"}:
        return
    facts = {key: value for key, value in stored(recipe).items() if key != name}
    with pytest.raises(StoreError, match=rf"'t.lance' doesn't say its {name}: make it again"):
        Recipe.read(recipe.layers, facts, FILE)


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("size", "224"),
        ("size", True),
        ("ema", 0),
        ("exact", None),
        ("pool", 3),
        ("weights_path", {}),
    ],
)
def test_a_fact_of_another_type_is_named(recipe, fact, value):
    with pytest.raises(StoreError, match=rf"'t.lance' doesn't say its {fact}: make it again"):
        Recipe.read(recipe.layers, stored(recipe) | {fact: value}, FILE)


def test_a_choice_that_there_is_not_is_refused(recipe):
    with pytest.raises(StoreError, match=r"pool must be avg, .* or cls\+avg, not 'min': "):
        Recipe.read(recipe.layers, stored(recipe) | {"pool": "min"}, FILE)


def test_a_preprocessing_of_another_size_is_refused(recipe):
    with pytest.raises(UsageError, match="makes images of 299 pixels, the network takes 224"):
        replace(recipe, preprocessing=inception(299))


WORDS = "resize 256 bicubic, crop 224, mean 0.48 0.46 0.41, std 0.27 0.26 0.28"


@pytest.mark.parametrize("size", [None, 192])
def test_a_preprocessing_may_be_a_librarys_file(size, tmp_path):
    file = tmp_path / "preprocessor_config.json"
    file.write_text('{"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}}')
    for asked in (file, str(file)):
        made = penult.load_model(preprocess=asked, size=size).recipe.preprocessing
        assert str(made.geometry) == (
            "resize 219 bicubic, crop 192 floor" if size else "resize 256 bicubic, crop 224 floor"
        )


def test_a_preprocessing_may_be_said_in_words():
    recipe = penult.load_model(preprocess=WORDS).recipe
    stored_text = recipe.provenance["preprocessing"]
    assert stored_text == WORDS.replace("mean", "scale 1/255, mean")
    assert penult.load_model(preprocess=stored_text).recipe == recipe
    assert penult.load_model(preprocess=recipe.preprocessing).recipe == recipe


def test_words_of_another_size_say_what_to_do():
    with pytest.raises(UsageError, match=r"of 32 pixels, the network takes 224: .* \(--size\)"):
        penult.load_model(preprocess="squash 32 box")
    assert penult.load_model(preprocess="squash 32 box", size=32).recipe.size == 32


def test_a_preprocessing_may_be_said_as_a_value():
    transform = Transform(Squash(224, "bicubic"), Scaled(255, 0.5, 0.25))
    recipe = penult.load_model(preprocess=transform).recipe
    assert Recipe.read(recipe.layers, stored(recipe), FILE).preprocessing == transform
    assert recipe.preprocess == "custom"


def test_the_engine_is_part_of_it(recipe):
    assert (recipe.engine, recipe.device, recipe.precision) == ("onnxruntime", "cpu", "float32")


def test_where_things_are_makes_no_other_recipe(recipe):
    moved = replace(recipe, weights=Path("/elsewhere/w.pth"), limits=Limits(pixels=1))
    assert moved == recipe
    assert recipe.differences(moved) == []


def test_differences_are_told(recipe):
    other = replace(recipe, pool="avg", layers={"block_3": (40,)})
    assert recipe.differences(other) == [
        "pool is 'max', asked was 'avg'",
        "layers is 'block_3 40, head 1000', asked was 'block_3 40'",
    ]


def test_it_prints_as_one_line(recipe):
    line = str(recipe)
    assert line.startswith("layers block_3 40, head 1000, network efficientnet_lite0, ")
    assert "\n" not in line


def test_options_are_the_same_everywhere():
    names = [*ModelOptions.__annotations__]
    assert [*DECLARED] == names
    for function in (penult.load_model, penult.extract):
        shown = inspect.signature(function).parameters
        assert [name for name in shown if name in names] == names
        for name in names:
            assert shown[name].default == DECLARED[name].default


def test_devices_are_the_same_everywhere():
    choices, _ = get_args(DECLARED["device"].annotation)
    assert [*get_args(choices)] == [*get_args(DeviceName)] == [*DEVICES]


def test_an_unknown_device_is_refused_before_weights_are_looked_for():
    with pytest.raises(UsageError, match=r"device must be cpu, .* or webgpu, not 'tpu'"):
        penult.load_model(weights="nowhere.pth", device="tpu")


def test_an_unknown_option_is_refused():
    message = r"^load_model\(\) got an unexpected keyword argument 'poool', did you mean 'pool'\?$"
    with pytest.raises(TypeError, match=message):
        penult.load_model(poool="avg")
    with pytest.raises(TypeError, match="unexpected keyword argument 'layer'"):
        penult.classify("photos", layer="stem")


def test_a_value_that_cannot_be_is_refused():
    with pytest.raises(UsageError, match="decode must be exact or fast, not 'slow'"):
        penult.load_model(decode="slow")
