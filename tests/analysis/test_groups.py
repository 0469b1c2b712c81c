"""Clusters, outliers and samples of digits and of made-up groups."""

import re

import numpy as np
import pytest
from sklearn.datasets import load_digits

import penult
from penult.analysis import clusters as clusters_module
from penult.analysis import grouping
from penult.errors import MissingExtraError, UsageError
from penult.store import Row, TableWriter


def blobs(count=4, each=20, width=8, seed=0):
    """Vectors in `count` directions, by keys in as many folders."""
    chance = np.random.default_rng(seed)
    return {
        f"{group}/{i:02}.jpg": np.eye(width)[group] + chance.normal(0, 0.05, width)
        for group in range(count)
        for i in range(each)
    }


@pytest.fixture(scope="module")
def digits():
    data, target = load_digits(return_X_y=True)
    return {
        f"{label}/{i:04}.png": row for i, (row, label) in enumerate(zip(data, target, strict=True))
    }


@pytest.mark.parametrize("method", ["kmeans", "agglomerative"])
@pytest.mark.parametrize("k", [4, "auto"])
def test_clusters_are_found_and_so_is_their_number(make_table, method, k):
    found = make_table(blobs()).cluster(k, method=method)
    assert [each.size for each in found.clusters] == [20] * 4
    assert found.labels.tolist() == [0] * 20 + [1] * 20 + [2] * 20 + [3] * 20
    assert found.agreement == (4, 1, 1, 1)
    assert found.silhouette > 0.7


@pytest.mark.parametrize("method", ["kmeans", "agglomerative"])
def test_images_that_are_all_the_same_are_one_cluster(make_table, method):
    found = make_table({f"{i}.jpg": [1, 2] for i in range(6)}).cluster(method=method)
    assert [each.size for each in found.clusters] == [6]
    assert found.silhouette is None


