"""Features with thingsvision, by the example of its README.

    python with_thingsvision.py NETWORK WEIGHTS FOLDER OUT.npz

It takes torchvision's weights from PyTorch's cache.
"""

import sys
import tempfile

import numpy as np
from thingsvision import get_extractor
from thingsvision.utils.data import DataLoader, ImageDataset


def main(_network: str, _weights: str, folder: str, out: str) -> None:
    """Compute the features of a folder's photos."""
    extractor = get_extractor(
        "resnet50",
        source="torchvision",
        device="cpu",
        pretrained=True,
        model_parameters={"weights": "IMAGENET1K_V1"},  # whose preprocessing Penult has
    )
    with tempfile.TemporaryDirectory() as names:
        dataset = ImageDataset(
            root=str(folder),
            out_path=names,
            backend=extractor.get_backend(),
            transforms=extractor.get_transformations(),
        )
        batches = DataLoader(dataset=dataset, batch_size=32, backend=extractor.get_backend())
        features = extractor.extract_features(batches, module_name="avgpool", flatten_acts=True)
        np.savez(out, names=[name.split("/")[-1] for name in dataset.images], features=features)


if __name__ == "__main__":
    main(*sys.argv[1:])
