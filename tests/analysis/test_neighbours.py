"""`search` finds what is near, exactly or by an index."""

import numpy as np
import pytest

import penult
from penult.analysis import neighbours, vectors
from penult.errors import ImageError, MissingKeyError, StoreError, UsageError
from penult.store import TableWriter

COMPASS = {"east": [2, 0], "north": [0, 1], "north_east": [1, 1], "west": [-1, 0], "zero": [0, 0]}


def keys(matches):
    return [match.key for match in matches]


@pytest.fixture
def compass(make_table):
    return make_table(COMPASS, facts={"west": {"width": 2000}, "north": {"width": 1500}})


def test_a_key_finds_the_nearest_others(compass):
    found = compass.search("east", k=2)
    assert keys(found) == ["north_east", "north"]
    assert found[0].score == pytest.approx(0.5**0.5)


def test_the_table_may_be_named_by_its_path(compass):
    assert keys(penult.search(compass.path, "east", 1)) == ["north_east"]


def test_vectors_are_queries_too(compass):
    assert keys(compass.search(np.array([0.1, 1.0]), k=2)) == ["north", "north_east"]


def test_several_queries_count_the_same_whatever_their_length(compass):
    found = compass.search(["east", "north"], k=1)
    assert keys(found) == ["north_east"]
    assert found[0].score == pytest.approx(1)


def test_what_is_excluded_is_subtracted_and_not_found(compass):
    assert keys(compass.search("north_east", exclude="east")) == ["north", "west", "zero"]


@pytest.mark.parametrize(
    ("metric", "nearest", "score"),
    [("dot", "east", 2), ("l2", "north", 0.5), ("cosine", "east", 1)],
)
def test_metrics(compass, metric, nearest, score):
    query = np.array([0, 0.5] if metric == "l2" else [1, 0])
    assert compass.search(query, 1, metric=metric) == [(nearest, pytest.approx(score))]


def test_a_condition_leaves_rows_out(compass):
    assert keys(compass.search("east", where="width > 1000")) == ["north", "west"]


def test_a_wrong_condition_is_named(compass):
    with pytest.raises(UsageError, match=r"can't select rows where 'widht > 1': .*widht"):
        compass.search("east", where="widht > 1")


def test_failed_images_are_not_found(compass):
    assert "zz_failed.jpg" not in keys(compass.search("east", 100, where="key LIKE '%'"))


def test_blocks_give_what_one_matrix_gives(make_table, monkeypatch):
    random = np.random.default_rng(0)
    made = {f"{i:03}": random.standard_normal(3) for i in range(200)}
    whole = make_table(made).search("007", 20)
    monkeypatch.setattr(vectors, "HELD_BYTES", 0)
    monkeypatch.setattr("penult.store.reader.BATCH_BYTES", 3000)
    assert make_table(made, "again.lance").search("007", 20) == whole


def test_more_than_there_are(compass):
    assert len(compass.search("east", 100)) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 0}, "k must be at least 1, not 0"),
        ({"metric": "cos"}, "metric must be one of cosine, l2, dot, not 'cos'"),
        ({"queries": []}, "nothing to search for"),
        ({"queries": np.zeros(3)}, "a vector to search has 2 values"),
        ({"queries": np.array([0, np.nan])}, "a vector to search has values that are NaN"),
        ({"queries": "zero"}, "nothing is left to search for: the vectors are zeros"),
        ({"exclude": "east"}, "nothing is left to search for: .* cancel each other"),
        ({"queries": ["east", "west"], "metric": "dot", "exclude": np.array([0.5, 0])}, "cancel"),
    ],
)
def test_wrong_use(compass, arguments, message):
    with pytest.raises(UsageError, match=message):
        penult.search(compass, **({"queries": "east"} | arguments))


def test_an_image_needs_a_table_that_says_what_made_it(compass):
    with pytest.raises(StoreError, match=r"doesn't say its weights_path, .*: make it again"):
        compass.search(b"an image")


