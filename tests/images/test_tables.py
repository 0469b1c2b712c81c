"""Images in columns of tables."""

import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lance
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from penult.errors import ImageError, SourceError
from penult.images import Columns, find_images, table_images
from penult.images.containers import is_gone, item_at
from penult.images.kept import Kept

KINDS = [".parquet", ".arrow", ".feather", ".lance", ".stream.arrow"]
STRUCT = pa.struct({"bytes": pa.binary(), "path": pa.string()})


@pytest.fixture(autouse=True)
def _in_tmp_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(path, table, rows=100):
    path = str(path)
    if path.endswith(".parquet"):
        pq.write_table(table, path, row_group_size=rows)
    elif path.endswith(".lance"):
        lance.write_dataset(table, path, mode="overwrite")
    elif path.endswith(".feather"):
        feather.write_feather(table, path, "zstd", chunksize=rows)
    else:
        kind = pa.ipc.new_stream if "stream" in path else pa.ipc.new_file
        with pa.OSFile(path, "wb") as file, kind(file, table.schema) as writer:
            writer.write_table(table, rows)
    return path


def pictures(count, size=2000):
    return [random.Random(n).randbytes(size + n) for n in range(count)]


def structs(values):
    return pa.array([{"bytes": each, "path": "a.jpg"} for each in values], STRUCT)


def tried(item):
    try:
        return item.image.read(1 << 28)
    except ImageError as error:
        return str(error)


def listed(path, **columns):
    return {item.key: tried(item) for item in find_images(path, columns=Columns(**columns))}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", [pa.binary(), pa.large_binary(), STRUCT])
def test_rows_are_items(kind, form):
    data = pictures(37)
    column = structs(data) if form == STRUCT else pa.array(data, form)
    path = write(f"t{kind}", pa.table({"n": range(37), "image": column}), rows=10)
    assert listed(path) == {f"{path}#image/{n}": each for n, each in enumerate(data)}
    for item in find_images(path):
        assert item.place == f"{Path.cwd()}/{item.key}"
        assert item_at(item.place).digest() == item.digest()
        assert item_at(item.place).version() == item.version()
    assert is_gone(f"{Path.cwd()}/{path}#image/37")
    assert not is_gone(f"{Path.cwd()}/{path}#image/36")


@pytest.mark.parametrize("kind", KINDS)
def test_any_order_and_any_thread_gets_the_same_bytes(kind, monkeypatch):
    monkeypatch.setattr(table_images, "KEPT", Kept(20_000))
    monkeypatch.setattr(table_images, "FAR_ROWS", 25)
    data = pictures(120)
    items = [*find_images(write(f"t{kind}", pa.table({"image": data}), rows=11))] * 2
    random.Random(1).shuffle(items)
    with ThreadPoolExecutor(8) as threads:
        for item, read in zip(items, threads.map(tried, items), strict=True):
            assert read == data[item.number]


@pytest.mark.parametrize("kind", KINDS)
def test_keys_are_a_column(kind):
    table = pa.table({"id": ["a/b#.jpg", "é", "c\\d"], "n": [7, 8, 9], "image": [b"1", b"2", b"3"]})
    path = write(f"t{kind}", table)
    assert listed(path, key="id") == {"a/b#.jpg": b"1", "é": b"2", r"c\\d": b"3"}
    assert listed(path, key="n") == {"7": b"1", "8": b"2", "9": b"3"}
    assert next(iter(find_images(path, columns=Columns(key="id")))).place.endswith("#image/0")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["a", "b", "a"], "column 'id' has 'a' twice, again at '.*#image/2': keys have to differ"),
        (["a", None, "c"], "column 'id': row 1 has no value, which is no key"),
        (["a", "", "c"], "row 1 has '', which is no key"),
        ([1.5, 2.5, 3.5], "column 'id' is double: keys are texts or whole numbers"),
    ],
)
def test_what_is_no_key_is_refused(keys, message):
    path = write("t.parquet", pa.table({"id": keys, "image": [b"1", b"2", b"3"]}))
    with pytest.raises(SourceError, match=message):
        listed(path, key="id")
    with pytest.raises(SourceError, match="column 'no' is missing"):
        listed(path, key="no")


def test_keys_of_several_tables_have_to_differ():
    for name in "ab":
        write(f"{name}.parquet", pa.table({"id": ["x"], "image": [b"1"]}))
    with pytest.raises(SourceError, match=r"has 'x' twice, again at '.*b\.parquet#image/0'"):
        listed(["a.parquet", "b.parquet"], key="id")
    assert len(listed("*.parquet")) == 2


