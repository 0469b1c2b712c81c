"""`probe` tells how well labels can be told from features, and doesn't flatter."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import penult
from penult.analysis import classifiers, drawing, probes
from penult.errors import UsageError
from penult.store import annotate

COPIED = np.array([*np.repeat(np.arange(80), 3), *range(80, 120)])  # what each row is a copy of


@pytest.fixture(scope="module")
def digits():
    found = load_digits()
    return found.data[:300].astype(np.float32), found.target[:300]


@pytest.fixture
def table(make_table, digits):
    vectors, labels = digits
    return make_table({f"{labels[i]}/{i:03}": vectors[i] for i in range(300)})


def test_digits_are_told_apart(table):
    report = table.probe(folds=3)
    assert report.classes == tuple("0123456789")
    assert (len(report.keys), report.left_out) == (300, 0)
    assert {result.method for result in report.results} == {"linear", "knn"}
    best, other = report.results
    assert best.accuracy.value >= other.accuracy.value > 0.85
    assert best.accuracy.low < best.accuracy.value < best.accuracy.high
    assert best.p is None
    assert 0 < other.p <= 1
    assert best.confusion.sum() == 300


def test_labels_that_mean_nothing_give_chance(make_table):
    random = np.random.default_rng(0)
    vectors = random.standard_normal((200, 400))  # wide enough to learn any labels by heart
    names = {f"{i:03}": "ab"[random.integers(2)] for i in range(200)}
    table = make_table({f"{i:03}": vectors[i] for i in range(200)})
    for result in penult.probe(table, names).results:
        assert 0.4 < result.accuracy.value < 0.6


@pytest.fixture
def copied(make_table):
    """Noise with labels that mean nothing: 80 rows thrice, and 40 that have no copies."""
    random = np.random.default_rng(0)
    vectors = random.standard_normal((120, 50))[COPIED]
    labels = {f"{i:03}": "ab"[number % 2] for i, number in enumerate(COPIED)}
    table = make_table(dict(zip(labels, vectors, strict=True)))
    of = [f"{number:03}" if number < 80 else None for number in COPIED]
    annotate(table, {"duplicate_of": of, "label": [*labels.values()], "all": len(of) * ["one"]})
    return table, labels


def test_copies_in_other_folds_flatter_and_groups_stay_together(copied):
    table, labels = copied
    apart, together = (penult.probe(table, labels, groups=by, k=1) for by in (None, "duplicate_of"))
    assert apart.best.accuracy.value > 0.9
    assert together.best.accuracy.value < 0.65
    assert (apart.groups, together.groups) == (280, 120)
    assert together.notes[0].startswith("280 images; 2 classes; 5 folds of 120 groups; chance")


def test_no_group_is_in_two_folds_and_classes_are_in_all():
    task = classifiers.Task(COPIED % 2, 2, COPIED)
    tested = []
    for train, test in classifiers.split(task, 5):
        assert set(COPIED[train]).isdisjoint(COPIED[test])
        assert len(train) + len(test) == 280
        assert np.bincount(task.truth[np.intersect1d(test, task.leaders)]).tolist() == [12, 12]
        tested.extend(test)
    assert sorted(tested) == [*range(280)]


def test_groups_that_give_no_folds(copied):
    table, labels = copied
    with pytest.raises(
        UsageError, match="has no column 'twin_of': it has duplicate_of, label, all"
    ):
        penult.probe(table, labels, groups="twin_of")
    with pytest.raises(UsageError, match="fewer groups than the 5 folds: 'a' 1, 'b' 1"):
        penult.probe(table, labels, groups="label")
    with pytest.raises(UsageError, match="fewer groups than the 5 folds: 'a' 1, 'b' 0"):
        penult.probe(table, labels, groups="all")


def test_a_fold_is_predicted_the_same_whatever_its_own_values_scale_others_by(digits):
    vectors, labels = digits
    task = classifiers.Task(labels, 10, np.arange(300))
    whole = classifiers.crossed(vectors, task, 3, classifiers.linear)
    train, test = next(classifiers.split(task, 3))
    alone = classifiers.linear(vectors[train], task.select(train)).probabilities(vectors[test])
    assert np.array_equal(whole[test], alone)


def test_layers_are_compared_in_the_order_of_accuracy(table, make_table, digits):
    vectors, labels = digits
    noise = np.random.default_rng(0).standard_normal(vectors.shape) * 20
    blurred = {f"{labels[i]}/{i:03}": vectors[i] + noise[i] for i in range(10, 300)}
    report = penult.probe([make_table(blurred, "noisy.lance"), table], folds=3)
    assert [result.name for result in report.results] == ["t", "t", "noisy", "noisy"]
    assert report.results[-1].p < 1e-6
    assert (len(report.keys), report.left_out) == (290, 10)


def test_what_is_told_of_the_results(table):
    told = []
    report = table.probe(folds=2, progress=lambda *step: told.append(step))
    assert told == [(0, 2), (1, 2)]
    assert report.notes[0] == "300 images; 10 classes; 2 folds; chance 10.7%, balanced 10.0%"
    assert report.expected.value < report.best.accuracy.value + 0.005
    assert f"expect {report.expected.value:.1%}" in report.notes[2]


def test_a_list_has_the_unlikeliest_labels_first(make_table, digits):
    vectors, labels = digits
    of = {f"{i:03}": str(labels[i]) for i in range(300)} | {"007": "0"}
    table = make_table({f"{i:03}": vectors[i] for i in range(300)})
    rows = list(penult.probe(table, of, folds=3).rows())
    assert ("007", "0", "7") in [tuple(row.values())[:3] for row in rows[:5]]
    assert tuple(rows[0]) == probes.COLUMNS
    likely = [row["label_probability"] for row in rows]
    assert likely == sorted(likely)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,label\n", r"l\.csv', line 1: no column key: begin with a line key,label"),
        ("", r"line 1: no column key or label"),
        ("key,label\n1,a\nx,b\n", r"line 3: 'x' is no key of the table, .* such as '0'"),
        ("key,label\n1,a\n1,b\n", r"line 3: a second label for '1': leave one"),
        (f"key,label\n1,{'l' * 1025}\n", "line 2: a label of more than 1024 characters"),
        ("key,label\n1\n", "line 2: expected a key and a label, separated by a comma"),
        ("key,label\n1,a\n", "1 images with a label, all 'a': a probe needs at least two classes"),
        (
            "key,label\n0,a\n1,b\n2,b\n",
            "classes with fewer images than the 2 folds: 'a' 1: add images",
        ),
        ('key,label\n"1', r"no CSV in UTF-8 \(unexpected end of data\)"),
    ],
)
def test_wrong_labels(make_table, tmp_path, text, message):
    table = make_table({str(i): [i, 1] for i in range(4)})
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        penult.probe(table, tmp_path / "l.csv", folds=2)


def test_labels_that_are_no_file(make_table):
    with pytest.raises(UsageError, match=r"'nope\.csv': no such file or directory; labels are"):
        penult.probe(make_table({"a": [1, 2]}), "nope.csv")


def test_labels_may_be_numbers(make_table):
    table = make_table({f"{i}": [i // 3, 1] for i in range(6)})
    assert table.probe({f"{i}": np.int64(i // 3) for i in range(6)}, folds=2).classes == ("0", "1")


def test_images_without_a_label_are_left_out(make_table, tmp_path):
    table = make_table({f"{i}": [i // 3, 1] for i in range(8)})
    rows = "".join(f"{i},{'ab'[i // 3]}\n" for i in range(6))
    (tmp_path / "l.csv").write_text(f"\ufeffkey,label\n{rows}6,\nzz_failed.jpg,a\n", "utf-8")
    report = table.probe(tmp_path / "l.csv", folds=2, k=1)
    assert (len(report.keys), report.left_out) == (6, 2)
    assert report.best.accuracy.value == 1


def test_probes_are_drawn(table, tmp_path):
    out = table.probe(folds=2).png(tmp_path / "probe.png")
    with Image.open(out) as image:
        assert image.width == 1616


def test_a_picture_is_a_png(table):
    with pytest.raises(UsageError, match=r"'a\.jpg': expected a picture to end in \.png"):
        drawing.require_png("a.jpg")
