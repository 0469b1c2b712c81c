"""Make preprocess/torchvision.npz: two photos through torchvision's own preprocessing.

Needs packages that Penult and its tests do not: torch and torchvision. The input before
normalisation is made of 8-bit levels, so these are stored, which is small and loses nothing; the
normalised values of every 37th row and column are stored beside them, as torch computed them. Run
from the repository's root:

    python tests/reference/make_preprocess_torchvision.py
"""

from pathlib import Path

import numpy as np
from PIL import Image
from torchvision.transforms._presets import ImageClassification

HERE = Path(__file__).parent
PHOTOS = ("chelsea", "coffee")
SIZES = {224: 256, 299: 342, 64: 73}  # the first two are torchvision's own
EVERY = {224: 3, 299: 5, 64: 1}  # row and column, to keep the file small


def main() -> None:
    stored = {}
    for photo in PHOTOS:
        with Image.open(HERE / "images" / f"{photo}.jpg") as image:
            rgb = image.convert("RGB")
        for turned, upright in (("", rgb), ("_turned", rgb.transpose(Image.Transpose.ROTATE_90))):
            for size, shorter in SIZES.items():
                prepare = ImageClassification(crop_size=size, resize_size=shorter)
                x = prepare(upright).permute(1, 2, 0).numpy()
                levels = np.rint((x * prepare.std + prepare.mean) * 255).astype(np.uint8)
                name = f"{photo}{turned}_{size}"
                stored[f"{name}_levels"] = levels[:: EVERY[size], :: EVERY[size]]
                stored[f"{name}_values"] = x[::37, ::37]
    np.savez_compressed(HERE / "preprocess" / "torchvision.npz", **stored)


if __name__ == "__main__":
    main()
