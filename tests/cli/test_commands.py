"""The command line as people run it: its output and its exit code."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import penult
from penult.cli import commands

from .conftest import PENULT


@pytest.fixture
def folder(photos, tmp_path):
    target = tmp_path / "few"
    target.mkdir()
    for name in ("espresso.jpg", "koala.jpg", "tripod.jpg"):
        shutil.copy2(photos / name, target)
    return target


def test_version(process):
    assert process("--version").stdout == f"{penult.__version__}\n"


@pytest.mark.parametrize(
    "command", [c.callback.__name__.replace("_", "-") for c in commands.app.registered_commands]
)
def test_every_command_has_help_with_an_example(run, command):
    result = run(command, "--help")
    assert result.returncode == 0
    assert f"Example: penult {command}" in result.stdout
    assert "--remote; see penult --help" in result.stdout


def test_extract_then_open_export_and_info(process, folder, tmp_path):
    result = process("extract", folder)
    assert (result.returncode, result.stdout) == (0, "")
    assert "few.lance: 3 images: 3 computed, 0 failed, 0 already there, in " in result.stderr

    features = penult.open(tmp_path / "few.lance")
    assert features.numpy().shape == (3, 1280)

    result = process("export", "few.lance", "few.npz")
    assert (result.returncode, result.stderr) == (0, "penult: few.npz: 3 images\n")
    with np.load(tmp_path / "few.npz") as file:
        np.testing.assert_array_equal(file["pooled_features"], features.numpy())

    facts = json.loads(process("info", "few.lance", "--json").stdout)
    assert (facts["rows"], facts["failures"]) == (3, {})
    assert facts["provenance"]["network"] == "efficientnet_lite0"
    assert "efficientnet_lite0" in process("info", "few.lance").stdout


def test_a_damaged_table_is_continued_from_its_last_good_version(run, folder, tmp_path):
    run("extract", folder)
    newest = min((tmp_path / "few.lance/_versions").iterdir())  # named to sort the newest first
    newest.write_bytes(b"")
    assert "version 2 can't be read" in run("info", "few.lance").stderr
    result = run("extract", folder)
    assert result.returncode == 0
    assert "version 2 can't be read" in result.stderr
    assert "3 computed" in result.stderr
    assert len(penult.open(tmp_path / "few.lance")) == 3


def test_extract_prints_json(run, folder):
    result = run("extract", folder, "--json", "-o", "t.lance")
    counts = json.loads(result.stdout)
    assert counts.pop("seconds") > 0
    assert counts == {
        "table": "t.lance",
        "listed": 3,
        "ok": 3,
        "failed": 0,
        "failed_before": 0,
        "skipped": 0,
        "moved": 0,
        "renamed": 0,
        "removed": 0,
        "failures": {},
    }


def test_failed_images_are_named_and_set_the_exit_code(run, process, folder):
    (folder / "odd\x1b[31m.jpg").write_text("no image")
    result = process("extract", folder)
    assert result.returncode == 1
    assert "penult: odd\\x1b[31m.jpg: not_an_image: " in result.stderr
    assert "\x1b" not in result.stderr
    assert "3 computed, 1 failed" in result.stderr
    assert "odd\\x1b[31m.jpg: not_an_image" in run("info", "few.lance").stdout
    again = run("extract", folder)
    assert again.returncode == 1
    assert "penult: odd\\x1b[31m.jpg: not_an_image: " in again.stderr
    assert "0 computed, 0 failed, 1 failed before, 3 already there, in" in again.stderr
    allowed = run("extract", folder, "--allow-failures", "--json")
    assert allowed.returncode == 0
    counts = json.loads(allowed.stdout)
    assert [counts[name] for name in ("ok", "failed", "failed_before", "skipped")] == [0, 0, 1, 3]


def test_failures_of_other_sources_are_no_failures_of_a_run(run, folder):
    (folder / "sub").mkdir()
    (folder / "espresso.jpg").rename(folder / "sub/espresso.jpg")
    (folder / "empty.jpg").touch()
    assert run("extract", folder, "-o", "t.lance", "--allow-failures").returncode == 0
    result = run("extract", folder / "sub", "-o", "t.lance")
    assert (result.returncode, result.stderr.count("\n")) == (0, 1)
    assert "1 images: 1 computed, 0 failed, 0 already there, in" in result.stderr


def test_many_failures_are_not_all_printed(run, folder):
    for index in range(7):
        (folder / f"{index}.jpg").touch()
    stderr = run("extract", folder).stderr
    assert stderr.count("empty: zero bytes") == 5
    assert "penult: … and 2 more: penult failures few.lance" in stderr


def test_paths_from_standard_input(run, folder):
    result = run("extract", "--from-file", "-", "-o", "t.lance", stdin="few/koala.jpg\n")
    assert (result.returncode, "1 computed" in result.stderr) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["extract", "nowhere"], "'nowhere'"),
        (["extract", "few", "-m", "resnet"], "no network is named 'resnet'"),
        (["extract", "few", "-l", "pool"], "no layer 'pool'; nearest: pooled_features"),
        (["extract", "few", "-w", "few/koala.jpg"], "koala.jpg"),
        (["extract"], "no source of images"),
        (["describe", "lite0"], "nearest: efficientnet_lite0"),
        (["info", "few"], "few"),
        (["export", "few", "few.npz"], "few"),
    ],
)
def test_errors_are_one_line_and_exit_with_2(run, folder, arguments, message):
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("penult: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--debug", "describe", "x"], ["describe", "x", "--debug"]])
def test_debug_shows_the_traceback(process, arguments):
    result = process(*arguments)
    assert (result.returncode, "Traceback" in result.stderr) == (2, True)


def test_wrong_options_exit_with_2(run, folder):
    result = run("extract", folder, "--pool", "mean")
    assert result.returncode == 2
    assert all(choice in result.stderr for choice in ("avg", "max", "none"))


def test_classify(run, folder):
    (folder / "empty.png").touch()
    result = run("classify", folder, "-k", 1)
    assert result.returncode == 1
    first, second, third = result.stdout.splitlines()
    assert first.startswith("espresso.jpg: espresso 9")
    assert second.startswith("koala.jpg: koala ")
    assert third.startswith("tripod.jpg: tripod ")
    assert result.stderr == "penult: empty.png: empty: zero bytes\n"
    assert run("classify", folder, "--allow-failures").returncode == 0


def test_classify_prints_json_lines(run, folder):
    lines = run("classify", folder / "koala.jpg", "--json").stdout.splitlines()
    (result,) = map(json.loads, lines)
    assert (result["key"], len(result["classes"]), result["error"]) == ("koala.jpg", 5, None)


def test_fast_decoding_is_recorded_so_a_table_stays_with_it(run, folder):
    assert run("extract", folder, "--decode", "fast").returncode == 0
    refused = run("extract", folder)
    assert refused.returncode == 2
    assert "decode is 'fast', asked was 'exact'" in refused.stderr


def test_classify_decodes_fast(run, folder):
    assert run("classify", folder / "koala.jpg", "--decode", "fast").stdout.startswith("koala.jpg")


def test_models_and_describe(run):
    assert re.search(r"^efficientnet_lite2 +260×260 +1280 ", run("models").stdout, re.MULTILINE)
    (only,) = json.loads(run("models", "*lite0", "--json").stdout)
    rows = json.loads(run("models", "torchvision/resnet50*", "--json").stdout)
    assert [row["network"].partition(".")[2] for row in rows] == ["IMAGENET1K_V1", "IMAGENET1K_V2"]
    assert "facebook/dinov2-base" in run("models", "dinov2_b*").stdout
    assert (only["network"], only["parameters"]) == ("efficientnet_lite0", 4652008)
    text = run("describe", "efficientnet_lite0").stdout
    assert "pooled_features  (default)" in text
    assert "Apache-2.0" in text
    assert "square 224/256 bicubic, scale 1, mean 127, std 128" in text
    layers = json.loads(run("describe", "efficientnet_lite0", "--json").stdout)["layers"]
    assert layers[0]["shape"] == [112, 112, 32]


def test_a_pipe_that_closes_early_is_no_error(photos):
    command = f"{sys.executable} -m penult describe efficientnet_lite0 | head -1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert (result.stdout.count("\n"), result.stderr) == (1, "")


def on_a_terminal(
    arguments: list[object], cwd: Path, interrupt_at: str | None = None
) -> tuple[int, str]:
    """Run a command on a terminal; press Ctrl-C once some text has appeared."""
    ours, its = pty.openpty()
    command = [*PENULT, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=cwd, stdin=its, stdout=its, stderr=its)
    os.close(its)
    output = b""
    while chunk := read_terminal(ours):
        output += chunk
        if interrupt_at and re.search(interrupt_at.encode(), output):
            process.send_signal(signal.SIGINT)
            interrupt_at = None
    os.close(ours)
    return process.wait(), output.decode()


def read_terminal(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # how Linux says that the other side has closed it
        return b""


def test_a_terminal_sees_progress(folder, tmp_path):
    code, output = on_a_terminal(["extract", folder], tmp_path)
    assert code == 0
    assert "3/3" in output
    assert "images/s" in output


def test_ctrl_c_keeps_what_is_done_and_says_how_to_continue(run, photos, tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for index in range(120):
        (folder / f"{index:03}.jpg").symlink_to(photos / "hens.jpg")
    listing = tmp_path / "list.txt"
    listing.write_text("".join(f"{p}\n" for p in sorted(folder.iterdir())))
    arguments = ["extract", "--from-file", listing, "-o", "many.lance"]
    code, output = on_a_terminal(arguments, tmp_path, interrupt_at=r"\D[1-9]\d*/120")
    assert code == 130
    assert "Traceback" not in output
    assert "all saved; run the same command again to continue" in output
    result = run(*arguments, "--json")
    counts = json.loads(result.stdout)
    assert counts["ok"] + counts["skipped"] == 120
    assert counts["skipped"] > 0


def median_seconds(command: list[str], runs: int = 7) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return sorted(times)[runs // 2]


def test_the_version_costs_at_most_twice_the_import_of_typer():
    bare = median_seconds([sys.executable, "-c", "import typer"])
    assert median_seconds([*PENULT, "--version"]) < 2 * bare


def test_profile_says_where_the_time_went(run, folder):
    result = run("extract", folder, "--profile")
    assert re.search(r"cores for [\d.]+ s: network \d+%, decoding \d+%, preproc", result.stderr)
    assert re.search(r"[\d.]+ s reading, [\d.]+ s writing", result.stderr)
