"""Images that archives and buckets hold, and what their folder gives."""

import io

import numpy as np
import pytest
from PIL import Image

import penult


@pytest.fixture(scope="session")
def images():
    """Files by name: pictures of several formats, a copy among them, and one that is none."""
    noise = np.random.default_rng(0)
    files = {}
    for n, kind in enumerate(["JPEG", "PNG", "BMP", "JPEG", "PNG", "JPEG"]):
        raw = io.BytesIO()
        pixels = noise.integers(0, 255, (9, 12, 3), np.uint8).repeat(20, 0).repeat(20, 1)
        Image.fromarray(pixels).save(raw, kind)
        files[f"{n % 2}/{n}.{kind.lower()}"] = raw.getvalue()
    files["copy.jpg"] = files["0/0.jpeg"]
    files["broken.jpg"] = b"\xff\xd8\xff broken"
    return files


@pytest.fixture(scope="session")
def whole(images, model, tmp_path_factory):
    """The features of a folder of these images."""
    root = tmp_path_factory.mktemp("folder")
    for name, data in images.items():
        (root / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "in" / name).write_bytes(data)
    return penult.extract(root / "in", model, out=root / "t.lance")
