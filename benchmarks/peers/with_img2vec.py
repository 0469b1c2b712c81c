"""Features with img2vec-pytorch, by the loop of its README: an image at a time.

    python with_img2vec.py NETWORK WEIGHTS FOLDER OUT.npz

It squashes photos to 224×224 and takes torchvision's weights from PyTorch's cache.
"""

import sys
from pathlib import Path

import numpy as np
import torchvision_on_cpu  # noqa: F401 - before whatever imports torchvision
from PIL import Image


def main(_network: str, _weights: str, folder: str, out: str) -> None:
    """Compute the features of a folder's photos."""
    from img2vec_pytorch import Img2Vec

    img2vec = Img2Vec(cuda=False, model="resnet50", layer="default", layer_output_size=2048)
    paths = sorted(Path(folder).iterdir())
    vectors = [img2vec.get_vec(Image.open(path).convert("RGB")) for path in paths]
    np.savez(out, names=[path.name for path in paths], features=vectors)


if __name__ == "__main__":
    main(*sys.argv[1:])
