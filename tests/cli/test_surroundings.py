"""Terminals, folders and rights that are not what a command would like."""

import os
import subprocess
import sys

import pytest

PENULT = [sys.executable, "-m", "penult"]


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
@pytest.mark.parametrize("command", [["extract", "--help"], ["models"], ["describe", "lenet"]])
def test_letters_that_the_output_has_not_are_escaped(encoding, command):
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([*PENULT, *command], env=environment, capture_output=True, check=True)
    assert done.stderr == b""
    assert done.stdout.decode(encoding)


def test_a_current_folder_that_is_gone_is_one_line(tmp_path, photos):
    (tmp_path / "gone").mkdir()
    script = (
        f"cd {tmp_path}/gone; rmdir {tmp_path}/gone; {sys.executable} -m penult extract {photos}"
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=False, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("No such file or directory")
    assert "bug" not in done.stderr


def test_what_the_system_refuses_is_no_bug(photos, tmp_path):
    command = " ".join([*PENULT, "extract", str(photos), "-o", str(tmp_path / "t.lance")])
    script = f"ulimit -f 0; {command}"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=False, text=True)
    assert done.returncode != 0
    assert "this is a bug" not in done.stderr