def test_more_clusters_than_different_images(make_table):
    found = make_table({f"{i}.jpg": [i // 5, 1] for i in range(10)}).cluster(4)
    assert [each.size for each in found.clusters] == [5, 5]


def test_hdbscan_leaves_noise_apart(make_table):
    vectors = blobs() | {"odd.jpg": -np.ones(8)}
    found = make_table(vectors).cluster(method="hdbscan")
    assert dict(zip(found.keys, found.labels, strict=True))["odd.jpg"] == -1
    assert [each.label for each in found.clusters] == [-1, 0, 1, 2, 3]


def test_labels_are_stored_and_failed_images_have_none(make_table):
    features = make_table(blobs())
    found = features.cluster(4, store=True, column="group_4")
    for table in (features, penult.open(features.path)):
        assert table.columns == {"group_4": "int32", "group_4_name": "string"}
        assert table.facts(["group_4"])["group_4"].to_pylist() == found.labels.tolist()
    assert features.where("group_4 = 0").size == found.clusters[0].size


def test_nothing_is_written_unless_asked(make_table):
    features = make_table(blobs())
    before = features.info
    penult.cluster(features.path, 4)
    features.cluster(4)
    assert penult.open(features.path).info == before
    with pytest.raises(UsageError, match="column says where to store: give store=True too"):
        features.cluster(4, column="mine")


def test_vectors_of_rows_that_came_meanwhile_are_read_anew(make_table):
    features = make_table(blobs())
    with TableWriter.open(features.path) as table:
        table.append([Row("new.jpg", 1, 1, vectors={"pool": np.ones(8, np.float32)})])
    assert len(features.cluster(4, store=True).keys) == 80
    assert len(features.cluster(4).keys) == len(features) == 81
    assert features.facts(["cluster"])["cluster"].null_count == 1


def test_a_name_that_labels_cannot_have_is_refused_before_they_are_found(make_table, monkeypatch):
    features = make_table(blobs())
    monkeypatch.setattr(grouping, "METHODS", {})
    with pytest.raises(UsageError, match="column 'key' is the table's own: choose another name"):
        features.cluster(4, store=True, column="key")


def test_the_order_of_rows_does_not_matter(make_table):
    vectors = blobs(each=15)
    other = dict(sorted(vectors.items(), key=lambda item: hash(item[1].tobytes())))
    one, two = make_table(vectors, "a.lance"), make_table(other, "b.lance")
    assert one.cluster(6).labels.tolist() == two.cluster(6).labels.tolist()
    assert one.outliers(5) == two.outliers(5)
    assert one.sample(5, diverse=True) == two.sample(5, diverse=True)
    assert one.sample(5) == two.sample(5)


@pytest.mark.parametrize("method", ["kmeans", "agglomerative", "hdbscan"])
def test_rows_outside_of_the_sample_go_to_the_nearest_group(make_table, monkeypatch, method):
    monkeypatch.setattr(clusters_module, "SAMPLES", dict.fromkeys(clusters_module.SAMPLES, 40))
    found = make_table(blobs(each=40)).cluster("auto" if method == "hdbscan" else 4, method=method)
    assert found.agreement.purity == 1


def test_digits_fall_into_their_classes(make_table, digits):
    assert make_table(digits).cluster(10).agreement.nmi > 0.7


def test_central_images_are_nearest_to_the_centre(make_table):
    found = make_table(blobs()).cluster(4)
    nearest = min(range(20), key=found.distances.__getitem__)
    assert found.clusters[0].central[0] == found.keys[nearest]


def test_clusters_are_called_by_their_folder_or_most_central_image(make_table):
    vectors = blobs(count=3, each=9)
    mixed = [np.eye(8)[group] for group in (3, 3, 3, 4, 4)]
    vectors |= dict(zip(["0/x", "1/x", "x", "2/x", "2/y"], mixed, strict=True))
    features = make_table(vectors)
    found = features.cluster(5, store=True)
    names = {each.label: each.name for each in found.clusters}
    assert names == {0: "0", 1: "1", 2: found.clusters[2].central[0], 3: "0/x", 4: "2/x"}
    stored = features.facts(["cluster_name"])["cluster_name"].to_pylist()
    assert stored == [names[label] for label in found.labels]


def test_noise_is_called_so(make_table):
    vectors = blobs() | {"odd.jpg": -np.ones(8)}
    assert make_table(vectors).cluster(method="hdbscan").clusters[0].name == "noise"


@pytest.mark.parametrize("k", ["auto", 3])
def test_stages_are_told_and_all_are_done(make_table, k):
    told = []
    make_table(blobs()).cluster(k, progress=lambda *steps: told.append(steps))
    done = [done for done, _ in told]
    assert told[0][0] == 0
    assert done == sorted(done)
    assert told[-1][0] == told[-1][1] == (16 if k == "auto" else 3)


def test_no_call_takes_more_than_one_thread(make_table, monkeypatch):
    from threadpoolctl import threadpool_info

    threads = []
    labels = grouping._kmeans_labels

    def counted(sample, k):
        threads.extend(each["num_threads"] for each in threadpool_info())
        return labels(sample, k)

    monkeypatch.setattr(grouping, "_kmeans_labels", counted)
    make_table(blobs()).cluster()
    assert set(threads) == {1}


@pytest.mark.parametrize(
    ("k", "options", "message"),
    [
        (0, {}, "k must be from 1 to 80, not 0"),
        (81, {}, "k must be from 1 to 80, not 81"),
        (3, {"method": "hdbscan"}, "hdbscan finds the number of clusters by itself: leave out k"),
        ("many", {}, "k must be a number or auto, not 'many'"),
        (3, {"method": "em"}, "method must be one of kmeans, hdbscan, agglomerative, not 'em'"),
        (3, {"metric": "dot"}, "metric must be one of cosine, l2, not 'dot'"),
    ],
)
def test_options_that_cannot_be_used(make_table, k, options, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        make_table(blobs()).cluster(k, **options)


def test_two_rows_are_too_few(make_table):
    features = make_table({"a": [1, 0], "b": [0, 1]})
    with pytest.raises(UsageError, match="has 2 rows: clusters need at least 3"):
        features.cluster()
    with pytest.raises(UsageError, match="has 2 rows: outliers need at least 3"):
        features.outliers()


def test_a_missing_package_is_named(make_table, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.cluster", None)
    with pytest.raises(MissingExtraError, match=r"cluster needs .* 'penult\[analysis\]'"):
        make_table(blobs()).cluster(4)


def test_what_is_unlike_all_others_comes_first(make_table):
    features = make_table(blobs() | {"odd.jpg": -np.ones(8)})
    first, second = features.outliers(2)
    assert first.key == "odd.jpg"
    assert first.distance > 1
    assert second.distance < 0.2


def test_an_outlier_distance_leaves_the_row_itself_out(make_table):
    found = make_table({"a": [1, 0], "b": [0, 1], "c": [-1, 0]}).outliers(3)
    assert {each.key: each.distance for each in found} == {"a": 1.5, "c": 1.5, "b": 1}


def test_a_diverse_sample_has_all_groups_and_begins_in_the_middle(make_table):
    features = make_table(blobs() | {"middle.jpg": np.ones(8)})
    chosen = features.sample(6, diverse=True)
    assert chosen[0] == "middle.jpg"
    assert {key[0] for key in chosen[1:]} >= set("0123")
    assert features.sample(3, diverse=True) == chosen[:3]


def test_a_random_sample_depends_on_the_seed_only(make_table):
    features = make_table(blobs())
    assert features.sample(10) == sorted(features.sample(10)) != features.sample(10, seed=1)
    assert features.sample(1000) == features.keys


@pytest.mark.parametrize("diverse", [True, False])
def test_samples_meet_a_condition(make_table, diverse):
    features = make_table(blobs())
    chosen = features.sample(30, diverse=diverse, where="key LIKE '2/%'")
    assert sorted(chosen) == [f"2/{i:02}.jpg" for i in range(20)]
    assert features.sample(3, diverse=diverse, where="width > 99") == []