def test_images_go_through_the_model_that_made_the_table(model, photos, tmp_path):
    features = penult.extract(photos / "space", model, out=tmp_path / "space.lance")
    image = photos / "space/earth.png"
    first, second = features.search(image, 2)
    assert first == ("earth.png", pytest.approx(1, abs=1e-5))
    assert features.search("earth.png", 1) == [("mars.png", pytest.approx(second.score, abs=1e-5))]


def test_a_word_that_is_nothing_may_have_been_meant_as_a_key(compass):
    message = "unreadable: 'nort': No such file or directory; nor is it a key of .*, such as north,"
    with pytest.raises(ImageError, match=message):
        compass.search("east", exclude="nort")


def test_values_that_are_no_numbers_are_named(make_table):
    features = make_table(COMPASS | {"odd": [np.nan, 1]})
    for use in (features.search, features.duplicates, features.cluster, features.map):
        with pytest.raises(StoreError, match="layer 'pool' has values that are no finite numbers"):
            use("east") if use == features.search else use()


@pytest.fixture
def clustered(make_table, monkeypatch):
    """Make a table of 300 rows in 3 clusters, which is enough for an index here."""
    monkeypatch.setattr(neighbours, "EXACT_BELOW", 300)

    def make(width=16):
        random = np.random.default_rng(0)
        centres = 3 * random.standard_normal((3, width))
        return make_table(
            {f"{i:03}": centres[i % 3] + random.standard_normal(width) for i in range(300)}
        )

    return make


def test_an_open_table_is_indexed_too(clustered):
    features = clustered()
    assert features.index(metric="dot").metric == "dot"
    assert penult.open(features.path).indexed() == "dot"


@pytest.fixture
def indexed(clustered):
    """Such a table, opened before it got its index."""
    features = clustered()
    return features, penult.index(features.path)


def test_an_index_finds_what_an_exact_search_finds(indexed):
    old, report = indexed
    features = penult.open(old.path)
    assert (report.rows, report.layer, report.metric) == (300, "pool", "cosine")
    assert report.recall >= 0.95
    assert features.indexed() == "cosine"
    by_index = features.search("007", 5)
    exactly = old.search("007", 5)
    assert by_index == [(key, pytest.approx(score, abs=1e-5)) for key, score in exactly]


@pytest.mark.parametrize("metric", ["cosine", "l2", "dot"])
@pytest.mark.parametrize("width", [15, 16])
def test_layers_of_any_width_get_an_index(clustered, width, metric):
    features = clustered(width)
    assert 0.95 <= penult.index(features.path, metric=metric).recall <= 1
    exactly = features.search(np.ones(width), 3, metric=metric)
    by_index = penult.open(features.path).search(np.ones(width), 3, metric=metric)
    assert by_index == [(key, pytest.approx(score, rel=1e-4)) for key, score in exactly]


def test_info_names_the_index(indexed):
    assert indexed[0].info["indexes"] == {}
    assert penult.open(indexed[0].path).info["indexes"] == {"pool": "cosine"}


def test_an_index_knows_conditions(indexed):
    features = penult.open(indexed[0].path)
    assert keys(features.search("007", 5, where="key < '002'")) == ["001", "000"]


def test_another_metric_goes_without_the_index(indexed):
    features = penult.open(indexed[0].path)
    assert features.search("007", 5, metric="l2") == indexed[0].search("007", 5, metric="l2")


def test_an_index_is_made_anew_in_place_of_the_old(indexed):
    penult.index(indexed[0].path, metric="dot")
    features = penult.open(indexed[0].path)
    assert features.indexed() == "dot"
    query = np.ones(16, np.float32)
    exact = indexed[0].search(query, 3, metric="dot")
    found = features.search(query, 3, metric="dot")
    assert found == [(key, pytest.approx(score, rel=1e-4)) for key, score in exact]


def test_rows_added_after_the_index_are_found(indexed, make_table):
    row = indexed[0].numpy()[7]
    features = make_table({"new": row})
    assert features.search("007", 1) == [("new", pytest.approx(1, abs=1e-5))]


