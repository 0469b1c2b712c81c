"""Clusters get the names of the words nearest to their centres."""

import numpy as np
import pytest

import penult
from fake_words import Words
from penult.analysis import naming, words
from penult.errors import NetworkError, UsageError

WORDS = {"east": [1, 0], "north": [0, 1], "north-east": [2, 2], "west": [-5, 0]}
VECTORS = {
    **{f"e{n}": [n + 1, 0.01 * n] for n in range(5)},
    **{f"n{n}": [0.01 * n, n + 1] for n in range(4)},
    **{f"w{n}": [-n - 1, 0.01 * n] for n in range(3)},
}


@pytest.fixture
def table(make_table, monkeypatch):
    monkeypatch.setattr(words, "read_tower", lambda *_: Words(WORDS))
    return make_table(VECTORS, layer="image_features")


def test_the_nearest_words_name_a_cluster(table):
    found = table.cluster(3, name=[*WORDS], store=True)
    assert [(each.size, each.names) for each in found.clusters] == [
        (5, ("east", "north-east", "north")),
        (4, ("north", "north-east", "east")),
        (3, ("west", "north", "north-east")),
    ]
    stored = penult.open(table.path).facts(["cluster", "cluster_name"]).to_pydict()
    assert stored["cluster"] == [0] * 5 + [1] * 4 + [2] * 3
    assert stored["cluster_name"] == ["east"] * 5 + ["north"] * 4 + ["west"] * 3


def test_names_come_from_a_file(table, tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("north\neast\n", "utf-8")
    found = table.cluster(3, name=file)
    assert [each.names for each in found.clusters][:2] == [("east", "north"), ("north", "east")]


def test_words_are_taken_in_batches(table, monkeypatch):
    whole = table.cluster(3, name=[*WORDS])
    monkeypatch.setattr(naming, "BATCH", 1)
    assert table.cluster(3, name=[*WORDS]).clusters == whole.clusters


def test_noise_has_no_name(table):
    labels = np.array([-1] * 5 + [0] * 4 + [-1] * 3, np.int32)
    found = naming.nearest_words(table, "image_features", labels, ["east", "north"], "{}")
    assert found == {0: ("north", "east")}


def test_names_of_another_clustering_go(table):
    table.cluster(3, name=[*WORDS], store=True)
    again = penult.open(table.path)
    assert [each.names for each in again.cluster(2, store=True).clusters] == [(), ()]
    stored = penult.open(table.path).facts(["cluster_name"]).to_pydict()
    assert set(stored["cluster_name"]) <= set(table.keys)


def test_a_network_without_words_is_refused_before_anything_is_computed(make_table, monkeypatch):
    monkeypatch.setattr("penult.analysis.clusters.rows", None)
    with pytest.raises(NetworkError, match="has no layer image_features"):
        make_table(VECTORS).cluster(3, name="nouns")
    with pytest.raises(UsageError, match="no such file"):
        make_table(VECTORS, "again.lance").cluster(3, name="gone.txt")
