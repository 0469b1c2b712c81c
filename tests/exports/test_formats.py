"""Exports, each read back by the library that its users have."""

import csv
import io
import json
import pickle
import sys
import zipfile

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import penult
from penult.errors import MissingExtraError, StoreError, UsageError

FORMATS = [".npz", ".npy", ".parquet", ".csv", ".pkl", ".h5"]
ODD_KEYS = ["=1+1", 'a "b", c.jpg', "back\\slash", "line\nbreak\r.jpg", "sep\u2028.jpg", "ünï.jpg"]
FACTS = ["path", "width", "height", "bytes", "mtime"]
TWO = {"net/block1": (4,), "net/block1/unit.1": (2, 2, 3)}


@pytest.fixture
def odd(begin, make_row, make_failure):
    """One layer, odd keys written backwards, and values that need all digits."""
    values = np.random.default_rng(0).standard_normal((len(ODD_KEYS), 4), np.float32)
    values[0] = [1e-42, 3.4028235e38, -0.0, 1 / 3]
    with begin() as table:
        for number, key in reversed(list(enumerate(ODD_KEYS))):
            table.append([make_row(number, key=key, vectors={"pool": values[number]})])
        table.append([make_failure(3)])
    return penult.open(table.path), values


@pytest.fixture
def two(begin, make_row):
    with begin("two.lance", layers=TWO) as table:
        table.append([make_row(i, layers=TWO) for i in range(5)])
    return penult.open(table.path)


def test_npz(tmp_path, two):
    two.export(tmp_path / "f.npz")
    with np.load(tmp_path / "f.npz", allow_pickle=False) as archive:
        assert archive.files == ["keys", *FACTS, *TWO]
        assert archive["keys"].tolist() == two.keys
        for layer in TWO:
            assert np.array_equal(archive[layer], two.numpy(layer))


def test_npz_keeps_odd_keys(tmp_path, odd):
    features, values = odd
    features.export(tmp_path / "f.npz")
    with np.load(tmp_path / "f.npz", allow_pickle=False) as archive:
        assert archive["keys"].tolist() == ODD_KEYS
        assert np.array_equal(archive["pool"], values)


def test_npy_and_its_keys(tmp_path, odd):
    features, values = odd
    features.export(tmp_path / "f.npy")
    assert np.array_equal(np.load(tmp_path / "f.npy", allow_pickle=False), values)
    lines = (tmp_path / "f.keys.txt").read_bytes().decode().split("\n")
    assert lines == [
        "=1+1",
        'a "b", c.jpg',
        r"back\\slash",
        r"line\nbreak\r.jpg",
        r"sep\u2028.jpg",
        "ünï.jpg",
        "",
    ]


def test_npy_can_be_mapped_into_memory(tmp_path, two):
    two.export(tmp_path / "f.npy", layer="net/block1/unit.1")
    mapped = np.load(tmp_path / "f.npy", mmap_mode="r")
    assert mapped.shape == (5, 2, 2, 3)
    assert mapped[4, 1, 1, 2] == 4


def test_parquet(tmp_path, odd, provenance):
    features, values = odd
    features.export(tmp_path / "f.parquet")
    table = pq.read_table(tmp_path / "f.parquet")
    assert table.column_names == ["key", *FACTS, "pool"]
    assert table["key"].to_pylist() == ODD_KEYS
    assert np.array_equal(table["pool"].combine_chunks().flatten().to_numpy(), values.ravel())
    document = json.loads(table.schema.metadata[b"penult"])
    assert document["provenance"] == provenance


def test_parquet_in_pandas(tmp_path, two):
    two.export(tmp_path / "f.parquet")
    frame = pd.read_parquet(tmp_path / "f.parquet")
    assert frame["mtime"][4] == pd.Timestamp(1_700_000_000_123_456_793)
    assert frame["net/block1/unit.1"][4].tolist() == [4] * 12


def test_csv(tmp_path, odd):
    features, values = odd
    features.export(tmp_path / "f.csv")
    with (tmp_path / "f.csv").open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    assert header == ["key", *FACTS, "pool_0", "pool_1", "pool_2", "pool_3"]
    assert [line[0] for line in lines] == ODD_KEYS
    assert np.array_equal(np.array([line[-4:] for line in lines], np.float32), values)