def test_the_column_has_to_be_named_if_several_might_be_it():
    path = write("t.parquet", pa.table({"a": [b"1"], "b": structs([b"2"]), "c": ["text"]}))
    with pytest.raises(SourceError, match=r"2 columns .* name one \(--column\): 'a', 'b'"):
        find_images(path)
    assert listed(path, image="b") == {"t.parquet#b/0": b"2"}
    with pytest.raises(SourceError, match="column 'c' is string, expected bytes, or a struct"):
        find_images(path, columns=Columns("c"))
    with pytest.raises(SourceError, match="column 'x' is missing"):
        find_images(path, columns=Columns("x"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_without_images_is_refused(kind):
    path = write(f"t{kind}", pa.table({"text": ["a"]}))
    with pytest.raises(SourceError, match="none of its columns holds bytes: text"):
        find_images(path)
    empty = write(f"u{kind}", pa.table({"image": pa.array([], pa.binary())}))
    with pytest.raises(SourceError, match=r"no images in 'u.*': it has no rows"):
        find_images(empty)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_what_is_no_table_is_refused(kind):
    Path(f"t{kind}").write_bytes(b"<html>Not Found</html>" * 9)
    with pytest.raises(SourceError, match=f"^can't read 't{kind}': "):
        find_images(f"t{kind}")


def test_a_lance_table_of_which_files_lie_elsewhere_is_refused():
    """Else a stranger's could have any bucket contacted, as Lance opens what its manifest names."""
    base = lance.DatasetBasePath(f"file://{Path.cwd()}/elsewhere", name="elsewhere")
    lance.write_dataset(
        pa.table({"image": [b"1"]}), "t.lance", initial_bases=[base], target_bases=["elsewhere"]
    )
    with pytest.raises(SourceError, match="files of it lie outside of it: 'file://"):
        find_images("t.lance")
    with pytest.raises(ImageError, match="files of it lie outside of it"):
        item_at("t.lance#image/0")


def test_a_folder_that_is_no_lance_table_is_refused():
    Path("t.lance").mkdir()
    with pytest.raises(SourceError, match=r"can't read 't\.lance': No such file"):
        find_images("t.lance")


@pytest.mark.parametrize("kind", KINDS)
def test_rows_without_bytes_fail_alone(kind):
    column = pa.array(
        [{"bytes": b"1"}, None, {"path": "/etc/passwd"}, {"bytes": b""}, {"bytes": b"5"}], STRUCT
    )
    found = listed(write(f"t{kind}", pa.table({"image": column})))
    assert [*found.values()] == [b"1", *["empty: the row has no bytes"] * 3, b"5"]


def test_images_that_are_too_large_fail_alone():
    large, small = find_images(write("t.parquet", pa.table({"image": [bytes(5000), b"2"]})))
    with pytest.raises(ImageError, match=r"^too_large: 5,000 bytes, the limit is 4,000"):
        large.image.read(4000)
    assert small.image.read(4000) == b"2"


def test_a_damaged_row_group_costs_its_rows_only():
    data = pictures(40)
    write("t.parquet", pa.table({"image": data}), rows=10)
    about = pq.ParquetFile("t.parquet").metadata.row_group(1).column(0)
    raw = bytearray(Path("t.parquet").read_bytes())
    at = about.dictionary_page_offset or about.data_page_offset
    raw[at : at + 40] = b"\xff" * 40
    Path("t.parquet").write_bytes(raw)
    found = [*listed("t.parquet").values()]
    assert found[:10] + found[20:] == data[:10] + data[20:]
    assert all(why.startswith("damaged: ") for why in found[10:20])


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bytes_end_nothing(seed):
    """What is damaged fails with a reason, whatever it makes Arrow say."""
    noise = random.Random(seed)
    kind = KINDS[seed % 3]
    path = Path(write(f"t{kind}", pa.table({"image": pictures(30, 50)}), rows=10))
    raw = bytearray(path.read_bytes())
    for _ in range(noise.choice([1, 5, 20])):
        raw[noise.randrange(len(raw))] = noise.randrange(256)
    path.write_bytes(raw)
    try:
        reasons = [each for each in listed(str(path)).values() if isinstance(each, str)]
    except SourceError as error:
        reasons = [str(error)]
    assert all(reason.isprintable() for reason in reasons)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_that_changes_after_it_was_listed_is_not_read(kind):
    path = write(f"t{kind}", pa.table({"image": [b"1", b"2"]}))
    first, _ = find_images(path)
    os.utime(f"{path}/_versions" if kind == ".lance" else path, ns=(5, 5))
    assert tried(first).startswith("changed: the file that holds it was written to")
    assert tried(item_at(first.place)) == b"1"


def test_memory_is_that_of_row_groups_not_of_the_file(monkeypatch):
    monkeypatch.setattr(table_images, "KEPT", Kept(1 << 20))
    noise = np.random.default_rng(0)
    schema = pa.schema({"image": pa.binary()})
    with pq.ParquetWriter("t.parquet", schema) as writer:
        for _ in range(12):  # row groups of 20 MB
            writer.write_table(pa.table({"image": [noise.bytes(100_000) for _ in range(200)]}))
    process = psutil.Process()
    before = most = process.memory_info().rss
    for n, item in enumerate(find_images("t.parquet")):
        assert len(tried(item)) == 100_000
        if n % 50 == 0:
            most = max(most, process.memory_info().rss)
    assert most - before < 140 << 20
