"""Networks loaded by a name of the hub."""

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
from tiny import CLIP, SIGLIP, folder, tensors, text_tensors, timm_config
from typer.testing import CliRunner

import penult
import tiny_clip
from penult.cli import app
from penult.hub import download
from penult.model.text import TextModel, load_text

from .conftest import LICENCE, info

pytestmark = LICENCE
PIECES = Path(__file__).parents[1] / "text/sentencepiece/siglip.model.gz"
PHOTO = "examples/photos/cat_chelsea.jpg"


def test_a_network_of_a_hub_by_its_name(hub, tmp_path):
    files = tmp_path / "files"
    folder(files, tensors(), config=timm_config())
    content = {each.name: each.read_bytes() for each in files.iterdir()}
    commit = hub.publish("timm/vit_tiny.one", content)
    with penult.load_model("timm/vit_tiny.one") as model:
        assert (model.network.name, model.recipe.revision) == ("timm/vit_tiny.one", commit)
        expected = model.features([PHOTO])
    hub.publish("timm/vit_tiny.one", content | {"model.safetensors": b"else"})
    with penult.load_model(f"timm/vit_tiny.one@{commit}") as model:
        np.testing.assert_array_equal(model.features([PHOTO]), expected)


def test_a_command_asks_once(hub, tmp_path):
    files = tmp_path / "files"
    folder(files, tensors(), config=timm_config())
    hub.publish("timm/vit_tiny.one", {each.name: each.read_bytes() for each in files.iterdir()})
    command = ["extract", PHOTO, "-m", "timm/vit_tiny.one", "-o", str(tmp_path / "t.lance")]
    for asked in (5, 6):  # with two of each of two files, and what the branch is once more
        assert CliRunner().invoke(app, command).exit_code == 0
        assert len(hub.asked) == asked
        download._kept.clear()  # as of another process
    assert hub.asked[-1] == info(name="timm/vit_tiny.one")


def test_what_text_needs_is_fetched_when_text_is_used(hub, tmp_path):
    files = tmp_path / "files"
    settings = {"model_cfg": {"vision_cfg": {"image_size": 32}, "text_cfg": {"proj_bias": True}}}
    settings["model_cfg"]["text_cfg"] |= {"no_causal_mask": True, "pool_type": "last"}
    weights = tensors(**CLIP) | text_tensors(bias=-10.0, **SIGLIP)
    folder(files, weights, open_clip_config=settings)
    content = {each.name: each.read_bytes() for each in files.iterdir()}
    content["spiece.model"] = gzip.decompress(PIECES.read_bytes())
    commit = hub.publish("timm/tiny-SigLIP", content)
    with penult.load_model("timm/tiny-SigLIP") as model:
        assert not [each for each in hub.asked if "spiece" in each]
        recipe = model.recipe
        expected = model.embed_text(["a cat"])
    assert [each for each in hub.asked if f"{commit}/spiece.model" in each]
    recipe = replace(recipe, weights=recipe.weights.resolve())  # as tables have it
    hub.asked.clear()
    np.testing.assert_array_equal(load_text(recipe).embed_text(["a cat"]), expected)
    assert hub.asked == []
    alone = load_text("timm/tiny-SigLIP")
    np.testing.assert_array_equal(alone.embed_text(["a cat"]), expected)


def test_a_table_of_a_hubs_network_is_searched_by_words(hub, tmp_path, monkeypatch):
    config = {"model_cfg": {"vision_cfg": {"image_size": 32}, "text_cfg": {}}}
    weights = tiny_clip.write(tmp_path / "clip.safetensors").read_bytes()
    files = {"open_clip_config.json": config, "open_clip_model.safetensors": weights}
    hub.publish("me/tiny-clip", files)
    table = penult.extract(PHOTO, "me/tiny-clip", out=tmp_path / "t.lance")
    hub.asked.clear()
    monkeypatch.setattr(TextModel, "digest", None)  # not needed: the file is as it was
    assert len(table.search(text="two cats")) == 1
    assert hub.asked == []
