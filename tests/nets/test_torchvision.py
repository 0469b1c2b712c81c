"""The table of torchvision's weights, and what is done with a name or a file of it."""

from modern import write_safetensors
from tiny import tensors

import penult
from penult.nets import torchvision

OF_TORCHVISION = {"library": "torchvision", "dialect": "torchvision", "resampling": "corners"}
PHOTO = "examples/photos/cat_chelsea.jpg"


def test_the_default_is_the_librarys():
    assert torchvision.find("torchvision/resnet50").tag == "IMAGENET1K_V2"
    assert torchvision.find("torchvision/vit_b_16").tag == "IMAGENET1K_V1"
    assert torchvision.find("torchvision/resnet50.IMAGENET1K_V1").resize == 256
    assert torchvision.find("torchvision/swin_t") is None
    assert torchvision.find("resnet50") is None


def test_every_row_makes_its_preprocessing():
    names = [each.name for each in torchvision.published()]
    assert len(set(names)) == len(names) == 108
    for each in torchvision.published():
        assert each.preprocess().size == each.size
        assert len(each.weights.digest_begins) >= len("sha256:") + 8
    shown = str(torchvision.find("torchvision/resnet50").preprocess())
    assert shown.startswith("resize 232 bilinear, crop 224, scale 1/255, mean 0.485 0.456 0.406")


def test_a_files_name_says_what_it_is(tmp_path):
    row = torchvision.find("torchvision/vit_b_16")
    file = write_safetensors(tmp_path / row.file, tensors(**OF_TORCHVISION))
    with penult.load_model(weights=file) as model:
        assert model.network.name == "torchvision/vit_b_16.IMAGENET1K_V1"
        assert model.preprocessing == row.preprocess()
        assert model.features([PHOTO]).shape == (1, 64)
