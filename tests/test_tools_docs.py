"""The examples of docs/tools.md run."""

import re
from pathlib import Path

import pytest

import penult

EXAMPLES = (Path(__file__).parents[1] / "docs/tools.md").read_text(encoding="utf-8")


@pytest.fixture
def workplace(model, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    penult.extract(photos, model, out="photos.lance")


def test_the_examples_of_other_tools_run(workplace):
    blocks = re.findall(r"^```python\n(.*?)^```", EXAMPLES, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 7
    names = {}
    for block in blocks:
        exec(block, names)
