"""Which text tower a table's words go through: that of the weights which made it, and no other."""

import os
import shutil

import numpy as np
import pytest

import penult
import tiny_clip
from penult.errors import CheckpointError, NetworkError, UsageError
from penult.model.text import TextModel

TEXTS = ["a red bicycle", "two cats"]

pytestmark = pytest.mark.filterwarnings("ignore:.*nothing says how its input is made")


@pytest.fixture(scope="module")
def made(photos, tmp_path_factory):
    """A table of three photos beside the weights that made it."""
    place = tmp_path_factory.mktemp("towers")
    (place / "photos").mkdir()
    for name in ("cat_chelsea.jpg", "rocket.jpg", "tripod.jpg"):
        shutil.copy(photos / name, place / "photos")
    with _load(tiny_clip.write(place / "clip.safetensors")) as model:
        penult.extract(place / "photos", model, out=place / "t.lance")
    return place


def _load(weights):
    return penult.load_model(tiny_clip.NAME, weights=weights)


@pytest.fixture
def place(made, tmp_path):
    return shutil.copytree(made, tmp_path / "copy")


@pytest.fixture
def table(place):
    """The copied table, which names the weights where they were first."""
    return penult.open(place / "t.lance")


@pytest.fixture
def digests(monkeypatch):
    """Of which files a digest was asked."""
    asked, digest = [], TextModel.digest
    monkeypatch.setattr(TextModel, "digest", lambda self: asked.append(self.path) or digest(self))
    return asked


def test_scores_are_cosines_of_both_towers(made, digests):
    table = penult.open(made / "t.lance")
    text = _load(made / "clip.safetensors").embed_text(TEXTS)
    unit = text / np.linalg.norm(text, axis=1, keepdims=True)
    query = unit.mean(axis=0)
    vectors = table.numpy()
    cosines = vectors @ query / np.linalg.norm(vectors, axis=1) / np.linalg.norm(query)
    found = table.search(text=TEXTS)
    expected = dict(zip(table.keys, cosines.tolist(), strict=True))
    assert {match.key: match.score for match in found} == pytest.approx(expected, abs=1e-6)
    assert digests == []  # size and time tell that it's the file


def test_templates_are_averaged_as_the_papers_do(made):
    table = penult.open(made / "t.lance")
    model = _load(made / "clip.safetensors")
    templates = ["a photo of {}", "{}, drawn"]
    query = model.embed_text(["two cats"], templates=templates)[0]
    found = table.search(text="two cats", template=templates)
    assert found == [match._replace(score=pytest.approx(match.score)) for match in
                     table.search(query)]  # fmt: skip


def test_weights_that_have_moved(place, table, made):
    (made / "clip.safetensors").rename(made / "elsewhere")
    try:
        with pytest.raises(CheckpointError, match=r"clip.*say where the weights of '.*lance' are"):
            table.search(text="cats")
        assert table.search(text="cats", weights=place / "clip.safetensors")
    finally:
        (made / "elsewhere").rename(made / "clip.safetensors")


def test_a_file_that_was_touched_is_known_by_its_digest(place, table, digests):
    weights = place / "clip.safetensors"
    os.utime(weights, ns=(1, 1))
    assert table.search(text="cats", weights=weights)
    assert digests == [weights]


def test_other_weights_are_refused(place, table):
    other = tiny_clip.write(place / "other.safetensors", bias=-10)
    said = r"other\.safetensors' didn't make '.*t\.lance': name the weights that did \(-w\)"
    with pytest.raises(UsageError, match=said):
        table.search(text="cats", weights=other)


def test_weights_of_images_only(photos, tmp_path):
    weights = tiny_clip.write(tmp_path / "images.safetensors", text=False)
    table = penult.extract(photos / "rocket.jpg", _load(weights), out=tmp_path / "t.lance")
    with pytest.raises(NetworkError, match="has no text tower; some that have are clip, "):
        table.search(text="cats")


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "text 0 is empty"), ("a\0b", "has a NUL"), ("x" * 10**7, "has 10,000,000 characters")],
)
def test_texts_that_are_none(made, text, said):
    with pytest.raises(UsageError, match=said):
        penult.open(made / "t.lance").search(text=text)


def test_classify_by_labels(made):
    [cat, *_] = penult.classify(
        made / "photos", tiny_clip.NAME, weights=made / "clip.safetensors", labels="cat,a dog"
    )
    assert sum(share for _, share in cat.classes) == pytest.approx(1)
    assert {name for name, _ in cat.classes} == {"cat", "a dog"}
