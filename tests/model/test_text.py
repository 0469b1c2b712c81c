"""Texts to features with tiny towers; numbers are compared in tests/nets/test_text.py."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from modern import write_safetensors
from tiny import CLIP, SIGLIP, folder, tensors, text_tensors

import penult
from penult.errors import CheckpointError, MissingExtraError, NetworkError, UsageError
from penult.model.text import load_text
from penult.text.tokenizer import MAX_LENGTH, MAX_TEXTS

SETTINGS = {
    "open_clip_config": {
        "model_cfg": {
            "vision_cfg": {"image_size": 32, "heads": 1},
            "text_cfg": {"context_length": 77, "vocab_size": 49_408, "width": 64, "heads": 1},
        }
    }
}
TEXTS = ["a cat", "a photo of a cat on a mat", "two dogs", "a cat"]
SENTENCEPIECE = Path(__file__).parents[1] / "text/sentencepiece/siglip.model.gz"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A repository of a tiny CLIP."""
    path = tmp_path_factory.mktemp("clip") / "r"
    return folder(path, tensors(**CLIP) | text_tensors(), **SETTINGS)


@pytest.fixture(scope="module")
def model(clip):
    with penult.load_model(str(clip)) as loaded:
        yield loaded


def siglip(path):
    folder(path, text_tensors(bias=-10.0, **SIGLIP))
    (path / "spiece.model").write_bytes(gzip.decompress(SENTENCEPIECE.read_bytes()))
    return load_text(path)


def test_a_model_embeds_texts(model):
    found = model.embed_text(TEXTS)
    assert (found.shape, found.dtype) == ((4, 8), np.float32)
    assert model.text.width == model.outputs["image_features"][0]
    assert (found[0] == found[3]).all()
    assert not np.allclose(found[0], found[2], atol=1e-3)


def test_a_text_has_the_same_bits_alone_and_among_others(model):
    texts = [f"{'very ' * (i % 5)}good cat {i}" for i in range(300)]
    together = model.embed_text(texts)
    for index in (0, 7, 150, 299):
        assert (model.embed_text([texts[index]])[0] == together[index]).all()


def test_the_tower_alone_gives_the_same(clip, model):
    expected = model.embed_text(TEXTS)
    for source in (clip, clip / "open_clip_model.safetensors", model.recipe):
        assert (load_text(source).embed_text(TEXTS) == expected).all()


def test_a_file_without_an_image_tower_will_do(tmp_path, model):
    file = write_safetensors(tmp_path / "text.safetensors", text_tensors())
    tower = load_text(file, model="open_clip/clip-gelu")
    assert (tower.embed_text(TEXTS) == model.embed_text(TEXTS)).all()


def test_the_image_tower_tells_the_activation_of_a_file_alone(tmp_path):
    weights = tensors(**CLIP) | text_tensors()
    file = write_safetensors(tmp_path / "clip.safetensors", weights)
    found = []
    for name in ("open_clip/clip-gelu", "open_clip/clip-quickgelu"):
        with pytest.warns(UserWarning, match="nothing says how its input is made"):
            loaded = penult.load_model(name, weights=file)
        found.append(loaded.embed_text(TEXTS))
    assert not np.allclose(*found, rtol=1e-3)
    with pytest.raises(UsageError, match="say whose they are"):
        load_text(file)


def test_a_prefix_before_all_tensors(tmp_path, model):
    weights = {f"module.{name}": array for name, array in text_tensors().items()}
    file = write_safetensors(tmp_path / "text.safetensors", weights)
    tower = load_text(file, model="open_clip/clip-gelu")
    assert (tower.embed_text(TEXTS) == model.embed_text(TEXTS)).all()
    assert tower.logit_scale == pytest.approx(np.exp(2))


def test_templates_are_averaged_as_directions(model):
    templates = ["a photo of a {}.", "art of a {}"]
    found = model.embed_text(["cat", "dog"], templates=templates)
    parts = [model.embed_text([t.replace("{}", w) for w in ("cat", "dog")]) for t in templates]
    mean = sum(part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts)
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean, axis=1, keepdims=True), rtol=1e-5)


