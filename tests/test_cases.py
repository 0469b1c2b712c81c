"""Small inputs that went wrong once, each through the command that people gave it to."""

import codecs
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import penult
from penult.checkpoints import open_checkpoint

TESTS = Path(__file__).parent
IMAGES, WEIGHTS = TESTS / "images/data", TESTS / "checkpoints/data/formats"


@pytest.fixture
def run(tmp_path):
    """Run `penult ARGUMENTS` in an empty folder."""

    def penult_process(*arguments, **options):
        command = [sys.executable, "-m", "penult", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, **options)

    return penult_process


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The features of all images, and why the others have none."""
    folder = tmp_path_factory.mktemp("cases")
    with Image.open(IMAGES / "grey12_in_16.tif") as grey:
        upper = np.asarray(grey) >> 8
    shutil.copytree(IMAGES, folder / "images")
    Image.fromarray(upper.astype(np.uint8)).save(folder / "images/grey12_upper.png")
    command = [sys.executable, "-m", "penult", "extract", "images", "-o", "t.lance"]
    assert subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 1
    return penult.open(folder / "t.lance")


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("grey16_min_is_white.tif", "grey8_min_is_white_ok.tif"),
        ("grey_float32_min_is_white.tif", "grey8_min_is_white_ok.tif"),
        ("grey8_min_is_white_ok.tif", "reference_grey.png"),
        ("grey_uint32_full_range.tif", "reference_grey.png"),
        ("rgb16_planar_lzw_ok.tif", "reference_rgb.png"),
        ("text_chunk_3MB.png", "reference_rgb.png"),
        ("icc_profile_2MB.png", "reference_rgb.png"),
        ("text_chunk_bad_crc.png", "reference_rgb.png"),
        ("grey12_in_16.tif", "grey12_upper.png"),
    ],
)
def test_an_image_has_the_features_of_its_reference(image, reference, table):
    features = dict(zip(table.keys, table.numpy(), strict=True))
    difference = np.linalg.norm(features[image] - features[reference])
    assert difference <= 0.01 * np.linalg.norm(features[reference])


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ("rgb16_planar.tif", "PlanarConfiguration 2 with 16 bits"),
        ("rgb16_planar_tiled.tif", "PlanarConfiguration 2 with 16 bits"),
        ("rgb_jpeg2000.tif", "JPEG 2000 inside TIFF"),
        ("rgb_webp.tif", "WebP inside TIFF"),
    ],
)
def test_an_image_is_refused_by_the_reason(image, reason, table):
    assert table.failures[image].startswith(f"unsupported_format: {reason}")


def test_that_12_bits_come_out_dark_is_documented():
    text = (TESTS.parent / "docs/guides/extract.md").read_text(encoding="utf-8")
    assert "scale what has only 12 of them, or it comes out almost black" in text


def write_two_copies(folder):
    checkpoint = open_checkpoint(TESTS / "reference/checkpoints/mobilenet_v1_025_v2")
    weights = {name: np.array(each) for name, each in checkpoint.items() if "/" in name}
    student = {f"student/{name}": 0 * each for name, each in weights.items()}
    save_file(student | {f"teacher/{name}": each for name, each in weights.items()}, folder / "two")


def write_list(folder):
    shutil.copy(IMAGES / "reference_rgb.png", folder)
    shutil.copy(IMAGES / "reference_grey.png", folder)
    lines = codecs.BOM_UTF8 + b"reference_rgb.png\r\nreference_grey.png\r\n"
    (folder / "list.txt").write_bytes(lines)


def write_nothing(_):
    pass


HENS = TESTS.parent / "examples/photos/hens.jpg"
TWO = ["extract", HENS, "-m", "mobilenet_v1_025", "-w", "two", "-o", "t.lance"]


@pytest.mark.parametrize(
    ("prepare", "arguments", "code", "words"),
    [
        (write_two_copies, TWO, 2, "2 copies of mobilenet_v1_025, below 'student/' and 'teacher/'"),
        (write_two_copies, [*TWO, "--prefix", "teacher/"], 0, "1 computed, 0 failed"),
        (write_list, ["extract", "--from-file", "list.txt", "-o", "t.lance"], 0, "2 computed, 0 f"),
        (write_nothing, ["inspect", WEIGHTS / "torchscript.pt"], 0, "PyTorch (TorchScript)"),
        (write_nothing, ["inspect", WEIGHTS / "torchscript.pt.gz"], 2, "unpack it (gunzip)"),
    ],
)
def test_a_command_says_what_is_so(prepare, arguments, code, words, run, tmp_path):
    prepare(tmp_path)
    result = run(*arguments, text=True)
    assert result.returncode == code, result.stderr
    assert words in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("encoding", "arguments"),
    [
        ("latin-1", ["extract", "--help"]),
        ("latin-1", ["models"]),
        ("ascii", ["describe", "lenet"]),
    ],
)
def test_what_cannot_be_printed_is_escaped(encoding, arguments, run):
    result = run(*arguments, env=os.environ | {"PYTHONIOENCODING": encoding})
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.decode(encoding)


@pytest.mark.skipif(sys.platform == "win32", reason="no rights of a group there")
def test_a_shared_table_is_the_groups(run, tmp_path):
    result = run("extract", HENS, "-o", "t.lance", "--json", umask=0o002)
    assert json.loads(result.stdout)["ok"] == 1
    rights = [each.stat().st_mode & 0o060 for each in (tmp_path / "t.lance").rglob("*")]
    assert (tmp_path / "t.lance/_penult.lock").exists()
    assert set(rights) == {0o060}
