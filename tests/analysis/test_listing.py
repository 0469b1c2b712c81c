import json

import pyarrow.parquet as pq
import pytest

from penult.analysis.listing import write_list
from penult.errors import StoreError, UsageError

ROWS = [{"key": 'a, "b".jpg', "score": 0.5}, {"key": "\udcff"}]


def test_csv_quotes_what_needs_it_and_leaves_missing_values_empty(tmp_path):
    out = write_list(ROWS, ["key", "score"], tmp_path / "a.csv")
    assert out.read_bytes() == b'key,score\r\n"a, ""b"".jpg",0.5\r\n\\udcff,\r\n'


def test_json_holds_every_column_of_every_row(tmp_path):
    out = write_list(ROWS[:1], ["score", "key", "path"], tmp_path / "a.json")
    assert json.loads(out.read_text()) == [{"score": 0.5, "key": 'a, "b".jpg', "path": None}]


def test_parquet_has_a_column_each(tmp_path):
    out = write_list(ROWS[:1], ["key", "score"], tmp_path / "a.parquet")
    assert pq.read_table(out).to_pylist() == ROWS[:1]


def test_an_unknown_suffix_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match=r"expected a list to end in \.csv, \.json, \.parquet"):
        write_list(ROWS, ["key"], tmp_path / "a.xls")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"can't write .*No such file or directory"):
        write_list(ROWS, ["key"], tmp_path / "none" / "a.json")
