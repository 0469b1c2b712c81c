"""A table or a probe from a stranger chooses none of the user's files to be read as weights."""

import builtins
import io
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import save_file

import penult
from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError, UsageError
from penult.model.model import rebuild

CHECKPOINT = Path("tests/reference/checkpoints/mobilenet_v1_025_v2")
NAME = "model.ckpt"
TABLE = Path("t.lance")


@pytest.fixture
def opens(monkeypatch):
    """Lists the paths that are opened from now on.

    By no audit hook: up to Python 3.11 a thread that starts while another is in one can't be traced
    for coverage, and a hook stays for ever.
    """
    opened = []

    def noting(function):
        def note(path, *args, **options):
            opened.append(str(path))
            return function(path, *args, **options)

        return note

    for module in (builtins, io, os):  # pathlib's is that of `io`
        monkeypatch.setattr(module, "open", noting(module.open))
    return opened


@pytest.fixture
def weights(tmp_path):
    """TensorFlow's checkpoint of two files, by the prefix of their names."""
    for file in CHECKPOINT.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / NAME


@pytest.fixture
def recipe(weights):
    return penult.load_model("mobilenet_v1_025", weights=weights, size=128).recipe


def test_the_files_of_a_checkpoint_are_recorded_with_their_sizes(recipe, weights):
    files = sorted(weights.parent.iterdir(), key=lambda path: path.suffix != ".index")
    assert recipe.weights == files[0]
    assert recipe.weights_files == {file.name: file.stat().st_size for file in files}


def test_all_its_files_are_found_again(recipe):
    assert rebuild(recipe, TABLE).recipe == recipe


def test_a_place_in_an_archive_is_found_again(recipe, weights, tmp_path):
    (tmp_path / "ema").mkdir()
    for file in tmp_path.glob(f"{NAME}.*"):
        file.rename(tmp_path / "ema" / file.name)
    archive = shutil.make_archive(str(tmp_path / "net"), "gztar", tmp_path, "ema")
    inside = penult.load_model("mobilenet_v1_025", weights=f"{archive}/ema", size=128).recipe
    assert rebuild(inside, TABLE).recipe == inside


def test_a_file_of_another_size_is_not_opened(recipe, tmp_path, opens):
    victim = tmp_path / "secret.txt"
    victim.write_text("secret", encoding="ascii")
    assert opens == [str(victim)]
    opens.clear()
    with pytest.raises(CheckpointError, match=r"secret.txt': 6 bytes, '\d+' are recorded; .*-w"):
        rebuild(replace(recipe, weights=victim), TABLE)
    assert opens == []


def test_a_file_of_another_digest_is_not_parsed(recipe, tmp_path, monkeypatch):
    victim = tmp_path / "victim.safetensors"
    victim.write_bytes(b"forged")
    monkeypatch.setattr("penult.model.model.load_network", lambda *_, **__: pytest.fail("parsed"))
    with pytest.raises(UsageError, match=r"victim.safetensors' didn't make .*weights_sha256 is"):
        rebuild(replace(recipe, weights=victim, weights_files={"": 6}), TABLE)


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "..", "a\0", ""])
def test_files_beside_it_are_of_its_folder(recipe, name, opens):
    files = {**recipe.weights_files, name: 1}
    with pytest.raises(CheckpointError, match=r"files of other folders .*; say where .*-w"):
        rebuild(replace(recipe, weights_files=files), TABLE)
    assert opens == []


@pytest.mark.parametrize("files", [{}, {"a": "6"}, {"a": None}, dict.fromkeys(range(20_000), 6)])
def test_sizes_that_are_none(recipe, files, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"forged")
    with pytest.raises(CheckpointError, match=r"recorded.*; say where .*-w"):
        rebuild(replace(recipe, weights=victim, weights_files=files), TABLE)


@pytest.mark.parametrize("path", ["/dev/zero", "/proc/self/mem", "/etc", "pipe", "a\0", "n" * 4000])
def test_what_is_no_file_is_not_opened(recipe, path, tmp_path, opens):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match=r"; say where the weights of 't.lance' are \(-w\)"):
        rebuild(replace(recipe, weights=tmp_path / path), TABLE)
    assert opens == []


def test_weights_that_changed_since_are_read_again(tmp_path):
    tensors = {
        name: open_checkpoint(CHECKPOINT)[name] for name in ("MobilenetV1/Conv2d_0/weights",)
    }
    path = tmp_path / "w.safetensors"
    save_file(tensors, path)
    first = open_checkpoint(path).digest()
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")
    assert open_checkpoint(path).digest() != first
