"""Random weights of today's networks, as their libraries draw and publish them.

    python library_weights.py CACHE

torchvision's under the name that says what they are, timm's and OpenCLIP's in folders as a
repository of the hub has them.
"""

import json
import sys
from pathlib import Path

import torch
import torchvision_on_cpu  # noqa: F401 - before torchvision
from torchvision import models


def vit(folder: Path) -> None:
    """ViT-B/16 of torchvision; its head is drawn as zeros."""
    torch.save(models.vit_b_16(weights=None).state_dict(), folder / "vit_b_16-c867db91.pth")


def dinov2(folder: Path) -> None:
    """DINOv2 ViT-S/14 of timm, of 518 pixels; the settings ask for 224."""
    import timm

    net = timm.create_model("vit_small_patch14_dinov2", pretrained=False)
    cfg = {**net.pretrained_cfg, "input_size": (3, 224, 224)}
    said = ("input_size", "interpolation", "crop_pct", "crop_mode", "mean", "std")
    config = {
        "architecture": "vit_small_patch14_dinov2",
        "num_classes": 0,
        "pretrained_cfg": {key: cfg[key] for key in said if cfg.get(key) is not None},
    }
    torch.save(net.state_dict(), folder / "repository/pytorch_model.bin")
    (folder / "repository/config.json").write_text(json.dumps(config), encoding="utf-8")


def clip(folder: Path) -> None:
    """CLIP ViT-B/32 of OpenCLIP, both towers."""
    import open_clip

    net = open_clip.create_model("ViT-B-32-quickgelu", pretrained=None)
    said = {
        "model_cfg": open_clip.get_model_config("ViT-B-32-quickgelu"),
        "preprocess_cfg": {
            "mean": open_clip.OPENAI_DATASET_MEAN,
            "std": open_clip.OPENAI_DATASET_STD,
        },
    }
    torch.save(net.state_dict(), folder / "repository/open_clip_pytorch_model.bin")
    (folder / "repository/open_clip_config.json").write_text(json.dumps(said), encoding="utf-8")


def main(cache: Path) -> None:
    """Write all that isn't there."""
    torch.manual_seed(0)
    for name, write in (("vit_b_16", vit), ("dinov2_small", dinov2), ("clip_vit_b_32", clip)):
        folder = cache / "weights" / name
        if not (folder / "done").exists():
            (folder / "repository").mkdir(parents=True, exist_ok=True)
            write(folder)
            (folder / "done").touch()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
