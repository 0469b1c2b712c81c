"""Pages of probes and comparisons show their numbers, and nothing in them runs."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest

import penult
from penult.store import Row, TableWriter
from penult.viewer import figures
from penult.viewer.reports import of_comparison, of_probe
from penult.viewer.sheet import write_sheet


class Elements(HTMLParser):
    """The names of a page's elements, their classes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.classes, self.texts = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.classes += (dict(attrs).get("class") or "").split()

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def make_table(tmp_path):
    """Two classes of 20 images each, told apart by a first value of some size."""

    def make(name, size):
        vectors = np.random.default_rng(0).standard_normal((40, 4)).astype(np.float32)
        vectors[:20, 0] += size
        with TableWriter.open_or_create(
            tmp_path / name, {"pool": (4,)}, {"network": "tiny"}
        ) as table:
            table.append(
                Row(f"{'<i>a' if i < 20 else 'b'}/{i:02}", 1, 1, vectors={"pool": vector})
                for i, vector in enumerate(vectors)
            )
        return penult.open(tmp_path / name)

    return make


@pytest.fixture
def page(tmp_path):
    def page(sections):
        write_sheet(tmp_path / "s.html", "t", sections)
        return Elements((tmp_path / "s.html").read_text("utf-8"))

    return page


def test_a_comparison_has_a_table_a_measure_and_a_picture_a_name(make_table, page):
    tables = [make_table("one.lance", 5), make_table("<b>two.lance", 0)]
    found = penult.compare(tables, permutations=9)
    elements = page(of_comparison(found))
    assert [elements.tags.count(tag) for tag in ("table", "img", "script", "b")] == [4, 2, 0, 0]
    assert f"{found.similarities['rsa'][0, 1]:.3f}" in elements.texts
    assert f"p {found.p['rsa'][0, 1]:.2g}" in elements.texts
    assert "<b>two" in elements.texts
    level = round(20 * found.similarities["cka"][0, 1])
    assert f"h{level}" in elements.classes


def test_a_probe_has_intervals_confusions_and_the_unlikeliest_labels(make_table, page):
    report = make_table("t.lance", 3).probe(folds=2)
    elements = page(of_probe(report))
    assert "i" not in elements.tags
    assert elements.tags.count("svg") == 2
    assert elements.tags.count("li") == 24
    assert "<i>a" in elements.texts
    assert f"{report.best.accuracy.value:.1%}" in elements.texts
    assert str(report.best.confusion[0, 0]) in elements.texts
    text = " ".join(elements.texts)
    assert f"Of new images expect {report.expected.value:.1%}" in text


def test_confusions_of_many_classes_are_a_picture(make_table, page, monkeypatch):
    monkeypatch.setattr("penult.viewer.reports.MAX_NUMBERED_CLASSES", 1)
    elements = page(of_probe(make_table("t.lance", 3).probe(folds=2)))
    assert elements.tags.count("img") == 1
    assert elements.tags.count("table") == 1


def test_there_is_a_colour_for_each_level_and_its_text_stands_out():
    rules = re.findall(
        r"\.h(\d+) \{ background: #(\w{6}); color: #(1e1e24|ffffff); \}", figures.style()
    )
    assert [int(level) for level, *_ in rules] == list(range(21))
    for _, *colours in rules:
        one, other = (_luminance(bytes.fromhex(colour)) for colour in colours)
        assert (max(one, other) + 0.05) / (min(one, other) + 0.05) > 4


def _luminance(colour):
    value = np.array([*colour]) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_an_interval_reaches_from_end_to_end_of_its_scale():
    cell = figures.interval(1.0, 0.9, 1.0, 0.9)
    assert 'cx="240.0"' in cell
    assert "M0.0 6" in cell
