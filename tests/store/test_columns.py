"""Columns added to a table: what later runs, kills and other readers make of them."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import lance
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import penult
from penult.errors import StoreError, UsageError
from penult.store import File, Reassignment, TableWriter, open_table
from penult.store.versions import versions
from penult.store.writer import KEEP


def ints(*values):
    return np.array(values, np.int32)


@pytest.fixture
def labelled(photos):
    """Rows 5 … 0, labelled with ten times their number; 3 has failed and has no label."""
    keys = [f"{i:03}.jpg" for i in (0, 1, 2, 4, 5)]
    with TableWriter.open(photos) as writer:
        assert writer.annotate(keys, {"cluster": ints(0, 10, 20, 40, 50)}) == 5
    return photos


def labels(path):
    features = open_table(path)
    return dict(zip(features.keys, features.facts(["cluster"])["cluster"].to_pylist(), strict=True))


def test_added_columns_are_read_by_name_and_condition(labelled):
    features = open_table(labelled)
    assert features.columns == {"cluster": "int32"}
    assert features.info["columns"] == {"cluster": "int32"}
    assert features.facts(["cluster"])["cluster"].to_pylist() == [0, 10, 20, 40, 50]
    assert features.where("cluster >= 40").tolist() == [3, 4]


def test_keys_in_any_order_and_of_no_row(photos):
    with TableWriter.open(photos) as writer:
        assert writer.annotate(["005.jpg", "gone", "000.jpg"], {"cluster": ints(5, 7, 0)}) == 2
    assert list(labels(photos).values()) == [0, None, None, None, 5]


def test_a_failed_row_has_null(labelled):
    rows = lance.dataset(labelled).to_table(columns=["cluster"], filter="key = '003.jpg'")
    assert rows["cluster"].to_pylist() == [None]


def test_columns_of_all_types_stay_beside_a_new_one(labelled):
    keys = ["000.jpg", "001.jpg"]
    with TableWriter.open(labelled) as writer:
        writer.annotate(keys, {"x": np.array([0.5, np.nan], np.float32), "word": ["é", None]})
        writer.annotate(keys, {"y": np.array([1, 2], np.float32)})
    features = open_table(labelled)
    assert features.columns == {"cluster": "int32", "x": "float", "word": "string", "y": "float"}
    found = features.facts(["cluster", "x", "word", "y"]).slice(0, 3).to_pydict()
    assert np.isnan(found["x"].pop(1))
    assert found == {"cluster": [0, 10, 20], "x": [0.5, None], "word": ["é", None, None]} | {
        "y": [1, 2, None]
    }


def test_a_column_is_replaced_with_its_type(labelled):
    before = len(versions(labelled))
    with TableWriter.open(labelled) as writer:
        writer.annotate(["004.jpg"], {"cluster": ["four"]})
    assert list(labels(labelled).values()) == [None, None, None, "four", None]
    assert open_table(labelled).where("cluster = 'four'").tolist() == [3]
    assert len(versions(labelled)) == before + 1  # never a version without the column
    assert not list(labelled.glob("_versions/d*"))


def test_later_rows_and_new_versions_of_rows_have_null(labelled, make_row, make_failure):
    with TableWriter.open(labelled) as writer:
        writer.append([make_row(6)])
        writer.append([make_row(9, key="005.jpg"), make_row(3), make_row(7)])
        writer.append([make_failure(4)])
    assert labels(labelled) == {
        "000.jpg": 0, "001.jpg": 10, "002.jpg": 20, "003.jpg": None,
        "005.jpg": None, "006.jpg": None, "007.jpg": None,
    }  # fmt: skip


def test_a_moved_row_keeps_its_values_and_a_copy_has_them_too(begin, make_row):
    with begin() as writer:
        writer.append([make_row(i, key=key, sha256=key) for i, key in enumerate("ab")])
        writer.annotate(["a", "b"], {"cluster": ints(1, 2)})
        asked = [Reassignment("a", File("moved", 7, 8, "/p", "a"), moved=True)]
        asked += [Reassignment("b", File("copy", 7, 8, "/p", "b"))]
        assert writer.reassign(asked) == {"moved", "copy"}
    assert labels(writer.path) == {"b": 2, "copy": 2, "moved": 1}


def test_removed_rows_leave_the_others_their_values(labelled):
    with TableWriter.open(labelled) as writer:
        writer.remove(["005.jpg", "004.jpg", "001.jpg"])  # the first two are a whole fragment
        writer.annotate(["000.jpg"], {"x": np.ones(1, np.float32)})
    assert labels(labelled) == {"000.jpg": 0, "002.jpg": 20}


def test_compaction_keeps_them(labelled, make_row):
    with TableWriter.open(labelled) as writer:
        writer.append([make_row(6)])
        writer.compact(at_least=2)
        writer.annotate(["006.jpg"], {"x": np.ones(1, np.float32)})
    assert len(lance.dataset(labelled).get_fragments()) == 1
    assert list(labels(labelled).values()) == [0, 10, 20, 40, 50, None]
    assert open_table(labelled).facts(["x"])["x"].to_pylist() == [None] * 5 + [1.0]


def test_an_index_is_kept_and_made(begin, make_row):
    layers = {"pool": (8,)}
    with begin(layers=layers) as writer:
        writer.append([make_row(i, layers=layers) for i in range(300)])
        writer.index("pool", "l2")
        writer.annotate(["007.jpg"], {"cluster": ints(7)})
        vector = np.full(8, 7, np.float32)
        features = open_table(writer.path)
        assert features.indexed() == "l2"
        assert features.nearest("pool", vector, 1) == [("007.jpg", 0.0)]
        writer.annotate(["007.jpg"], {"cluster": ints(8)})
        writer.index("pool", "l2")
    assert open_table(writer.path).nearest("pool", vector, 1) == [("007.jpg", 0.0)]


def test_old_versions_go_in_time(monkeypatch, labelled):
    monkeypatch.setattr("penult.store.writer.MANY_FRAGMENTS", 2)
    monkeypatch.setattr(TableWriter.compact, "__defaults__", (2,))
    with TableWriter.open(labelled) as writer:
        for label in range(9):
            writer.annotate(["000.jpg"], {"cluster": ints(label)})
    assert len(versions(labelled)) <= KEEP + 2
    assert labels(labelled)["000.jpg"] == 8


def test_a_table_without_rows_gets_none(begin):
    with begin() as writer:
        assert writer.annotate([], {"cluster": ints()}) == 0
    assert open_table(writer.path).columns == {}


@pytest.mark.parametrize("name", ["key", "mtime", "error", "pool", "a%2eb"])
def test_the_tables_own_columns_are_refused(begin, make_row, name):
    layers = {"pool": (4,), "A.b": (1,)}
    with begin(layers=layers) as writer:
        writer.append([make_row(1, layers=layers)])
        message = "is the table's own" if "%" not in name else "can't be a column's name"
        with pytest.raises(UsageError, match=message):
            writer.annotate(["001.jpg"], {name: ints(1)})


@pytest.mark.parametrize("name", ["", "Cluster", "1st", "a b", "a.b", "_rowid", "ä", "a" * 64])
def test_a_name_that_conditions_could_not_hold_is_refused(photos, name):
    message = "' can't be a column's name: use up to 63 of a-z, 0-9 and _, first a-z"
    with TableWriter.open(photos) as writer, pytest.raises(UsageError, match=re.escape(message)):
        writer.annotate(["001.jpg"], {name: ints(1)})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([1]), "column 'c' is int64, expected int32, float32 or texts"),
        (ints(1, 2), "column 'c' has 2 values, expected 1, one a key"),
        ([1], "column 'c' can't be stored: 'Expected bytes, got a 'int' object'"),
        (np.zeros((1, 1), np.int32), "column 'c' can't be stored: 'only handle 1-dimensional"),
    ],
)
def test_other_values_are_refused(photos, values, message):
    with TableWriter.open(photos) as writer, pytest.raises(UsageError, match=re.escape(message)):
        writer.annotate(["001.jpg"], {"c": values})


def test_a_key_given_twice_is_refused(photos):
    with TableWriter.open(photos) as writer, pytest.raises(UsageError, match="1 keys occur twice"):
        writer.annotate(["001.jpg", "001.jpg"], {"c": ints(1, 2)})


def test_a_second_writer_is_refused(labelled):
    with TableWriter.open(labelled), pytest.raises(StoreError, match="is being written by"):
        TableWriter.open(labelled)


def test_exports_carry_them(labelled, tmp_path):
    penult.export(labelled, tmp_path / "out.parquet")
    penult.export(labelled, tmp_path / "out.csv")
    assert pq.read_table(tmp_path / "out.parquet")["cluster"].to_pylist() == [0, 10, 20, 40, 50]
    frame = pd.read_csv(tmp_path / "out.csv")
    facts = ["path", "width", "height", "bytes", "mtime"]
    assert list(frame.columns) == ["key", *facts, "cluster", *(f"pool_{n}" for n in range(4))]
    assert frame["cluster"].tolist() == [0, 10, 20, 40, 50]


def test_columns_that_others_added_are_passed_over(labelled):
    alien = pa.table({"Alien": [[1.5]] * 6})
    lance.dataset(labelled).add_columns(alien.to_reader())
    features = open_table(labelled)
    assert features.columns == {"cluster": "int32"}
    with TableWriter.open(labelled) as writer:
        writer.annotate(["000.jpg"], {"cluster": ints(3)})
    assert open_table(labelled).facts(["Alien"])["Alien"].to_pylist() == [[1.5]] * 5


TESTS = str(Path(__file__).parents[1])
LABELLER = """
import sys
import numpy as np

