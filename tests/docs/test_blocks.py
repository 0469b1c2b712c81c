"""Every command and snippet of README and docs/ runs, in a folder with photos and their table.

A block below a comment `<!-- parsed: why -->` needs what isn't here, weights from the net say: its
commands are parsed, its Python compiled. So are those of pages that another test runs.
"""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from glob import glob
from pathlib import Path
from typing import NamedTuple

import pytest
from tiny import MEANS
from typer.main import get_command
from typer.testing import CliRunner

import penult
import tiny_clip
from penult.cli import app
from penult.cli.voice import Anywhere

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
TESTS = {
    path: path.read_text(encoding="utf-8")
    for path in sorted(ROOT.joinpath("tests").rglob("test_*.py"))
    if path.parent != Path(__file__).parent and path.name != "test_docs.py"
}
BEGIN_WITHOUT_TABLE = {"README.md", "docs/get-started.md", "docs/guides/words.md"}
LAYERS = ["block_5", "pooled_features"]

_BLOCK = re.compile(r"(<!-- parsed: .+ -->\n)?```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TIMES = re.compile(r"in [\d.]+ s( \([\d.]+ images/s\))?")


class Block(NamedTuple):
    """A block of code on a page."""

    language: str
    text: str
    runs: bool


class Command(NamedTuple):
    """A line that begins with a dollar, and what is shown below it."""

    line: str
    output: list[str]


def blocks(page):
    run_elsewhere = page.is_relative_to(DOCS) and any(f"{page.name}" in t for t in TESTS.values())
    text = page.read_text(encoding="utf-8")
    return [
        Block(language, code, runs=not parsed and not run_elsewhere)
        for parsed, language, code in _BLOCK.findall(text)
    ]


def commands(block):
    found = []
    for line in block.text.splitlines():
        if block.language == "sh" or line.startswith("$ "):
            found.append(Command(re.sub(r"\s{2,}#.*", "", line.removeprefix("$ ")), []))
        elif found:
            found[-1].output.append(line)
    return found


def arguments(line):
    """Words of a command, patterns replaced by the files that they fit, as a shell does."""
    for word in shlex.split(line):
        quoted = f"'{word}'" in line or f'"{word}"' in line
        yield from (not quoted and "*" in word and sorted(glob(word))) or [word]  # noqa: PTH207


def parse(line):
    name, *rest = Anywhere.take(shlex.split(line)[1:]).rest
    if name.startswith("-"):
        return
    command = get_command(app).commands[name]
    command.make_context(name, rest)


def penult_commands(line):
    """Those of a line's commands that are Penult's."""
    return [part.strip() for part in line.split(" | ") if part.strip().startswith("penult ")]


@pytest.fixture(scope="module")
def given(model, photos, tmp_path_factory):
    """What pages take for granted: photos, a table, a query, labels, a CLIP."""
    place = tmp_path_factory.mktemp("given")
    shutil.copytree(photos, place / "photos")
    keys = penult.extract(place / "photos", model, out=place / "photos.lance").keys
    for copy in ("a.lance", "b.lance"):
        shutil.copytree(place / "photos.lance", place / copy)
    with penult.load_model(layer=LAYERS) as of_two:
        penult.extract(place / "photos", of_two, out=place / "two.lance")
    shutil.copy(photos / "cat_kitten.jpg", place / "query.jpg")
    for folder in ("new", "more", "scans"):
        (place / folder).mkdir()
        shutil.copy(photos / "koala.jpg", place / folder)
    shutil.copy(photos / "macaw.png", place / "scans/one.tif")
    with (place / "labels.csv").open("w", newline="") as file:
        rows = [(key, "cat" if key[0] in "chk" else "other") for key in keys]
        csv.writer(file).writerows([("key", "label"), *rows])
    (place / "labels.txt").write_text("cat\ndog\nbird\n")
    for name, bias in (("clip", None), ("siglip2", -10.0)):
        (place / name).mkdir()
        tiny_clip.write(place / name / "open_clip_model.safetensors", bias=bias)
        said = {"model_cfg": {"vision_cfg": {"image_size": 32}}, "preprocess_cfg": MEANS}
        (place / name / "open_clip_config.json").write_text(json.dumps(said))
    (place / "tests").symlink_to(ROOT / "tests")
    return place


@pytest.fixture
def workplace(given, request, tmp_path, monkeypatch):
    shutil.copytree(given, tmp_path, symlinks=True, dirs_exist_ok=True)
    if request.getfixturevalue("name") in BEGIN_WITHOUT_TABLE:
        shutil.rmtree(tmp_path / "photos.lance")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize("name", NAMES)
def test_commands_are_parsed(name):
    for block in blocks(ROOT / name):
        for line, _ in commands(block):
            for command in penult_commands(line):
                parse(command)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if any(b.runs for b in blocks(ROOT / name))]
)
def test_blocks_run(name, workplace):
    names = {"__name__": "page"}
    for block in blocks(ROOT / name):
        if block.language == "python":
            code = compile(block.text, name, "exec")
            if block.runs:
                exec(code, names)
        elif block.language in ("console", "sh") and block.runs:
            for command in commands(block):
                run(command)


def run(command):
    """Run a command if it's one of Penult's that ends by itself; compare what it prints."""
    line, shown = command
    if " | " in line:
        run_in_shell(line)
    elif line.startswith("penult view") and "--html" not in line:
        pass  # serves until it is stopped: tests/viewer
    elif line.startswith("penult "):
        result = CliRunner().invoke(app, list(arguments(line))[1:], catch_exceptions=False)
        assert result.exit_code == 0, f"{line}: {result.output}"
        if shown:
            assert matches(shown, result.output.splitlines()), f"{line}: {result.output}"


def run_in_shell(line):
    program = Path("penult")
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m penult "$@"\n')
    program.chmod(0o700)
    environment = os.environ | {"PATH": f"{Path.cwd()}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", line], check=True, env=environment, capture_output=True)


def matches(shown, printed):
    """Whether a command prints the lines shown; times may differ, and any lines stand for …."""
    parts = [".*" if line == "…" else re.escape(_TIMES.sub("in no time", line)) for line in shown]
    text = "\n".join(_TIMES.sub("in no time", line.rstrip()) for line in printed)
    return re.fullmatch("\n".join(parts), text, re.DOTALL)


def test_all_that_is_named_is_there():
    """Scripts of benchmarks/, targets of make and extras, wherever a page names one."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        scripts = re.findall(r"\b(?:benchmarks|examples|tests|tools)/[\w/]+\.py\b", text)
        assert [each for each in scripts if not (ROOT / each).exists()] == [], page
        code = re.findall(r"^(?:    |\$ )make (\w+)|`make (\w+)`", text, re.MULTILINE)
        assert {name for pair in code for name in pair if name} <= targets, page
        extras = re.findall(r"'(?:penult|\.)\[([\w,]+)\]'", text)
        named = {extra for each in extras for extra in each.split(",")}
        assert named <= project["optional-dependencies"].keys(), page


@pytest.mark.parametrize("command", [each.callback for each in app.registered_commands])
def test_each_command_has_an_example_that_is_parsed(command):
    (example,) = re.findall(r"Example: (penult .*)", command.__doc__)
    parse(example)
