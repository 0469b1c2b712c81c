"""The original's commands as people run them."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

import penult

REFERENCE = Path(__file__).parents[1] / "reference"
MOBILENET = REFERENCE / "checkpoints/mobilenet_v1_025_v1/mobilenet_v1_025.ckpt"
NETWORK = [f"--checkpoint_file={MOBILENET}", "--model=mobilenet_v1_025"]


@pytest.fixture
def place(tmp_path):
    """A folder with four photos in `imgs/`."""
    shutil.copytree(REFERENCE / "images", tmp_path / "imgs")
    return tmp_path


@pytest.mark.parametrize("command", ["compute-features", "load-features"])
def test_the_commands_have_help_with_an_example(command, run):
    result = run(command, "--help")
    assert (result.returncode, f"Example: penult {command} " in result.stdout) == (0, True)


@pytest.mark.parametrize("folder", [["--data_dir=imgs/"], ["--data_dir", "imgs/"]])
def test_compute_then_load(folder, run):
    result = run("compute-features", *folder, *NETWORK)
    file = "features/mobilenet_v1_025_features.pkl"
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == f"penult: {file}: 4 images, 0 failed\n"
    result = run("load-features", file)
    lines = result.stdout.splitlines()
    assert (result.returncode, result.stderr) == (0, "")
    assert lines[0] == "4 images, 256 features each"
    assert [line.partition(": [")[0] for line in lines[1:]] == [
        f"imgs/{name}.jpg" for name in ("astronaut", "chelsea", "coffee", "rocket")
    ]


def test_other_preprocessing_gives_other_features(run, tmp_path):
    file = tmp_path / "features/mobilenet_v1_025_features.pkl"
    found = []
    for more in ([], ["--preprocess", "raw"]):
        assert run("compute-features", "--data_dir=imgs", *NETWORK, *more).returncode == 0
        found.append(penult.legacy.load_features(file)["imgs/coffee.jpg"])
    assert not np.allclose(*found)


def test_failed_images_are_named_and_set_the_exit_code(run, tmp_path):
    for number in range(7):
        (tmp_path / f"imgs/{number}.png").touch()
    result = run("compute-features", "--data_dir=imgs", *NETWORK)
    assert result.returncode == 1
    assert result.stderr.startswith("penult: imgs/0.png: empty: zero bytes\n")
    assert result.stderr.count("empty: zero bytes") == 5
    assert "penult: … and 2 more\n" in result.stderr
    assert result.stderr.endswith("4 images, 7 failed\n")


def test_load_prints_json(run, tmp_path):
    features = {f"{number}.jpg": np.array([number, np.nan], np.float32) for number in range(6)}
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(features))
    assert json.loads(run("load-features", "f.pkl", "--json").stdout) == {
        "file": "f.pkl",
        "images": 6,
        "widths": [2],
        "first": {f"{number}.jpg": [number, None] for number in range(5)},
    }


def test_load_prints_the_first_rows_fit_for_a_terminal(run, tmp_path):
    features = {f"\x1b{number}": np.array([number, 0.5]) for number in range(7)}
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(features | {"0": [1]}))
    assert run("load-features", "f.pkl").stdout.splitlines() == [
        "8 images, 1 or 2 features each",
        *(rf"\x1b{number}: [{number}.  0.5]" for number in range(5)),
        "… and 3 more",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compute-features", "--data_dir=no", *NETWORK], "no folder 'no'; check --data_dir"),
        (["compute-features", "--data_dir=imgs", NETWORK[0], "--model=alexne"], "alexnet_v2"),
        (["load-features", "imgs/coffee.jpg"], "isn't a pickled dict"),
        (["load-features", "none.pkl"], "'none.pkl': no such file or directory"),
    ],
)
def test_errors_are_one_line_and_exit_with_2(arguments, message, run):
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("penult: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
