"""Features with fastembed, by the example of its README.

    python with_fastembed.py NETWORK WEIGHTS FOLDER OUT.npz

Its ResNet-50 takes our ONNX file in place of the one that it would download. It scales vectors to
length 1.
"""

import sys
from pathlib import Path

import numpy as np
from fastembed import ImageEmbedding


def main(_network: str, weights: str, folder: str, out: str) -> None:
    """Compute the features of a folder's photos."""
    model = ImageEmbedding("Qdrant/resnet50-onnx", specific_model_path=str(Path(weights).parent))
    paths = sorted(Path(folder).iterdir())
    features = np.stack(list(model.embed(paths)))
    np.savez(out, names=[path.name for path in paths], features=features)


if __name__ == "__main__":
    main(*sys.argv[1:])
