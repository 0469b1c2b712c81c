"""The commands around weights files, as people run them."""

import http.server
import json
import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

import onnx

CHECKPOINT = Path(__file__).parents[1] / "reference/checkpoints/mobilenet_v1_025_v2"


@pytest.fixture
def run(tmp_path):
    """Run `penult ARGUMENTS` in an empty folder, with an empty cache."""

    def penult_process(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "penult", *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PENULT_CACHE": str(tmp_path / "cache")} | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return penult_process


@pytest.fixture
def mirror(tmp_path):
    """The address of a server for files that lie in `served`."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "served").mkdir()
    handler = partial(Quiet, directory=tmp_path / "served")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


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
    assert "out.onnx: Model(mobilenet_v1_025 from" in result.stderr
    again = run("extract", photos / "hens.jpg", "-w", "out.onnx", "-o", "a.lance", "--json")
    assert json.loads(again.stdout)["ok"] == 1
    assert "AvgPool_1a 256" in run("info", "a.lance").stdout


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
