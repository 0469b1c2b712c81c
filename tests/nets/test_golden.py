"""Each network against what TF-Slim's original code computed; see tests/reference/README.md.

The weights are stand-ins that `weights_by_name` makes for any variable, the images are those of the
references, and every layer is compared at some places.
"""

import json
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
from PIL import Image

from penult import nets
from penult.checkpoints import open_checkpoint
from penult.engine import OnnxRuntime
from penult.graph import variables
from penult.images.preprocess import PREPROCESSING, name_of
from penult.model.matching import candidates
from penult.model.network import load_network
from penult.onnx.writer import to_onnx

REFERENCE = Path(__file__).parents[1] / "reference"
weight = run_path(str(REFERENCE / "weights_by_name.py"))["weight"]
WRITER = run_path(str(Path(__file__).parents[1] / "checkpoints/tensorflow_writer.py"))
v1, v2, V2_FILES = WRITER["v1"], WRITER["v2"], (".index", ".data-00000-of-00001")

NETWORKS = sorted(path.stem for path in REFERENCE.glob("manifests/*.json"))


def batch(manifest: dict) -> np.ndarray:
    """The three inputs behind the references: two photos and a seeded random one."""
    size, channels = manifest["input_size"], manifest["channels"]
    preprocess = PREPROCESSING[manifest["preprocessing"]](size)
    photos = [Image.open(REFERENCE / "images" / name) for name in ("chelsea.jpg", "coffee.jpg")]
    random = np.random.Generator(np.random.PCG64(7)).uniform(-1, 1, (size, size, channels))
    scale = 100 if manifest["preprocessing"] == "vgg" else 1
    seeded = random.astype(np.float32) * scale
    return np.stack([*(preprocess(photo.convert("RGB")) for photo in photos), seeded])


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@pytest.fixture
def checkpoint(tmp_path):
    """A full checkpoint of a network, in TensorFlow's format V1 or V2; gone after the test."""
    written = []

    def write(manifest: dict, form: str) -> Path:
        variables = {n: weight(n, tuple(shape)) for n, shape, _ in manifest["variables"]}
        files = (
            {"": v1(variables)} if form == "V1" else dict(zip(V2_FILES, v2(variables), strict=True))
        )
        for suffix, content in files.items():
            written.append(tmp_path / f"model.ckpt{suffix}")
            written[-1].write_bytes(content)
        return tmp_path / "model.ckpt"

    yield write
    for file in written:
        file.unlink()


@pytest.mark.parametrize("name", NETWORKS)
def test_network_equals_the_original(name, checkpoint):
    spec = nets.get(name)
    architecture = spec.architecture
    manifest = json.loads((REFERENCE / f"manifests/{name}.json").read_text(encoding="utf-8"))
    file = checkpoint(manifest, "V1" if NETWORKS.index(name) % 2 else "V2")
    assert spec in candidates(open_checkpoint(file).shapes)
    assert (spec.size, architecture.channels) == (manifest["input_size"], manifest["channels"])
    assert (spec.classes, name_of(spec.preprocess(spec.size))) == (
        manifest["num_classes"],
        manifest["preprocessing"],
    )
    layers = spec.layers()
    shapes = {v.name: list(v.shape) for v in variables(layers.values())}
    published = {name: shape for name, shape, _ in manifest["variables"]}
    assert shapes == published

    cut = load_network(name, file).cut(list(layers), "none")
    engine = OnnxRuntime(cut)
    found = {name: array.reshape(3, -1) for name, array in engine.run(batch(manifest)).items()}
    with np.load(REFERENCE / f"golden/{name}.npz") as golden:
        assert relative_error(found[architecture.logits], golden["logits"]) < 1e-4
        features = found[manifest["feature_endpoint"]]
        assert relative_error(features, golden["features"].reshape(3, -1)) < 1e-4
    for endpoint, print_ in manifest["endpoints"].items():
        if endpoint != "<logits>":
            compare(found[endpoint], print_)


def compare(found: np.ndarray, fingerprint: dict) -> None:
    assert found.size == np.prod(fingerprint["shape"])
    tolerance = 1e-3 * max(fingerprint["std"])  # of single values; the L2 errors are smaller
    np.testing.assert_allclose(found.mean(axis=1), fingerprint["mean"], atol=tolerance)
    np.testing.assert_allclose(found.std(axis=1), fingerprint["std"], atol=tolerance)
    for row, key in ((0, "img1"), (2, "seeded")):
        places = found[row][fingerprint["index"]]
        np.testing.assert_allclose(places, fingerprint[key], atol=tolerance)


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [
        ("inception_v1", "AvgPool_0a_7x7", 224),
        ("inception_v2", "AvgPool_1a", 224),
        ("inception_v3", "AvgPool_1a", 224),
        ("inception_resnet_v2", "PreLogitsFlatten", 299),
        ("resnet_v1_50", "global_pool", 224),
        ("resnet_v1_101", "global_pool", 224),
        ("vgg_16", "vgg_16/fc8", 224),
        ("vgg_19", "vgg_19/fc8", 224),
    ],
)
def test_raw_pixels_give_what_the_original_script_did(name, layer, size):
    photos = ["chelsea.jpg", "coffee.jpg", "astronaut.jpg", "rocket.jpg"]
    raw = PREPROCESSING["raw"](size)
    pixels = np.stack([raw(Image.open(REFERENCE / "images" / photo)) for photo in photos])
    layers = {"features": nets.get(name).layers(size=size)[layer]}
    engine = OnnxRuntime(to_onnx(layers, lambda v: weight(v.name, v.shape)))
    with np.load(REFERENCE / "golden/legacy_compute_features.npz") as legacy:
        assert relative_error(engine.run(pixels)["features"], legacy[name]) < 1e-4
