"""The weights in PyTorch's layout, made in PyTorch's environment before anything is timed.

    python torch_weights.py CACHE

TF-Slim's ResNet V1 and VGG become state dicts for torchvision's modules. torchvision's own
ResNet-50 gets seeded random weights, as its `weights=None` draws them, where it looks for
downloaded ones, and as ONNX up to the pooled features, with the description of its preprocessing
that fastembed reads.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from runpy import run_path

import numpy as np
import torch
import torchvision_on_cpu  # noqa: F401 - before torchvision
from torchvision import models

HERE = Path(__file__).parent
weight = run_path(str(HERE.parents[1] / "tests/reference/weights_by_name.py"))["weight"]
DOWNLOADED = ("resnet50-0676ba61.pth", "resnet50-11ad3fa6.pth")  # IMAGENET1K_V1 and _V2
PREPROCESSING = {
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True,
    "size": {"shortest_edge": 256},
    "resample": 2,  # bilinear
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}
BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def resnet_variable(key: str) -> str:
    """TF-Slim's name of an entry in torchvision's state dict."""
    *scope, kind = key.split(".")
    if scope[0] == "fc":
        return f"resnet_v1_50/logits/{'weights' if kind == 'weight' else 'biases'}"
    layer = re.sub(r"(bn|conv)(?=\d)", "conv", scope[-1])
    if len(scope) > 1:
        stage, unit = scope[0].removeprefix("layer"), int(scope[1]) + 1
        layer = "shortcut" if scope[2] == "downsample" else layer
        layer = f"block{stage}/unit_{unit}/bottleneck_v1/{layer}"
    is_norm = scope[-1].startswith("bn") or scope[-2:] == ["downsample", "1"]
    return f"resnet_v1_50/{layer}/{f'BatchNorm/{BATCH_NORM[kind]}' if is_norm else 'weights'}"


def vgg_variable(key: str) -> str:
    """TF-Slim's name of an entry in torchvision's state dict."""
    part, index, kind = key.split(".")
    if part == "classifier":
        layer = f"fc{6 + int(index) // 3}"
    else:
        ends = np.cumsum([5, 5, 7, 7, 7])  # layers of each stage: convolutions, ReLUs, pooling
        stage = int(np.searchsorted(ends, int(index), side="right"))
        first = ends[stage - 1] if stage else 0
        layer = f"conv{stage + 1}/conv{stage + 1}_{(int(index) - first) // 2 + 1}"
    return f"vgg_16/{layer}/{'weights' if kind == 'weight' else 'biases'}"


def in_torch_layout(variable: str, like: torch.Tensor) -> torch.Tensor:
    """Draw a stand-in weight in TensorFlow's layout and turn it into PyTorch's."""
    shape = tuple(like.shape)
    if len(shape) == 4:
        height_width_first = weight(variable, (*shape[2:], shape[1], shape[0]))
        return torch.from_numpy(height_width_first.transpose(3, 2, 0, 1).copy())
    if len(shape) == 2:  # dense here, a convolution of the whole map there
        side = 7 if variable.endswith("fc6/weights") else 1
        kernel = weight(variable, (side, side, shape[1] // side**2, shape[0]))
        return torch.from_numpy(kernel.transpose(3, 2, 0, 1).reshape(shape).copy())
    return torch.from_numpy(weight(variable, shape))


def convert(net: torch.nn.Module, name_of: Callable[[str], str]) -> dict[str, torch.Tensor]:
    """Make a state dict from the stand-in weights."""
    return {
        key: tensor
        if key.endswith("num_batches_tracked")
        else in_torch_layout(name_of(key), tensor)
        for key, tensor in net.state_dict().items()
    }


def random_resnet(folder: Path) -> None:
    """Write torchvision's ResNet-50 with random weights, as a state dict and as ONNX."""
    torch.manual_seed(0)
    net = models.resnet50(weights=None).eval()
    downloads = folder / "hub/checkpoints"
    downloads.mkdir(parents=True, exist_ok=True)
    for name in DOWNLOADED:
        torch.save(net.state_dict(), downloads / name)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSING), encoding="utf-8")
    net.fc = torch.nn.Identity()
    torch.onnx.export(
        net,
        torch.zeros(1, 3, 224, 224),
        str(folder / "model.onnx"),
        input_names=["input"],
        output_names=["features"],
        dynamic_axes={"input": {0: "batch"}, "features": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


def main(cache: Path) -> None:
    """Write all files that aren't there."""
    for network, net, name_of in (
        ("resnet_v1_50", models.resnet50, resnet_variable),
        ("vgg_16", models.vgg16, vgg_variable),
    ):
        file = cache / f"weights/{network}/{network}.pth"
        if not file.exists():
            torch.save(convert(net(weights=None), name_of), file)
    folder = cache / "weights/resnet50"
    if not (folder / "model.onnx").exists():
        random_resnet(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
