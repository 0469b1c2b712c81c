"""Words against open_clip's own numbers; see tests/reference/make_words.py."""

import json
from pathlib import Path

import pytest

import penult
import tiny_clip

WORDS = json.loads(
    Path(__file__).parents[1].joinpath("reference/words.json").read_text(encoding="utf-8")
)

pytestmark = pytest.mark.filterwarnings("ignore:.*nothing says how its input is made")


@pytest.fixture(scope="module")
def sources(photos):
    return [photos / name for name in WORDS["photos"]]


@pytest.fixture(scope="module")
def table(sources, tmp_path_factory):
    place = tmp_path_factory.mktemp("reference")
    weights = tiny_clip.write(place / "clip.safetensors")
    return penult.extract(sources, tiny_clip.NAME, weights=weights, out=place / "t.lance")


def test_scores_are_those_of_open_clip(table):
    for place, query in enumerate(WORDS["queries"]):
        found = {Path(match.key).name: match.score for match in table.search(text=query)}
        expected = dict(zip(WORDS["photos"], (row[place] for row in WORDS["scores"]), strict=True))
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("template", ["simple", "imagenet"])
@pytest.mark.parametrize(("kind", "bias"), [("softmax", None), ("sigmoid", WORDS["bias"])])
def test_probabilities_are_those_of_open_clip(sources, tmp_path, template, kind, bias):
    weights = tiny_clip.write(tmp_path / "clip.safetensors", bias=bias)
    labels = WORDS["labels"]
    found = penult.classify(
        sources, tiny_clip.NAME, weights=weights, labels=labels, template=template
    )
    for one, expected in zip(found, WORDS[template][kind], strict=True):
        classes = dict(one.classes)
        assert [classes[label] for label in labels] == pytest.approx(expected, abs=1e-5)
