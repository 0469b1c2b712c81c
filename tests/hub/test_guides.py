"""The commands of the guide on libraries, with tiny networks behind the names."""

import re
import shlex
from pathlib import Path

import pytest
from modern import write_safetensors
from tiny import CLIP, MEANS, OF_TRANSFORMERS, folder, tensors, timm_config
from typer.testing import CliRunner

import penult
from penult.cli import app

from .conftest import LICENCE

pytestmark = [LICENCE, pytest.mark.filterwarnings("ignore:.*nothing says how its input")]
GUIDE = Path("docs/coming-from/libraries.md")


@pytest.fixture
def published(hub, tmp_path, monkeypatch):
    """A hub with tiny networks, and a folder with what the guides name."""
    dinov2 = {"library": "transformers", "dialect": "dinov2", "resampling": "bicubic"}
    heads = {"num_attention_heads": 1, "image_size": 32}
    cut = {"do_center_crop": True, "crop_size": 32, "size": {"shortest_edge": 36}}
    said = {"model_cfg": {"vision_cfg": {"image_size": 32}}, "preprocess_cfg": MEANS}
    repositories = {
        "timm/vit_small_patch14_dinov2.lvd142m": (tensors(), {"config": timm_config()}),
        "facebook/dinov2-small": (
            tensors(**dinov2),
            {
                "config": {"model_type": "dinov2"} | heads,
                "preprocessor_config": {"image_processor_type": "BitImageProcessor"} | cut,
            },
        ),
        "laion/CLIP-ViT-B-32-laion2B-s34B-b79K": (tensors(**CLIP), {"open_clip_config": said}),
    }
    for number, (name, (weights, documents)) in enumerate(repositories.items()):
        files = folder(tmp_path / str(number), weights, **documents)
        hub.publish(name, {each.name: each.read_bytes() for each in files.iterdir()})
    of_torchvision = {"library": "torchvision", "dialect": "torchvision"}
    write_safetensors(tmp_path / "vit_b_16-c867db91.pth", tensors(**of_torchvision))
    write_safetensors(tmp_path / "clip.safetensors", tensors(**CLIP))
    vit = {"model_type": "vit"} | heads
    folder(tmp_path / "my_training", tensors(**OF_TRANSFORMERS), config=vit)
    (tmp_path / "examples").symlink_to(Path("examples").absolute())
    monkeypatch.chdir(tmp_path)


def test_the_commands_of_the_guide_work(published, request):
    guide = (request.config.rootpath / GUIDE).read_text(encoding="utf-8")
    lines = re.findall(r"^\$ penult (.*)$", guide, re.MULTILINE)
    assert len(lines) == 7
    for line in lines:
        result = CliRunner().invoke(app, shlex.split(line), catch_exceptions=False)
        assert result.exit_code == 0, f"{line}: {result.output}"
    for table in Path().glob("*.lance"):
        assert len(penult.open(table)) == 20
