"""Networks loaded by a name of the hub."""

import numpy as np
from tiny import folder, tensors, timm_config

import penult

from .conftest import LICENCE

pytestmark = LICENCE
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