def test_csv_in_pandas(tmp_path, two):
    two.export(tmp_path / "f.csv", layer="net/block1/unit.1")
    frame = pd.read_csv(tmp_path / "f.csv", index_col="key")
    assert frame.loc["004.jpg"].tolist()[-12:] == [4] * 12


def test_pickle(tmp_path, odd):
    features, values = odd
    features.export(tmp_path / "f.pkl")
    data = (tmp_path / "f.pkl").read_bytes()
    vectors = pickle.loads(data)
    assert data[1] == 4
    assert list(vectors) == ODD_KEYS
    assert vectors["ünï.jpg"].dtype == np.float32
    assert np.array_equal(vectors["ünï.jpg"], values[-1])


def test_hdf5(tmp_path, two, provenance):
    two.export(tmp_path / "f.h5")
    with h5py.File(tmp_path / "f.h5") as file:
        assert set(file) == {"keys", *FACTS, "net%2Fblock1", "net%2Fblock1%2Funit.1"}
        assert file["keys"].asstr()[:].tolist() == two.keys
        dataset = file["net%2Fblock1%2Funit.1"]
        assert np.array_equal(dataset[:], two.numpy("net/block1/unit.1"))
        assert dataset.attrs["layer"] == "net/block1/unit.1"
        assert json.loads(dataset.attrs["provenance"]) == provenance
        assert json.loads(file.attrs["penult"])["format"] == 2


def test_hdf5_keeps_odd_keys(tmp_path, odd):
    odd[0].export(tmp_path / "f.h5")
    with h5py.File(tmp_path / "f.h5") as file:
        assert file["keys"].asstr()[:].tolist() == ODD_KEYS


def test_without_h5py_the_extra_is_named(monkeypatch, tmp_path, two):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"export to .h5 needs .*'penult\[hdf5\]'"):
        two.export(tmp_path / "f.h5")


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_empty_table_can_be_exported(tmp_path, begin, suffix):
    begin().close()
    out = penult.open(tmp_path / "photos.lance").export(tmp_path / f"f{suffix}")
    assert out.stat().st_size > 0


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".h5"])
def test_one_layer_of_several_can_be_chosen(tmp_path, two, suffix):
    whole = two.export(tmp_path / f"whole{suffix}").stat().st_size
    assert two.export(tmp_path / f"part{suffix}", layer="net/block1").stat().st_size < whole


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".pkl"])
def test_formats_of_one_layer_ask_which(tmp_path, two, suffix):
    message = (
        rf"{suffix} holds one layer: choose it \(-l, layer=\): net/block1, net/block1/unit.1; or"
    )
    with pytest.raises(UsageError, match=message):
        two.export(tmp_path / f"f{suffix}")
    assert not list(tmp_path.glob("*f.*"))


@pytest.mark.parametrize("name", ["f.xlsx", "f", "f.npz.gz"])
def test_an_unknown_suffix_lists_the_known_ones(tmp_path, two, name):
    known = r"use one of \.npz, \.npy, \.parquet, \.csv, \.pkl, \.h5, \.faiss, \.usearch$"
    with pytest.raises(UsageError, match=known):
        two.export(tmp_path / name)


def test_an_unknown_layer_is_refused(tmp_path, two):
    with pytest.raises(StoreError, match="has no layer 'fc7'"):
        two.export(tmp_path / "f.npz", layer="fc7")


def test_suffixes_may_be_in_capitals(tmp_path, two):
    assert zipfile.is_zipfile(two.export(tmp_path / "F.NPZ"))


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_existing_file_is_replaced_whole_or_not_at_all(monkeypatch, tmp_path, odd, suffix):
    out = tmp_path / f"f{suffix}"
    out.write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", _full)
        with pytest.raises(
            StoreError, match=f"can't write '.*f{suffix}': No space left on device$"
        ):
            odd[0].export(out)
    assert out.read_text() == "old"
    assert [file.name for file in tmp_path.glob("*f.*")] == [out.name]
    odd[0].export(out)
    assert out.read_bytes() != b"old"


def _full(descriptor):
    raise OSError(28, "No space left on device")


def test_a_missing_folder_is_one_line(tmp_path, odd):
    with pytest.raises(StoreError, match=r"can't write '.*f.npz': No such file or directory$"):
        odd[0].export(tmp_path / "missing" / "f.npz")


