"""What a table may hold: keys, layers' names and shapes, and documents that were tampered with."""

import json

import lance
import numpy as np
import pyarrow as pa
import pytest

from penult.errors import StoreError
from penult.store import open_table
from penult.store.layout import Kind, column

ODD_KEYS = [
    "",
    "line\nbreak\r.jpg",
    "quote'double\"back\\slash`.jpg",
    "コアラ/🐨.jpg",
    "=1+1,2.jpg",
    "\x1b[31m.jpg",
    "x" * 5000,
    "dir/../x.jpg",
    "' OR 1=1 --",
]
ODD_LAYERS = [
    "resnet_v1_50/block1",
    "resnet_v1_50/block1/unit_1",
    "Mixed_5b.relu",
    "mixed_5b.relu",
    "100%2E",
    'it\'s `odd` "é"',
]


def nested(levels):
    return {"a": nested(levels - 1)} if levels else 1


def test_odd_keys_are_kept_and_can_be_replaced(begin, make_row):
    with begin() as table:
        rows = [make_row(i, bytes=i) for i in range(len(ODD_KEYS))]
        table.append([_renamed(row, key) for row, key in zip(rows, ODD_KEYS, strict=True)])
        table.append([_renamed(make_row(99), key) for key in ODD_KEYS[::2]])
    features = open_table(table.path)
    assert features.keys == sorted(ODD_KEYS)
    first = dict(zip(features.keys, features.numpy()[:, 0].tolist(), strict=True))
    assert first == {key: i if i % 2 else 99 for i, key in enumerate(ODD_KEYS)}


def _renamed(row, key):
    return type(row)(key, row.bytes, row.mtime_ns, vectors=row.vectors)


@pytest.mark.parametrize("key", ["nul\0.jpg", "byte\udcff.jpg"])
def test_keys_that_formats_cannot_hold_are_refused(begin, make_row, key):
    with begin() as table, pytest.raises(StoreError, match="isn't Unicode text without NUL"):
        table.append([make_row(1, key=key)])


def test_reasons_with_broken_names_are_kept_readable(begin, make_failure):
    with begin() as table:
        table.append([make_failure(1, reason="no file 'b\udcff.jpg'")])
    assert open_table(table.path).failures == {"001.jpg": r"no file 'b\udcff.jpg'"}


def test_odd_layer_names_are_kept(begin, make_row):
    layers = {name: (i + 1, 2) for i, name in enumerate(ODD_LAYERS)}
    with begin(layers=layers) as table:
        table.append([make_row(i, layers=layers) for i in range(3)])
        table.append([make_row(7, key="001.jpg", layers=layers)])
    features = open_table(table.path)
    assert features.layers == layers
    for name, shape in layers.items():
        assert np.array_equal(features.numpy(name)[1], np.full(shape, 7))


def test_columns_of_layers_are_named_so_that_lance_takes_them():
    assert column("resnet_v1_50/block3") == "resnet_v1_50/block3"
    assert column("Mixed_5b.relu%") == "Mixed_5b%2Erelu%25"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({}, "metadata without layers"),
        ({"": (1,)}, "layer '' can't be a column's name"),
        ({"\x1b": (1,)}, r"layer '\\x1b' can't be a column's name"),
        ({"mtime": (1,)}, "layer 'mtime' can't be a column's name"),
        ({"x" * 201: (1,)}, "can't be a column's name"),
        ({"a": ()}, r"layer 'a' has shape '\[\]', expected sizes above 0"),
        ({"a": (0, 2)}, r"layer 'a' has shape '\[0, 2\]', expected sizes above 0"),
        ({"a": (2.5,)}, "expected sizes above 0"),
        ({"a": (2**16, 2**16)}, r"layer 'a' of shape '\[65536, 65536\]' is too large"),
    ],
)
def test_layers_that_cannot_be_stored_are_refused(layers, message):
    with pytest.raises(StoreError, match=message):
        Kind.of(layers, {})


