"""What is installed from a wheel is the whole of it, and runs where nothing else of Penult is."""

import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/penult"
DATA = {
    "py.typed",
    "extraction/words",
    "nets/imagenet_classes.tsv",
    "nets/speed.tsv",
    "nets/torchvision.tsv",
    "text/data/LICENSE.txt",
    "viewer/sheet.css",
    "viewer/static",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A source archive, and the wheel that is made of it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "uv", "build", "--offline", "--quiet"]
    options = ["--no-build-isolation", "--python", sys.executable, "--out-dir", str(out)]
    subprocess.run([*command, *options], cwd=ROOT, check=True)
    (wheel,), (archive,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, archive


def test_all_files_are_in_the_wheel(built):
    with zipfile.ZipFile(built[0]) as wheel:
        names = set(wheel.namelist())
    files = [path for path in SOURCE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert [file for file in files if f"penult/{file.relative_to(SOURCE)}" not in names] == []
    assert all(any(name.startswith(f"penult/{part}") for name in names) for part in DATA)
    assert not [name for name in names if not name.startswith(("penult/", "penult-"))]


def test_both_pass_the_index_checks(built):
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, built)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_source_archive_holds_what_is_built_and_little_else(built):
    with tarfile.open(built[1]) as archive:
        top = {name.split("/")[1] for name in archive.getnames()}
    assert {"src", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md"} <= top
    assert not top & {"tests", "docs", "benchmarks", "examples", "requirements"}


def test_it_runs_in_a_fresh_environment(built, photos, tmp_path):
    """Its dependencies are those of here, by a path; Penult itself is the wheel's."""
    place = tmp_path / "fresh"
    venv.create(place, symlinks=True)
    python = place / "bin/python"
    install = [sys.executable, "-m", "uv", "pip", "install", "--offline", "--no-deps", "--quiet"]
    subprocess.run([*install, "--python", str(python), str(built[0])], check=True)
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    def run(*arguments):
        return subprocess.run(
            [place / "bin/penult", *map(str, arguments)],
            cwd=tmp_path,
            env={"PATH": "", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    home = subprocess.run(
        [python, "-c", "import penult; print(penult.__file__)"],
        cwd=tmp_path,
        env={},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(home.strip()).is_relative_to(place)
    run("extract", photos / "space", "-o", "space.lance")
    run("view", "space.lance", "--html", "space.html")
    assert "mars" in (tmp_path / "space.html").read_text(encoding="utf-8")
    assert "castle" in run("classify", photos / "castle_bavaria.jpg", "-k", "1")
    assert "torchvision/resnet50" in run("models", "torchvision/*")


def test_the_pythons_that_are_promised_are_those_that_are_tried():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    kind = "Programming Language :: Python :: 3."
    minors = [int(each.removeprefix(kind)) for each in project["classifiers"] if kind in each]
    assert minors == [11, 12, 13, 14]
    assert project["requires-python"] == ">=3.11"
    assert "LAST=14" in (ROOT / ".ci/run").read_text(encoding="utf-8")
