"""Whatever the system refuses, wherever: one line that blames no bug, and exit code 2."""

import errno
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import penult
from penult.cli import _run

PENULT = f"{sys.executable} -m penult"
NUMBERS = ["ENOSPC", "EMFILE", "ENOMEM", "EIO", "ESTALE", "EPIPE"]
POINTS = {
    "penult.store.reader.newest": ["info", "t.lance"],
    "penult.store.reader.TableReader.tables": ["export", "t.lance", "out.csv"],
    "penult.store.durable.commit": ["extract", "images", "-o", "another.lance"],
    "penult.checkpoints.base.mmap.mmap": ["inspect", "w.npz"],
    "penult.model.model.Model.stream": ["search", "t.lance", "images/hens.jpg"],
    "penult.util.files.os.fsync": ["export", "t.lance", "out.npz"],
    "penult.store.TableWriter.open_or_create": ["extract", "images", "-o", "other.lance"],
    "penult.viewer.server._Server": ["view", "t.lance"],
    "penult.cli.show.printable": ["info", "t.lance"],
}


@pytest.fixture(scope="module")
def folder(model, photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("refused")
    (folder / "images").mkdir()
    for name in ("hens.jpg", "koala.jpg"):
        shutil.copy(photos / name, folder / "images")
    penult.extract(folder / "images", model, out=folder / "t.lance")
    np.savez(folder / "w.npz", a=np.zeros(3))
    return folder


@pytest.fixture
def said(monkeypatch):
    """What commands say, even where printing is refused."""
    lines = []
    monkeypatch.setattr("penult.cli.complain", lambda _, message, __: lines.append(message))
    return lines


def ended(command, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["penult", *command])
    return _run()


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("number", NUMBERS)
def test_no_refusal_is_a_bug(number, point, folder, monkeypatch, said):
    words = os.strerror(getattr(errno, number))

    def refuse(*_, **__):
        raise OSError(getattr(errno, number), words)

    monkeypatch.chdir(folder)
    monkeypatch.setattr(point, refuse)
    assert ended(POINTS[point], monkeypatch) == 2
    (line,) = said
    assert words.lower() in line.lower()
    assert "this is a bug" not in line


@pytest.mark.parametrize(
    "refused",
    [
        MemoryError(),
        RuntimeError("can't start new thread"),
        ImportError("/x/lance.so: failed to map segment from shared object"),
        type("PanicException", (BaseException,), {})(
            "Creating runtime: TooManyOpenFiles, os error"
        ),
    ],
    ids=["memory", "threads", "library", "panic"],
)
def test_other_kinds_of_refusals(refused, folder, monkeypatch, said):
    def refuse(*_, **__):
        raise refused

    monkeypatch.chdir(folder)
    monkeypatch.setattr("penult.store.reader.TableReader.info", property(refuse))
    assert ended(["info", "t.lance"], monkeypatch) == 2
    assert "this is a bug" not in said[0]


def test_what_is_no_refusal_is_a_bug(folder, monkeypatch, said):
    monkeypatch.chdir(folder)
    monkeypatch.setattr("penult.store.reader.TableReader.info", property(lambda _: 1 / 0))
    assert ended(["info", "t.lance"], monkeypatch) == 2
    assert "this is a bug" in said[0]


def shell(script, folder):
    return subprocess.run(
        ["bash", "-c", script.replace("penult", PENULT)],
        cwd=folder,
        capture_output=True,
        check=False,
        text=True,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="others have no such devices or limits")
@pytest.mark.parametrize(
    ("script", "code", "error"),
    [
        ("penult info t.lance >&-", 2, "bad file descriptor"),
        ("penult info t.lance >/dev/full", 2, "no space left on device"),
        ("penult info t.lance >&- 2>&-", 2, ""),
        ("penult extract images -o a.lance 2>&-", 0, ""),
        ("penult extract images -o b.lance 2>/dev/full", 0, ""),
        ("penult extract images -o c.lance >&-", 0, "2 computed"),
        ("penult info t.lance <&-", 0, ""),
        ("ulimit -n 12; penult info t.lance", 2, "12 files may be open at a time, 64 are needed"),
        ("ulimit -Sn 20; penult info t.lance", 0, ""),
        ("set -o pipefail; penult models --json | head -1", 1, ""),
        ("ulimit -v 400000; penult extract images -o d.lance", 2, "a library can't be loaded"),
    ],
)
def test_streams_and_limits(script, code, error, folder):
    done = shell(script, folder)
    assert done.returncode == code, done.stderr
    assert error in done.stderr
    assert not {"bug", "Traceback"} & set(done.stderr.split())
    assert len(done.stderr.splitlines()) <= 1