def test_provenance_must_be_plain_data(layers):
    with pytest.raises(StoreError, match="can't describe the features: Object of type object"):
        Kind.of(layers, {"network": object()})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vectors": None}, "row '001.jpg' needs either vectors or an error"),
        ({"error": "bad"}, "row '001.jpg' needs either vectors or an error"),
        ({"vectors": {"fc7": np.zeros(4)}}, "has layers 'fc7', expected 'pool'"),
        ({"vectors": {"pool": np.zeros(4)}}, r"float64 of shape \(4,\), expected float32 of shape"),
        ({"bytes": 2**63}, "can't store 1 rows: "),
        ({"width": "wide"}, "can't store 1 rows: "),
    ],
)
def test_rows_that_do_not_fit_are_refused(layers, make_row, changes, message):
    with pytest.raises(StoreError, match=message):
        Kind.of(layers, {}).table([make_row(1, **changes)])


def _forged(path, document, schema=None):
    """A table with a document and columns that Penult didn't write."""
    schema = schema or Kind.of({"pool": (4,)}, {}).schema()
    text = document if isinstance(document, str) else json.dumps(document)
    schema = schema.with_metadata({} if document is None else {"penult": text})
    lance.write_dataset(schema.empty_table(), path)
    return path


GOOD = {"format": 2, "layers": {"pool": [4]}, "provenance": {}, "notes": {}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (None, "a Lance table that Penult didn't write: it has no 'penult' metadata"),
        ("{", "metadata that isn't JSON"),
        ("[" * 100_000, "metadata that isn't JSON"),
        ([], r"store format '\[\]', expected 2: upgrade Penult"),
        (GOOD | {"format": 3}, "store format '3', expected 2: upgrade Penult"),
        (GOOD | {"format": 1}, "expected 2: an earlier Penult made it: extract into another table"),
        (GOOD | {"layers": ["pool"]}, "metadata without layers"),
        (GOOD | {"notes": {"deep": nested(500)}}, "metadata of more than 32 levels"),
        (GOOD | {"provenance": "me"}, "metadata without provenance or notes"),
        (GOOD | {"notes": None}, "metadata without provenance or notes"),
        (GOOD | {"layers": {"pool": "big"}}, "layer 'pool' has shape 'big', expected sizes"),
        (GOOD | {"layers": {"pool": [-4]}}, "expected sizes above 0"),
        (GOOD | {"layers": {"pool": [True]}}, "expected sizes above 0"),
        (GOOD | {"layers": {"pool": [5]}}, "column 'pool' is fixed_size_list.*, expected"),
        (GOOD | {"layers": {"fc7": [4]}}, "column 'fc7' is missing, expected fixed_size_list"),
    ],
)
def test_forged_documents_are_refused_in_one_line(tmp_path, document, message):
    path = _forged(tmp_path / "forged.lance", document)
    with pytest.raises(StoreError, match=message) as caught:
        open_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_columns_of_another_type_are_refused(tmp_path):
    schema = Kind.of({"pool": (4,)}, {}).schema()
    schema = schema.set(schema.get_field_index("width"), pa.field("width", pa.string()))
    path = _forged(tmp_path / "forged.lance", GOOD, schema)
    with pytest.raises(StoreError, match="column 'width' is string, expected int32"):
        open_table(path)


def test_a_column_added_by_hand_is_left_alone(photos):
    lance.dataset(photos).add_columns({"cluster": "cast(1 as int)"})
    assert len(open_table(photos)) == 5


def test_data_outside_of_the_table_is_refused(tmp_path):
    kind = Kind.of({"pool": (4,)}, {})
    elsewhere = lance.DatasetBasePath(str(tmp_path / "elsewhere"), name="elsewhere")
    rows = kind.schema().empty_table()
    row = pa.Table.from_pylist([{"key": "a", "error": "x"}], schema=rows.schema)
    path = tmp_path / "photos.lance"
    lance.write_dataset(row, path, initial_bases=[elsewhere], target_bases=["elsewhere"])
    with pytest.raises(StoreError, match=r"files of it lie outside of the table: '.*elsewhere'"):
        open_table(path)


def test_rows_without_a_key_are_refused_in_one_line(tmp_path, begin, make_row):
    with begin() as table:
        table.append([make_row(0)])
    true = lance.dataset(str(table.path)).to_table()
    place = true.schema.get_field_index("key")
    forged = true.set_column(place, pa.field("key", pa.string()), pa.nulls(1, pa.string()))
    lance.write_dataset(forged, str(tmp_path / "forged.lance"))
    with pytest.raises(StoreError, match="rows without a key: extract into another table"):
        open_table(tmp_path / "forged.lance")