def test_scale_and_bias_are_read(model, tmp_path):
    assert model.text.logit_scale == pytest.approx(np.exp(2))
    assert model.text.logit_bias is None
    assert siglip(tmp_path / "r").logit_bias == -10


def test_siglip_sees_what_fills_up_a_text(tmp_path):
    tower = siglip(tmp_path / "r")
    (ids,) = tower.tokenizer.ids(["a cat"])
    filled = tower.embed_ids([[*ids, *[1] * (64 - len(ids))]])
    assert (tower.embed_text(["a cat"]) == filled).all()
    other = tower.embed_ids([[*ids, *[0] * (64 - len(ids))]])
    assert not np.allclose(filled, other, rtol=1e-3)


def test_a_closed_model_embeds_nothing(clip):
    loaded = penult.load_model(str(clip))
    loaded.embed_text(["a cat"])
    loaded.close()
    with pytest.raises(UsageError, match="is closed"):
        loaded.embed_text(["a cat"])


def test_no_text_is_no_features(model):
    assert model.embed_text([]).shape == (0, 8)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ("a cat", "put a single one in a list"),
        (["a cat", " \n"], "text 1 is empty"),
        (["x" * 10_000_000], f"10,000,000 characters, {MAX_LENGTH:,} at most"),
        (["a\0b"], "a NUL character"),
        (["a\ud800"], "half a surrogate pair"),
        ([b"a cat"], "no str"),
        ([7], "is '7', no str"),
        (["a"] * 1_000_000, f"1,000,000 texts are too many: {MAX_TEXTS:,}"),
    ],
)
def test_texts_that_are_none_are_refused_in_one_line(model, texts, said):
    with pytest.raises(UsageError, match=said) as caught:
        model.embed_text(texts)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("templates", [[], "a {}", ["no place"], [7]])
def test_templates_without_a_place_are_refused(model, templates):
    with pytest.raises(UsageError, match="template"):
        model.embed_text(["cat"], templates=templates)


def test_a_long_text_is_cut_as_open_clip_does(model):
    whole = model.embed_text(["cat " * 75])
    assert (model.embed_text(["cat " * 500]) == whole).all()


@pytest.mark.parametrize("name", ["efficientnet_lite0", "vgg_16"])
def test_a_network_without_a_tower_names_some_that_have_one(name):
    with pytest.raises(NetworkError, match=f"'{name}' has no text tower; some that have are clip"):
        load_text(name)


def test_a_model_without_a_tower_says_so(tmp_path):
    with penult.load_model() as loaded, pytest.raises(NetworkError, match="has no text tower"):
        loaded.embed_text(["a cat"])
    file = loaded.write_onnx(tmp_path / "x.onnx")
    with pytest.raises(NetworkError, match="has no text tower"):
        load_text(file)


def test_what_is_lacking_is_named(tmp_path):
    weights = text_tensors()
    del weights["ln_final.bias"], weights["logit_scale"]
    tower = load_text(
        write_safetensors(tmp_path / "x.safetensors", weights), model="open_clip/clip-gelu"
    )
    with pytest.raises(NetworkError, match=r"ln_final\.bias is missing"):
        tower.embed_text(["a cat"])
    with pytest.raises(NetworkError, match="lacks logit_scale"):
        _ = tower.logit_scale


def test_ids_beyond_the_vocabulary_are_refused(tmp_path):
    with pytest.raises(UsageError, match="text 0 has ids beyond 0 to 299"):
        siglip(tmp_path / "r").embed_ids([[400] * 64])


def test_a_vocabulary_of_another_size_is_refused(tmp_path):
    siglip(tmp_path / "r")
    write_safetensors(
        tmp_path / "r/model.safetensors", text_tensors(**SIGLIP | {"vocabulary": 400})
    )
    with pytest.raises(CheckpointError, match=r"300 ids, the text tower's has 400"):
        load_text(tmp_path / "r").embed_text(["a cat"])


@pytest.mark.parametrize("package", ["tokenizers", "ftfy"])
def test_a_missing_package_is_an_extra(clip, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'penult\[text\]'"):
        load_text(clip).embed_text(["a cat"])
