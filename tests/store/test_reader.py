"""Reading tables: rows in the order of keys, failures apart, errors in one line."""

import json

import lance
import numpy as np
import pyarrow as pa
import pytest

from penult.errors import StoreError
from penult.store import TableReader, TableWriter, open_table
from penult.store.layout import Kind


def test_rows_come_in_the_order_of_keys_whatever_order_they_were_written_in(photos):
    features = open_table(photos)
    assert features.keys == ["000.jpg", "001.jpg", "002.jpg", "004.jpg", "005.jpg"]
    assert features.numpy().tolist() == [[i] * 4 for i in (0, 1, 2, 4, 5)]
    assert features.numpy().dtype == np.float32
    assert len(features) == 5


def test_failures_have_their_reasons(photos):
    assert open_table(photos).failures == {"003.jpg": "truncated: 3 of 9 bytes"}


def test_maps_get_their_shape_back(begin, make_row):
    layers = {"map": (2, 3, 4), "pool": (4,)}
    grid = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    with begin(layers=layers) as table:
        table.append([make_row(1, vectors={"map": grid, "pool": np.ones(4, np.float32)})])
    features = open_table(table.path)
    assert np.array_equal(features.numpy("map"), grid[None])
    assert features.numpy().shape == (1, 2, 3, 4)
    assert features.layers == layers


def test_an_empty_table_has_no_rows(begin):
    begin().close()
    features = open_table(begin().path)
    assert features.numpy().shape == (0, 4)
    assert features.keys == []


def test_a_table_of_failures_only_has_no_rows(begin, make_failure):
    with begin() as table:
        table.append([make_failure(1)])
    assert open_table(table.path).numpy().shape == (0, 4)


def test_an_unknown_layer_lists_the_known_ones(photos):
    with pytest.raises(StoreError, match=r"photos.lance' has no layer 'fc7', it has pool$"):
        open_table(photos).numpy("fc7")


def test_many_rows_are_read_in_pieces(monkeypatch, photos):
    monkeypatch.setattr("penult.store.reader.BATCH_BYTES", 500)
    features = open_table(photos)
    assert features.numpy()[:, 0].tolist() == [0, 1, 2, 4, 5]
    assert [len(block) for block in features.blocks("pool")] == [2, 2, 1]
    assert np.concatenate(list(features.blocks("pool")))[:, 0].tolist() == [0, 1, 2, 4, 5]


def test_info_is_plain_data(photos, provenance):
    info = open_table(photos).info
    assert json.loads(json.dumps(info)) == info
    assert info.pop("bytes") > 1000
    assert info == {
        "path": str(photos),
        "rows": 5,
        "failed": 1,
        "layers": {"pool": [4]},
        "columns": {},
        "indexes": {},
        "version": 4,
        "versions": 4,
        "fragments": 3,
        "provenance": provenance,
    }


def test_repr_is_one_helpful_line(photos):
    expected = "<TableReader 'photos.lance': 5 images, 1 failed, tiny_net: pool 4>"
    assert repr(open_table(photos)) == expected


def test_an_open_table_does_not_change(photos, make_row):
    features = open_table(photos)
    with TableWriter.open(photos) as table:
        table.append([make_row(9, key="000.jpg")])
    assert features.numpy()[0, 0] == 0
    assert open_table(photos).numpy()[0, 0] == 9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is nothing, expected a table: run extract first"),
        (lambda path: path.mkdir(), "there is an empty folder, expected a table"),
        (lambda path: path.touch(), "is a file, expected a folder that `extract` wrote"),
        (lambda path: (path / "cat.jpg").mkdir(parents=True), "no table .* folder with 'cat.jpg'"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, make, message):
    make(tmp_path / "x")
    with pytest.raises(StoreError, match=message):
        TableReader(tmp_path / "x")


def _written(path, rows):
    """A table whose rows break the rules that Penult's own keep."""
    schema = Kind.of({"pool": (4,)}, {}).schema()
    lance.write_dataset(pa.Table.from_pylist(rows, schema=schema), path)
    return path


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"key": "a"}], "vectors are missing, or failed images have some"),
        ([{"key": "a", "pool": [1.0] * 4, "error": "x"}], "vectors are missing, or failed images"),
        ([{"key": "a", "pool": [1.0, None, 1.0, 1.0]}], ".*null"),
    ],
)
def test_forged_vectors_are_refused_in_one_line(tmp_path, rows, message):
    features = open_table(_written(tmp_path / "forged.lance", rows))
    with pytest.raises(StoreError, match=f"forged.lance': can't read layer 'pool': {message}"):
        features.numpy()


@pytest.mark.parametrize("vector", [None, [1.0, None, 1.0, 1.0]])
def test_rows_without_a_whole_vector_are_refused_in_one_line(tmp_path, vector):
    rows = [{"key": "a", "pool": [1.0] * 4}, {"key": "b", "pool": vector}]
    features = open_table(_written(tmp_path / "forged.lance", rows))
    gaps = r"forged.lance': can't read rows: vectors are missing or have gaps: extract"
    with pytest.raises(StoreError, match=gaps):
        [*features.tables(["key"], ["pool"])]
    with pytest.raises(StoreError, match=gaps):
        [*features.blocks("pool")]
    assert [len(piece) for piece in features.tables(["key"], [])] == [2]


def test_a_key_that_occurs_twice_stops_writers(tmp_path):
    path = _written(tmp_path / "forged.lance", [{"key": "a", "error": "x"}] * 2)
    with pytest.raises(StoreError, match=r"forged.lance': 1 keys occur twice: delete this table"):
        TableWriter.open(path)


def test_files_that_vanish_while_reading_are_one_line(photos):
    features = open_table(photos)
    for file in (photos / "data").iterdir():
        file.unlink()
    with pytest.raises(StoreError, match=r"photos.lance': can't read layer 'pool': .*Not found"):
        features.numpy()
