"""CLIP's ids against those of open_clip 3.3.0 and transformers 5.24.0."""

import json
from pathlib import Path

import pytest

from penult.text import clip

ROWS = json.loads(Path(__file__).with_name("clip_bpe.json").read_text(encoding="utf-8"))["rows"]


@pytest.mark.parametrize("library", ["open_clip", "transformers"])
def test_ids_are_those_of_the_library(library):
    tokenizer = getattr(clip, library)(77)
    found = tokenizer.ids([row["text"] for row in ROWS])
    expected = [row.get(library, row["open_clip"]) for row in ROWS]
    different = {
        row["text"]: (f, e) for row, f, e in zip(ROWS, found, expected, strict=True) if f != e
    }
    assert not different
    assert len(ROWS) == 68
    assert tokenizer.vocabulary == 49_408