def test_vectors_stay_exact_in_text(tmp_path, begin, make_row):
    bits = np.random.default_rng(1).integers(0, 2**32, (500, 4), np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values).all(1)]
    with begin() as table:
        table.append([make_row(i, vectors={"pool": row}) for i, row in enumerate(values)])
    text = penult.open(table.path).export(tmp_path / "f.csv").read_text("utf-8")
    lines = list(csv.reader(io.StringIO(text)))[1:]
    assert np.array_equal(np.array([line[-4:] for line in lines], np.float32), values)


@pytest.fixture
def columns(begin, make_row, make_failure):
    """Rows with odd paths, and columns that two of them lack."""
    places = ["/p/b\\udcff.jpg", None, "/p/s.tar#a.jpg"]
    with begin() as table:
        table.append([make_row(i, path=place) for i, place in enumerate(places)])
        table.append([make_failure(3)])
        table.annotate(
            ["000.jpg"],
            {"cluster": np.array([7], np.int32), "x": np.ones(1, np.float32), "label": ["ü"]},
        )
    return penult.open(table.path)


PATHS = ["/p/b\\udcff.jpg", "", "/p/s.tar#a.jpg"]


def test_npz_holds_paths_and_columns(tmp_path, columns):
    with np.load(columns.export(tmp_path / "f.npz"), allow_pickle=False) as archive:
        assert archive["path"].tolist() == PATHS
        assert archive["width"].tolist() == [640] * 3
        assert archive["mtime"][0] == np.datetime64(1_700_000_000_123_456_789, "ns")
        assert np.array_equal(archive["cluster"], [7, np.nan, np.nan], equal_nan=True)
        assert archive["x"].dtype == np.float32
        assert archive["label"].tolist() == ["ü", "", ""]


def test_hdf5_holds_paths_and_columns(tmp_path, columns):
    with h5py.File(columns.export(tmp_path / "f.h5")) as file:
        assert file["path"].asstr()[:].tolist() == PATHS
        assert file["mtime"][0] == pytest.approx(1_700_000_000.123)
        assert np.array_equal(file["cluster"][:], [7, np.nan, np.nan], equal_nan=True)
        assert file["label"].asstr()[:].tolist() == ["ü", "", ""]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_hold_paths_and_columns(tmp_path, columns, suffix):
    out = columns.export(tmp_path / f"f{suffix}")
    frame = pd.read_csv(out) if suffix == ".csv" else pd.read_parquet(out)
    assert frame["path"].fillna("").tolist() == PATHS
    assert frame["label"].fillna("").tolist() == ["ü", "", ""]
    assert frame["cluster"].fillna(-1).tolist() == [7, -1, -1]


@pytest.mark.parametrize("suffix", [*FORMATS, ".faiss"])
def test_some_rows_are_exported(tmp_path, columns, suffix):
    whole = columns.export(tmp_path / f"whole{suffix}", keys=columns.keys).read_bytes()
    assert whole == columns.export(tmp_path / f"all{suffix}").read_bytes() or suffix == ".npz"
    out = columns.export(tmp_path / f"some{suffix}", where="key > '000.jpg'", keys=columns.keys[:2])
    if suffix == ".npz":
        with np.load(out) as archive:
            assert archive["keys"].tolist() == ["001.jpg"]
            assert archive["pool"].tolist() == [[1] * 4]
    elif suffix in (".npy", ".faiss"):
        assert (tmp_path / "some.keys.txt").read_text() == "001.jpg\n"
    elif suffix == ".csv":
        assert pd.read_csv(out)["pool_0"].tolist() == [1]
    elif suffix == ".parquet":
        assert pd.read_parquet(out)["key"].tolist() == ["001.jpg"]
    elif suffix == ".pkl":
        assert [*pickle.loads(out.read_bytes())] == ["001.jpg"]
    else:
        with h5py.File(out) as file:
            assert file["pool"][:].tolist() == [[1] * 4]


def test_keys_that_a_table_lacks_or_that_failed_are_not_exported(tmp_path, columns):
    with pytest.raises(UsageError, match=r"lacks 1 of the 2 keys in keys, the first is '003.jpg'"):
        columns.export(tmp_path / "f.npz", keys=["000.jpg", "003.jpg"])
    assert not (tmp_path / "f.npz").exists()
