"""Columns of the images' tables in the table of their features."""

import io
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import penult
from penult.errors import SourceError, UsageError
from penult.extraction.keeping import keep
from penult.store import TableWriter

MIXED = {
    "label": pa.array([3, None, 5], pa.int64()),
    "score": pa.array([0.5, 1.5, None], pa.float64()),
    "split": pa.array(["train", "test", "train"]).dictionary_encode(),
    "large": pa.array([2**40, 1, 2], pa.int64()),
    "seen": pa.array([True, False, True]),
}


def picture(n):
    raw = io.BytesIO()
    Image.new("RGB", (40, 40), (n, 2 * n, 3 * n)).save(raw, "PNG")
    return raw.getvalue()


def write(path, columns, first=0):
    images = [picture(first + n) for n in range(3)]
    pq.write_table(pa.table({"image": images, **columns}), path, row_group_size=2)
    return path


def values(features, name):
    return features.facts([name])[name].to_pylist()


def test_numbers_and_texts_come_along(model, tmp_path):
    path = write(tmp_path / "a.parquet", MIXED)
    features = penult.extract(path, model, out=tmp_path / "t.lance", keep=[*MIXED])
    assert features.columns == {
        "label": "int32",
        "score": "float",
        "split": "string",
        "large": "string",
        "seen": "int32",
    }
    assert values(features, "label") == [3, None, 5]
    assert values(features, "score") == [0.5, 1.5, None]
    assert values(features, "split") == ["train", "test", "train"]
    assert values(features, "large") == [str(2**40), "1", "2"]
    assert values(features, "seen") == [1, 0, 1]


def test_what_other_runs_kept_stays(model, tmp_path):
    some = write(tmp_path / "a.parquet", {"label": [1, 2, 3]})
    more = write(tmp_path / "b.parquet", {"label": [4, 5, 6]}, first=9)
    penult.extract(some, model, out=tmp_path / "t.lance", keep=["label"])
    features = penult.extract(more, model, out=tmp_path / "t.lance", keep=["label"])
    assert values(features, "label") == [1, 2, 3, 4, 5, 6]
    some.unlink()
    features = penult.extract(more, model, out=tmp_path / "t.lance", keep=["label"])
    assert values(features, "label") == [1, 2, 3, 4, 5, 6]


def test_failed_rows_and_shards_keep_nothing_of_others(model, tmp_path):
    images = [picture(1), b"broken", picture(2), picture(3)]
    table = pa.table({"id": list("abcd"), "image": images, "label": [1, 2, 3, 4]})
    pq.write_table(table, tmp_path / "a.parquet")
    options = {"key": "id", "keep": ["label"]}
    kept = {}
    for i in (1, 2):
        features = penult.extract(
            tmp_path / "a.parquet", model, out=tmp_path / f"{i}.lance", shard=f"{i}/2", **options
        )
        kept |= dict(zip(features.keys, values(features, "label"), strict=True))
    assert kept == {"a": 1, "c": 3, "d": 4}


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["no"], SourceError, "column 'no' is missing: kept are numbers and texts"),
        (["image"], SourceError, "column 'image' is binary: kept are"),
        (["bytes"], UsageError, "column 'bytes' is the table's own"),
        (["Odd"], UsageError, "'Odd' can't be a column's name"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_done(
    names, error, message, model, tmp_path
):
    path = write(tmp_path / "a.parquet", {"Odd": [1, 2, 3], "bytes": [1, 2, 3]})
    with pytest.raises(error, match=message):
        penult.extract(path, model, out=tmp_path / "t.lance", keep=names)
    assert len(penult.open(tmp_path / "t.lance")) == 0


def test_files_have_no_columns(model, tmp_path):
    (tmp_path / "a.png").write_bytes(picture(1))
    with pytest.raises(SourceError, match="is no table, so has no"):
        penult.extract(tmp_path / "a.png", model, out=tmp_path / "t.lance", keep=["label"])


def test_a_table_that_changed_since_tells_nothing(model, tmp_path):
    path = write(tmp_path / "a.parquet", {"label": [1, 2, 3]})
    with TableWriter.open(penult.extract(path, model, out=tmp_path / "t.lance").path) as table:
        write(path, {"label": [7, 8, 9]})
        os.utime(path, ns=(5, 5))
        keep(table, ["label"])
    assert values(penult.open(tmp_path / "t.lance"), "label") == [None] * 3
