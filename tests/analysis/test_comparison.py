"""`compare` finds the images that tables share, and bounds what it holds."""

import sys

import numpy as np
import pytest
from PIL import Image

import penult
from penult.analysis import charts, comparison, drawing
from penult.errors import UsageError


@pytest.fixture
def pair(make_table):
    random = np.random.default_rng(0)
    vectors = random.standard_normal((40, 12))
    one = {f"{i:02}": vectors[i] for i in range(40)}
    other = {f"{i:02}": vectors[i, :5] for i in range(5, 40)}
    return make_table(one, "one.lance"), make_table(other, "other.lance"), vectors


def test_tables_are_compared_on_the_images_that_both_have(pair):
    one, other, vectors = pair
    found = penult.compare([one, str(other.path)], metric="cka", permutations=19)
    assert (found.names, found.images, found.left_out) == (("one", "other"), 35, 5)
    expected = penult.analysis.similarity.cka(vectors[5:], vectors[5:, :5])
    assert found.similarities["cka"][0, 1] == pytest.approx(expected, abs=1e-6)
    assert found.p["cka"][0, 1] == 1 / 20


def test_a_table_is_compared_with_others(pair):
    one, other, _ = pair
    found = one.compare(other.path, metric="cka", permutations=1)
    assert found.rows() == penult.compare([one, other], metric="cka", permutations=1).rows()


def test_p_of_several_pairs_is_corrected(pair, make_table):
    one, other, vectors = pair
    third = make_table({f"{i:02}": vectors[i, 3:] for i in range(5, 40)}, "third.lance")
    found = penult.compare([one, other, third], metric="rsa", permutations=99)
    assert [row["p"] for row in found.rows()] == [0.01] * 3
    assert [row["p_corrected"] for row in found.rows()] == pytest.approx([0.03] * 3)
    assert found.notes[1].startswith("p at most 0.03, corrected for 3 pairs (Holm): tests of 35")


def test_tests_run_without_threadpoolctl(pair, monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    assert penult.compare(pair[:2], metric="cka", permutations=9).p["cka"][0, 1] == 0.1


def test_progress_is_told(pair):
    told = []
    penult.compare(pair[:2], permutations=1, progress=lambda *step: told.append(step))
    assert told == [(step, 8) for step in range(8)]


def test_cka_in_blocks_is_that_of_all_images_while_others_are_sampled(pair, monkeypatch):
    one, other, _ = pair
    whole = penult.compare([one, other], permutations=1)
    monkeypatch.setattr(comparison, "BLOCK", 7)
    found = penult.compare([one, other], sample=20, permutations=1)
    assert found.similarities["cka"] == pytest.approx(whole.similarities["cka"], abs=1e-9)
    assert (found.sampled, found.tested, found.images) == (20, 20, 35)
    assert [row["images"] for row in found.rows()] == [35, 20, 20, 20]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "cca"}, "metric must be one of cka, rsa, knn, procrustes, not 'cca'"),
        ({"k": 0}, "k and permutations must be at least 1, not 0 and 999"),
        ({"k": 35}, "35 images in common, at least 36 are needed"),
        ({"sample": 3, "metric": "rsa"}, "sample must be at least 5, not 3"),
    ],
)
def test_wrong_use(pair, options, message):
    with pytest.raises(UsageError, match=message):
        penult.compare(pair[:2], **options)


def test_one_layer_is_not_enough(pair):
    with pytest.raises(UsageError, match="only 'pool': name a second table, or a second layer"):
        penult.compare(pair[0])


def test_a_layer_named_twice_is_refused(pair):
    with pytest.raises(UsageError, match=r"one\.lance:pool' is named twice: name it once"):
        penult.compare([pair[0], f"{pair[0].path}:pool"])


def test_features_without_variety_are_refused(make_table):
    same = make_table({f"{i:02}": [1, 2] for i in range(20)})
    with pytest.raises(UsageError, match="'t' has the same vector for all images"):
        penult.compare([same, make_table({f"{i:02}": [1, i] for i in range(20)}, "u.lance")])


def test_dissimilarities_are_drawn(pair, tmp_path):
    found = penult.compare(pair[:2], metric="rsa", permutations=1)
    with Image.open(found.png(tmp_path / "rdm.png")) as image:
        assert image.size == (1368, 996)


@pytest.mark.parametrize(
    ("keys", "bands"),
    [
        (["a/1", "a/2", "b/1", "c"], [("a", 0, 2), ("b", 2, 1), ("", 3, 1)]),
        (["a/1", "a/b/1", "a/z"], [("a", 0, 1), ("a/b", 1, 1), ("a", 2, 1)]),
        (["a/1", "a/2"], []),
    ],
)
def test_images_of_a_folder_have_a_band(keys, bands):
    assert charts._bands(keys) == bands


def test_bands_and_names_of_folders_are_drawn(tmp_path):
    keys = [f"{folder}/{i}" for folder in ("cats", "dogs") for i in range(4)]
    matrix = np.ones((8, 8), np.float32)
    out = charts.dissimilarity_chart(["one", "two"], [matrix, matrix], keys, tmp_path / "rdm.png")
    with Image.open(out) as image:
        pixels = np.asarray(image)
    left = 2 * charts.MARGIN + 2 * round(charts._widest(charts._bands(keys))) + 12
    column = pixels[2 * 110 : 2 * 400, left + 4 : left + 12]
    colours = {tuple(colour) for colour in column.reshape(-1, 3)}
    assert {charts.INK, charts.FAINT} <= colours
    plain = charts.dissimilarity_chart(
        ["one"], [matrix], [f"{i}" for i in range(8)], tmp_path / "p.png"
    )
    with Image.open(plain) as image:
        assert image.width < pixels.shape[1]


def test_pairs_are_shown_by_the_share_that_is_as_alike():
    distances = np.array([[0, 3, 1], [3, 0, 1], [1, 1, 0]], np.float32)
    expected = [[0, 1, 2 / 3], [1, 0, 2 / 3], [2 / 3, 2 / 3, 0]]
    assert charts.shares(distances) == pytest.approx(np.array(expected))


def test_colours_grow_lighter_evenly():
    rgb = drawing.coloured(np.linspace(0, 1, 9)) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    lightness = 116 * np.cbrt(luminance) - 16
    steps = np.diff(lightness)
    assert steps.min() > 5
    assert steps.max() < 14
