"""The commands around weights files, as people run them."""

import json
import re
from pathlib import Path

import pytest

import onnx
from loopback import serve_files

CHECKPOINT = Path(__file__).parents[1] / "reference/checkpoints/mobilenet_v1_025_v2"


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PENULT_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def mirror(tmp_path):
    """The address of a server for files that lie in `served`."""
    (tmp_path / "served").mkdir()
    with serve_files(tmp_path / "served") as server:
        yield server.url


def test_inspect_prints_facts_and_variables(run):
    lines = run("inspect", CHECKPOINT).stdout.splitlines()
    assert "format            TensorFlow (V2)" in lines
    assert "variables         137 network, 1 counter" in lines
    assert lines[-1].split() == ["global_step", "int64", "counter"]


def test_inspect_prints_statistics_on_request(run):
    header = run("inspect", CHECKPOINT, "--statistics").stdout.splitlines()[8].split()
    assert header[-5:] == ["mean", "std", "min", "max", "nonfinite"]
    facts = json.loads(run("inspect", CHECKPOINT, "--statistics", "--json").stdout)
    step = facts["variables"][-1]
    assert (step["name"], step["statistics"]["mean"]) == ("global_step", 1234567)


def test_inspect_of_something_else_is_one_line(run, photos):
    result = run("inspect", photos / "hens.jpg")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("penult: ")
    assert "isn't a weights file" in result.stderr


def test_convert_writes_a_file_that_extract_takes(run, photos):
    options = ["--size", 96, "-l", "AvgPool_1a", "-l", "Logits"]
    result = run("convert", CHECKPOINT, "out.onnx", "-m", "mobilenet_v1_025", *options)
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == (
        f"penult: out.onnx: mobilenet_v1_025 of {CHECKPOINT.name} up to AvgPool_1a (256), "
        "Logits (1001); takes images of 96×96 pixels, made by "
        "'central 7/8, squash 96 tf1_bilinear, scale 1/255, mean 0.5, std 0.5'\n"
    )
    again = run("extract", photos / "hens.jpg", "-w", "out.onnx", "-o", "a.lance", "--json")
    assert json.loads(again.stdout)["ok"] == 1
    assert "AvgPool_1a 256" in run("info", "a.lance").stdout


def test_convert_takes_published_weights_by_name(run, tmp_path):
    result = run("convert", "-m", "efficientnet_lite0", "lite0.onnx", "--size", 64)
    assert result.returncode == 0
    assert result.stderr.startswith("penult: lite0.onnx: efficientnet_lite0 of efficientnet-lite0")
    assert (tmp_path / "lite0.onnx").is_file()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["w.ckpt"], "only 'w.ckpt' is named: say whose weights to write there, by a file before"),
        (["a.ckpt", "b.ckpt", "c.onnx"], "3 files: name the weights and the ONNX file to write"),
    ],
)
def test_convert_needs_weights_and_one_file(run, tmp_path, files, message):
    (tmp_path / "w.ckpt").write_bytes(b"weights")
    result = run("convert", *files)
    assert result.returncode == 2
    assert message in result.stderr
    assert (tmp_path / "w.ckpt").read_bytes() == b"weights"


def test_convert_needs_a_place_that_can_be_written(run):
    result = run("convert", CHECKPOINT, "no/out.onnx", "-m", "mobilenet_v1_025")
    assert result.returncode == 2
    assert result.stderr == "penult: can't write 'no/out.onnx': no such file or directory\n"


def test_download_says_what_it_recorded_and_extract_uses_it(run, tmp_path, mirror, photos):
    file = tmp_path / "served/mobilenet_v2/checkpoints/mobilenet_v2_1.4_224.tgz"
    file.parent.mkdir(parents=True)
    file.write_bytes((CHECKPOINT.parent / "mobilenet_v1_025_2016_08_28.tar.gz").read_bytes())
    result = run("download", "mobilenet_v2_140", PENULT_MIRROR=mirror)
    assert result.returncode == 0
    assert "recorded at this first use, since none was published" in result.stderr
    again = run("extract", photos, "-m", "mobilenet_v2_140")  # no mirror: from the cache
    assert again.returncode == 2
    assert "holds no mobilenet_v2_140: MobilenetV2/Conv/weights is missing" in again.stderr


def test_moving_averages_are_asked_for_with_ema(run, photos):
    result = run("extract", photos, "-w", CHECKPOINT, "--ema")
    assert result.returncode == 2
    assert "holds no moving averages" in result.stderr


def test_a_converted_file_passes_onnx_checker(run, tmp_path):
    run("convert", CHECKPOINT, "out.onnx", "-m", "mobilenet_v1_025")
    onnx.checker.check_model(tmp_path / "out.onnx", full_check=True)


@pytest.mark.parametrize("columns", [50, 80, 200])
def test_models_fit_the_terminal(run, columns):
    done = run("models", "*lite*", COLUMNS=str(columns), FORCE_COLOR="1", NO_COLOR="1")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in done.stdout.splitlines()]
    assert max(map(len, lines)) <= columns
    assert re.match(r"efficientnet_lite0 .* 75\.1 % .*installed", lines[1])
    assert "-w FILE" in lines[4]
    assert ("left out for want of room: paper, top-5" in done.stderr) == (columns < 200)


def test_models_are_installed_where_their_files_are(process, tmp_path):
    def installed(pattern, **environment):
        rows = json.loads(process("models", pattern, "--json", **environment).stdout)
        return {row["network"]: row["installed"] for row in rows}

    assert installed("efficientnet_lite[04]") == {
        "efficientnet_lite0": True,
        "efficientnet_lite4": False,
    }
    cache = {"PENULT_CACHE": str(tmp_path / "cache"), "HF_HUB_CACHE": str(tmp_path / "hub")}
    assert installed("vgg_1[69]", **cache) == {"vgg_16": False, "vgg_19": False}
    (tmp_path / "cache/vgg_16").mkdir(parents=True)
    (tmp_path / "cache/vgg_16/vgg_16_2016_08_28.tar.gz").write_bytes(b"weights")
    assert installed("vgg_1[69]", **cache) == {"vgg_16": True, "vgg_19": False}
    assert installed("dinov2_base", **cache) == {"dinov2_base": False}
    commit = "0" * 40
    repository = tmp_path / "hub/models--facebook--dinov2-base"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs/main").write_text(commit)
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for name in ("config.json", "preprocessor_config.json", "model.safetensors"):
        (snapshot / name).write_text("{}")
    assert installed("dinov2_base", **cache) == {"dinov2_base": False}  # more may have to come
    absent = repository / ".no_exist" / commit
    absent.mkdir(parents=True)
    for name in ("open_clip_config.json", "processor_config.json"):
        (absent / name).touch()
    assert installed("dinov2_base", **cache) == {"dinov2_base": True}