def test_an_index_outlives_compaction(indexed, make_table):
    for i in range(3):
        make_table({f"new{i}": indexed[0].numpy()[i]})
    with TableWriter.open(indexed[0].path) as table:
        table.compact(1)
    features = penult.open(indexed[0].path)
    assert features.indexed() == "cosine"
    assert keys(features.search("001", 1)) == ["new1"]


def test_a_damaged_index_is_named_and_made_again(indexed):
    path = indexed[0].path
    for file in path.glob("_indices/*/*"):
        file.write_bytes(b"")
    with pytest.raises(StoreError, match=r"can't search: .*; make its index again"):
        penult.open(path).search("007")
    assert penult.index(path).recall >= 0.95


def test_a_small_table_needs_no_index(compass):
    with pytest.raises(UsageError, match="has 5 rows: below 100,000 a search compares all of them"):
        penult.index(compass.path)


def test_an_index_is_on_the_disk_before_a_version_names_it(make_table, monkeypatch):
    events = []
    monkeypatch.setattr(neighbours, "EXACT_BELOW", 300)
    monkeypatch.setattr("penult.util.files.sync_one", events.append)
    random = np.random.default_rng(0)
    features = make_table({f"{i:03}": random.standard_normal(16) for i in range(300)})
    events.clear()
    penult.index(features.path)
    names = [path.name for path in events]
    assert "index.idx" in names
    assert names.index("index.idx") < next(
        i for i, name in enumerate(names) if name.endswith(".manifest")
    )


def test_a_search_among_keys_finds_no_others(compass):
    assert keys(compass.search("east", keys=["west", "north"])) == ["north", "west"]
    assert keys(compass.search("east", keys=["west", "north"], where="width > 1600")) == ["west"]


def test_keys_that_the_table_lacks_are_counted(compass):
    with pytest.raises(MissingKeyError, match=r"lacks 2 of the 3 keys in keys, the first is 'up'"):
        compass.search("east", keys=["north", "up", "down"])


@pytest.mark.parametrize("held", [0, vectors.HELD_BYTES])
@pytest.mark.parametrize("count", [5, 150])
def test_the_nearest_of_some_rows_are_the_nearest_of_all_that_are_among_them(
    make_table, monkeypatch, held, count
):
    monkeypatch.setattr(vectors, "HELD_BYTES", held)
    random = np.random.default_rng(0)
    features = make_table({f"{i:03}": random.standard_normal(3) for i in range(200)})
    places = np.sort(random.choice(200, count, replace=False))
    among = {features.keys[place] for place in places}
    every = neighbours.nearest(features, "pool", np.ones(3, np.float32), 200)
    some = neighbours.nearest(features, "pool", np.ones(3, np.float32), 10, places=places)
    expected = [match for match in every if match.key in among][:10]
    assert keys(some) == keys(expected)
    assert [match.score for match in some] == pytest.approx([match.score for match in expected])


def test_few_rows_are_read_alone(make_table, monkeypatch):
    random = np.random.default_rng(0)
    features = make_table({f"{i:03}": random.standard_normal(3) for i in range(200)})
    monkeypatch.setattr(type(features), "numpy", None)
    assert len(features.search("000", where="key < '010'")) == 9


@pytest.mark.parametrize("count", [200, 40])
def test_an_index_is_asked_for_more_where_some_rows_are_searched(indexed, monkeypatch, count):
    features = penult.open(indexed[0].path)
    monkeypatch.setattr(neighbours, "EXACT_BELOW", 30)
    among = features.keys[:count]
    exactly = [match for match in features.search("150", 300) if match.key in among][:5]
    assert keys(features.search("150", 5, keys=among)) == keys(exactly)


def test_where_an_index_finds_too_few_all_are_compared(indexed, monkeypatch):
    features = penult.open(indexed[0].path)
    monkeypatch.setattr(neighbours, "EXACT_BELOW", 30)
    monkeypatch.setattr(neighbours, "MOST_AMONG", 1)
    assert len(features.search("150", 5, keys=features.keys[:40])) == 5
