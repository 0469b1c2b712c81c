"""Networks that come as a repository, as folders and from a hub, and files that ask what they are.

The networks are tiny Vision Transformers under the names of each library.
"""

import numpy as np
import pytest
from modern import write_safetensors
from tiny import CLIP, MEANS, OF_TRANSFORMERS, folder, tensors, timm_config

import penult
from penult.errors import NetworkError, UsageError
from penult.extraction.verification import rebuild_model
from penult.nets.design import Card
from penult.store import open_table

PHOTO = "examples/photos/cat_chelsea.jpg"


def test_a_folder_of_timm_says_its_preprocessing(tmp_path):
    path = folder(tmp_path / "r", tensors(), config=timm_config())
    with penult.load_model(str(path)) as model:
        assert model.features([PHOTO]).shape == (1, 64)
        assert str(model.preprocessing).startswith("squash 32 bicubic, scale 1/255, mean 0.1 0.2")
        assert model.network.name == "timm/vit_tiny"
        assert list(model.outputs) == ["pre_logits"]


def test_heads_come_from_the_settings(tmp_path):
    weights = tensors()
    one = folder(tmp_path / "one", weights, config=timm_config())
    config = timm_config(model_args={"num_heads": 4})
    four = folder(tmp_path / "four", weights, config=config)
    vectors = [penult.load_model(str(each)).features([PHOTO]) for each in (one, four)]
    assert not np.allclose(*vectors, atol=1e-4)


def test_the_settings_beside_a_named_file_count(tmp_path):
    path = folder(tmp_path / "r", tensors(), config=timm_config())
    model = penult.load_model(weights=path / "model.safetensors")
    assert model.network.name == "timm/vit_tiny"


def test_a_folder_of_transformers(tmp_path):
    weights = tensors(**OF_TRANSFORMERS)
    config = {"model_type": "vit", "num_attention_heads": 1, "image_size": 32}
    preprocessor = {"feature_extractor_type": "ViTFeatureExtractor", "size": 32}
    path = folder(tmp_path / "r", weights, config=config, preprocessor_config=preprocessor)
    with penult.load_model(weights=path) as model:
        assert str(model.preprocessing).startswith("squash 32 bilinear")
        assert model.network.settings["epsilon"] == 1e-12
        assert model.features([PHOTO]).shape == (1, 64)
    with penult.load_model(weights=path, size=48) as larger:
        assert larger.network.size == larger.preprocessing.size == 48
        assert larger.features([PHOTO]).shape == (1, 64)


@pytest.mark.parametrize(("quick", "activation"), [(True, "quick_gelu"), (None, "gelu")])
def test_a_folder_of_open_clip_says_its_activation(tmp_path, quick, activation):
    model_cfg = {"embed_dim": 8, "vision_cfg": {"image_size": 32, "head_width": 64}}
    model_cfg |= {"quick_gelu": quick} if quick is not None else {}
    said = {"model_cfg": model_cfg, "preprocess_cfg": MEANS}
    path = folder(tmp_path / "r", tensors(**CLIP), open_clip_config=said)
    with penult.load_model(weights=path) as model:
        assert model.network.settings["activation"] == activation
        assert model.features([PHOTO]).shape == (1, 8)


def test_a_clip_alone_asks_for_its_activation(tmp_path):
    file = write_safetensors(tmp_path / "clip.safetensors", tensors(**CLIP))
    with pytest.raises(UsageError, match=r"say whose they are, -m open_clip/clip-quickgelu"):
        penult.load_model(weights=file)
    with pytest.warns(UserWarning, match="nothing says how its input is made; assumed is"):
        model = penult.load_model("open_clip/clip-quickgelu", weights=file)
    assert model.network.settings["activation"] == "quick_gelu"


def test_settings_that_contradict_the_tensors_are_refused(tmp_path):
    weights = tensors(**OF_TRANSFORMERS)
    config = {"model_type": "vit", "num_attention_heads": 1, "image_size": 224}
    path = folder(tmp_path / "r", weights, config=config)
    with pytest.raises(NetworkError, match="say 224 pixels, not 32"):
        penult.load_model(weights=path)


def test_a_network_that_is_not_read_is_named(tmp_path):
    weights = {"swin.embeddings.patch_embeddings.projection.weight": np.zeros((4, 3, 4, 4), "f4")}
    path = folder(tmp_path / "r", weights, config={"model_type": "swin"})
    with pytest.raises(NetworkError, match="is transformers's 'swin', which isn't read"):
        penult.load_model(weights=path)


def test_a_table_remembers_what_the_settings_said(tmp_path):
    path = folder(tmp_path / "r", tensors(), config=timm_config(model_args={"num_heads": 4}))
    with penult.load_model(str(path)) as model:
        penult.extract(["examples/photos"], model, out=tmp_path / "t.lance")
        expected = model.features([PHOTO])
    (path / "config.json").unlink()
    again = rebuild_model(open_table(tmp_path / "t.lance"))
    np.testing.assert_array_equal(again.features([PHOTO]), expected)
    assert again.recipe == model.recipe


def test_tokens_are_kept_or_pooled_without_those_before_the_patches(tmp_path):
    path = folder(tmp_path / "r", tensors(), config=timm_config())

    def features(pool):
        with penult.load_model(str(path), layer="blocks.1", pool=pool) as model:
            return model.features([PHOTO])[0]

    tokens = features("none")
    assert tokens.shape == (5, 64)
    np.testing.assert_allclose(features("cls"), tokens[0], rtol=1e-5)
    np.testing.assert_allclose(features("avg"), tokens[1:].mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(features("max"), tokens[1:].max(axis=0), rtol=1e-5)
    both = np.concatenate([features("cls"), features("avg")])
    np.testing.assert_array_equal(features("cls+avg"), both)


def test_a_converted_network_needs_no_operators_of_onnx_runtime(tmp_path):
    path = folder(tmp_path / "r", tensors(), config=timm_config())
    with penult.load_model(str(path)) as model:
        file = model.write_onnx(tmp_path / "tiny.onnx")
        expected = model.features([PHOTO])
    assert b"com.microsoft" not in file.read_bytes()
    with penult.load_model(weights=file) as again:
        np.testing.assert_allclose(again.features([PHOTO]), expected, rtol=1e-4, atol=1e-6)


def test_a_card_named_wrongly_is_none():
    from penult.nets import card_named

    assert card_named("timm/") is None
    assert card_named("someone/model") is None
    assert card_named("timm/vit_small_patch16_224.augreg") == Card("timm", "vit_small_patch16_224")


def test_vectors_are_divided_by_their_lengths_if_that_is_asked(tmp_path):
    path = folder(tmp_path / "r", tensors(**CLIP), open_clip_config={"model_cfg": {}})
    with (
        penult.load_model(str(path)) as model,
        penult.load_model(str(path), normalize=True) as unit,
    ):
        plain, normal = (each.features([PHOTO])[0] for each in (model, unit))
        assert unit.recipe.normalize
        assert model.recipe != unit.recipe
    np.testing.assert_allclose(normal, plain / np.linalg.norm(plain), rtol=1e-5)