path, cut_at, label, tests = sys.argv[1:]
sys.path.insert(0, tests)
from killing import cut_power_at
from penult.store import TableWriter

cut_power_at(int(cut_at), path)
with TableWriter.open(path) as table:
    keys = sorted(table.known())
    label = int(label)
    while True:
        label += 1
        table.annotate(keys, {"cluster": np.full(len(keys), label, np.int32)})
        print(label, flush=True)
"""


@pytest.mark.parametrize("cut_at", [3, 12, 30, 31])
def test_power_cuts_leave_the_labels_of_one_finished_call(labelled, cut_at):
    with TableWriter.open(labelled) as writer:
        writer.annotate(sorted(writer.known()), {"cluster": np.full(6, 100, np.int32)})
    command = [sys.executable, "-c", LABELLER, str(labelled), str(cut_at), "100", TESTS]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL
    reported = max(map(int, ended.stdout.split()), default=100)
    (found,) = set(labels(labelled).values())  # never mixed, never missing
    assert reported <= found <= reported + 1
    with TableWriter.open(labelled) as writer:
        writer.annotate(["000.jpg"], {"cluster": ints(1)})
        writer.compact(at_least=1)
    assert not list(labelled.glob("_versions/d*"))


def test_renewed_rows_keep_their_values_and_get_new_ones(labelled):
    with TableWriter.open(labelled) as writer:
        files = [File(key, 7, 8, f"/new/{key}") for key in ("001.jpg", "005.jpg")]
        writer.reassign([Reassignment(file.key, file) for file in files])
        writer.annotate(["002.jpg"], {"x": np.ones(1, np.float32)})
        assert writer.known()["001.jpg"].path == "/new/001.jpg"
    assert labels(labelled) == {
        "000.jpg": 0, "001.jpg": 10, "002.jpg": 20, "004.jpg": 40, "005.jpg": 50,
    }  # fmt: skip
