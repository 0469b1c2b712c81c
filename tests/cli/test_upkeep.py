"""The commands that look after a table, and how runs end that are stopped."""

import json
import shutil
import signal
import subprocess
import time

import pytest

from .conftest import PENULT


@pytest.fixture
def folder(photos, tmp_path):
    target = tmp_path / "few"
    target.mkdir()
    for name in ("espresso.jpg", "koala.jpg"):
        shutil.copy2(photos / name, target)
    return target


def test_failures_are_listed_counted_and_tried_again(run, folder, photos):
    (folder / "a.jpg").touch()
    (folder / "b\n.jpg").write_text("text")
    run("extract", folder, "--max-pixels", 1_000_000)
    result = run("failures", "few.lance")
    lines = result.stdout.splitlines()
    assert lines[0] == "a.jpg: empty: zero bytes"
    assert lines[1].startswith("b\\n.jpg: not_an_image: ")
    assert result.returncode == 0
    assert "penult: few.lance: 2 failed: 1 empty, 1 not_an_image\n" in result.stderr
    facts = json.loads(run("failures", "few.lance", "--json").stdout)
    assert facts["kinds"] == {"empty": 1, "not_an_image": 1}
    assert list(facts["failures"]) == ["a.jpg", "b\n.jpg"]
    shutil.copyfile(photos / "hens.jpg", folder / "a.jpg")
    result = run("extract", folder, "--retry-failed")
    assert "1 computed, 1 failed, 2 already there" in result.stderr


def test_a_device_that_is_not_here_is_refused_before_there_is_a_table(
    run, folder, missing_device, tmp_path
):
    asked = ("--device", missing_device)
    refused = run("extract", folder, *asked)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert refused.stderr.startswith(f"penult: --device {missing_device}: ")
    assert not (tmp_path / "few.lance").exists()
    run("extract", folder)
    assert run("verify", "few.lance", *asked).stderr == refused.stderr
    assert json.loads(run("verify", "few.lance", "--json").stdout)["device"] == "cpu"


def test_options_of_change_reach_the_run(run, folder):
    run("extract", folder, "--checksum")
    (folder / "koala.jpg").rename(folder / "k.jpg")
    assert (
        "2 already there (1 under another name), in" in run("extract", folder, "--checksum").stderr
    )
    (folder / "k.jpg").unlink()
    assert "1 already there, 1 gone and removed, in" in run("extract", folder, "--prune").stderr


def test_a_library_that_has_moved_is_repaired(run, folder, tmp_path):
    run("extract", "few", "-o", "t.lance")
    folder.rename(tmp_path / "moved")
    assert json.loads(run("verify", "t.lance", "--json").stdout)["compared"] == 0
    result = run("extract", "moved", "-o", "t.lance")
    assert "0 computed, 0 failed, 2 already there (2 moved), in" in result.stderr
    verified = json.loads(run("verify", "t.lance", "--json").stdout)
    assert (verified["compared"], verified["vanished"], verified["ok"]) == (2, [], True)
    assert run("view", "t.lance", "--html", "v.html").stderr.endswith("v.html: 2 images\n")
    assert (tmp_path / "v.html").read_text().count('<img src="data:image/jpeg') == 2
    run("export", "t.lance", "fo", "--program", "fiftyone")
    samples = json.loads((tmp_path / "fo/samples.json").read_text())["samples"]
    names = ["espresso.jpg", "koala.jpg"]
    assert [each["filepath"] for each in samples] == [f"{tmp_path}/moved/{each}" for each in names]
    (tmp_path / "moved/koala.jpg").unlink()
    result = run("extract", "moved", "-o", "t.lance", "--prune", "--json")
    counts = json.loads(result.stdout)
    assert (counts["skipped"], counts["moved"], counts["removed"]) == (1, 0, 1)


def test_weights_that_have_moved_are_found_by_verify(run, folder, model, tmp_path):
    shutil.copy(model.network.path, tmp_path / "a.pth")
    run("extract", "few", "-w", "a.pth")
    (tmp_path / "a.pth").rename(tmp_path / "b.pth")
    assert "2 already there, in" in run("extract", "few", "-w", "b.pth").stderr
    provenance = json.loads(run("info", "few.lance", "--json").stdout)["provenance"]
    assert (provenance["weights"], provenance["weights_path"]) == ("b.pth", f"{tmp_path}/b.pth")
    assert run("verify", "few.lance").returncode == 0


def test_verify_prints_and_sets_the_exit_code(run, folder):
    run("extract", folder)
    (folder / "koala.jpg").unlink()
    result = run("verify", "few.lance", "-n", 9)
    assert result.returncode == 0
    assert result.stderr == "penult: koala.jpg: vanished, not compared\n"
    assert "compared       1\n" in result.stdout
    assert "(espresso.jpg)\n" in result.stdout
    (folder / "espresso.jpg").touch()
    result = run("verify", "few.lance", "-n", "all", "--json")
    assert result.returncode == 1
    facts = json.loads(result.stdout)
    assert (facts["compared"], facts["changed"], facts["ok"]) == (0, ["espresso.jpg"], False)


def test_sigterm_ends_a_run_as_ctrl_c_does(run, photos, tmp_path):
    (tmp_path / "many").mkdir()
    for index in range(600):
        shutil.copy(photos / "hens.jpg", tmp_path / f"many/{index}.jpg")
    command = [*PENULT, "extract", "many"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not any((tmp_path / "many.lance").glob("data/*")):
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        stderr = process.stderr.read()
    assert process.returncode == 143
    assert "all saved; run the same command again to continue" in stderr
    saved = json.loads(run("info", "many.lance", "--json").stdout)["rows"]
    assert 0 < saved < 600
    assert f"{saved} computed, 0 failed" in stderr
