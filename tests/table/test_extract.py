"""What `extract` calls a table."""

import numpy as np
import pytest

import penult
from penult.table.extract import table_name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("../photos/", "photos.lance"),
        (".", "photos.lance"),
        ("hens.jpg", "hens.lance"),
        ("*.jpg", "features.lance"),
    ],
)
def test_a_table_is_named_after_the_first_source(photos, monkeypatch, source, name):
    monkeypatch.chdir(photos)
    assert str(table_name([source])) == name


def test_the_networks_own_embedding_is_what_a_table_is_searched_by(photos, tmp_path):
    features = penult.extract(
        photos / "hens.jpg", layer=["block_5", "pooled_features"], out=tmp_path / "t.lance"
    )
    assert list(features.layers) == ["pooled_features", "block_5"]
    assert features["hens.jpg"].shape == np.asarray(features).shape[1:] == (1280,)
    again = penult.extract(
        photos / "macaw.png", layer=["block_5", "pooled_features"], out=tmp_path / "t.lance"
    )
    assert again.numpy("block_5").shape == (2, 80)


def test_layers_of_which_none_is_the_networks_own_are_in_the_order_asked_for(photos, tmp_path):
    features = penult.extract(photos / "hens.jpg", layer=["head", "stem"], out=tmp_path / "t.lance")
    assert list(features.layers) == ["head", "stem"]


def test_a_table_of_a_list_has_a_plain_name():
    assert str(table_name([], "-")) == "features.lance"
