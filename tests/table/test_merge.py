"""Shards of a run, and their tables as one."""

import errno
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from archives import tar
from PIL import Image

import penult
from penult.errors import StoreError, UsageError
from penult.images import Share, find_images
from penult.store import Row, TableWriter, known


def table(path, keys, **provenance):
    rows = [Row(key, 1, 1, vectors={"pool": np.full(2, len(key), "f")}) for key in keys]
    with TableWriter.open_or_create(path, {"pool": (2,)}, provenance) as writer:
        for row in rows:
            writer.append([row])
    return path


@pytest.fixture
def folder(tmp_path):
    noise = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for n in range(20):
        Image.fromarray(noise.integers(0, 255, (60, 60, 3), np.uint8)).save(
            tmp_path / f"in/{n}.png"
        )
    (tmp_path / "in/bad.png").touch()
    return tmp_path / "in"


def test_shards_add_up_to_the_whole(folder, model, tmp_path):
    whole = penult.extract(folder, model, out=tmp_path / "whole.lance")
    parts = [
        penult.extract(folder, model, shard=f"{i}/3", out=tmp_path / f"{i}.lance")
        for i in (1, 2, 3)
    ]
    assert all(0 < len(part) < 20 for part in parts)
    merged = penult.merge(tmp_path / "merged.lance", [part.path for part in parts])
    assert merged.keys == whole.keys
    assert merged.failures == whole.failures != {}
    assert merged.numpy().tobytes() == whole.numpy().tobytes()
    assert merged.provenance == whole.provenance
    counts = []
    penult.extract(folder, model, out=merged.path, progress=counts.append)
    assert (counts[-1].skipped, counts[-1].ok) == (20, 0)
    assert penult.verify(merged.path, n=None).compared == 20


def test_a_shard_is_the_same_whatever_is_beside_it(tmp_path):
    keys = [f"{n}.jpg" for n in range(200)]
    archive = tar(tmp_path / "s.tar", [(key, b"x") for key in keys])
    parts = [{item.key for item in find_images(archive, share=Share(i, 4))} for i in (1, 2, 3, 4)]
    assert {key for part in parts for key in part} == {f"s.tar#{key}" for key in keys}
    assert sum(map(len, parts)) == 200
    assert min(map(len, parts)) > 25
    archive.write_bytes(tar(tmp_path / "t.tar", [(key, b"x") for key in keys[::-2]]).read_bytes())
    again = {item.key for item in find_images(archive, share=Share(2, 4))}
    assert again < parts[1]


def test_a_compressed_archive_is_in_one_shard(tmp_path):
    for n in range(8):
        tar(tmp_path / f"{n}.tgz", [(f"{m}.jpg", b"x") for m in range(5)])
    source = str(tmp_path / "{0..7}.tgz")
    parts = [[item.key for item in find_images(source, share=Share(i, 2))] for i in (1, 2)]
    archives = [{key.partition("#")[0] for key in part} for part in parts]
    assert archives[0] | archives[1] == {f"{n}.tgz" for n in range(8)}
    assert not archives[0] & archives[1]
    assert sum(map(len, parts)) == 40


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "", "-1/3"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UsageError, match=r"expected I/N, such as 3/8"):
        Share.parse(text)


def test_a_shard_has_a_table_of_its_own(folder, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(penult.extract("in", model, shard="2/3").path) == "in-2-of-3.lance"


def test_tables_of_other_recipes_are_refused(tmp_path):
    parts = [table(tmp_path / "a.lance", "ab", size=1), table(tmp_path / "b.lance", "cd", size=2)]
    with pytest.raises(StoreError, match=r"b\.lance' holds other features than .*a\.lance': size"):
        penult.merge(tmp_path / "out.lance", parts)
    assert not (tmp_path / "out.lance").exists()


def test_doubled_keys_are_refused_with_their_names(tmp_path):
    names = {"a": ["1", "2"], "b": ["3", "4"], "c": ["5", "4", "3"]}
    parts = [table(tmp_path / f"{name}.lance", keys) for name, keys in names.items()]
    with pytest.raises(
        StoreError, match=r"c\.lance' and .*b\.lance' both have '5?4', '3' \(2 keys"
    ):
        penult.merge(tmp_path / "out.lance", parts)


def test_what_is_there_is_not_replaced(tmp_path):
    part = table(tmp_path / "a.lance", "ab")
    with pytest.raises(StoreError, match=r"a\.lance' exists: name another table"):
        penult.merge(part, [part])
    with pytest.raises(StoreError, match="expected a table: run extract first"):
        penult.merge(tmp_path / "out.lance", [part, tmp_path / "no.lance"])
    with pytest.raises(UsageError, match="no tables to merge"):
        penult.merge(tmp_path / "out.lance", [])


def test_a_merge_that_was_cut_short_is_run_again(tmp_path):
    parts = [table(tmp_path / "a.lance", "ab"), table(tmp_path / "b.lance", "cd")]
    table(tmp_path / ".out.lance.merging", "x")
    assert penult.merge(tmp_path / "out.lance", parts).keys == ["a", "b", "c", "d"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.lance", "b.lance", "out.lance"]


def annotate(path, **columns):
    with TableWriter.open(path) as writer:
        keys = sorted(writer.known())
        for name, values in columns.items():
            writer.annotate(keys, {name: values})


def test_columns_come_along_where_all_tables_have_them(tmp_path):
    parts = [table(tmp_path / f"{keys}.lance", keys) for keys in ("ab", "cd")]
    parts.insert(1, table(tmp_path / "none.lance", ""))
    numbers = np.array([1, 2], np.int32)
    annotate(parts[0], label=["x", "y"], cluster=numbers, odd=numbers, own=numbers)
    annotate(parts[2], odd=["1", "2"], cluster=numbers + 2, label=["z", None])
    merged = penult.merge(tmp_path / "out.lance", parts)
    assert merged.columns == {"label": "string", "cluster": "int32"}
    assert merged.left_out == ("odd", "own")
    assert merged.facts(["label"])["label"].to_pylist() == ["x", "y", "z", None]
    assert merged.facts(["cluster"])["cluster"].to_pylist() == [1, 2, 3, 4]
    assert merged.numpy().tolist() == [[1, 1]] * 4
    with TableWriter.open(merged.path) as writer:
        writer.append([Row("e", 1, 1, vectors={"pool": np.full(2, 5, "f")})])
        writer.annotate(["a", "e"], {"cluster": np.array([7, 8], np.int32)})
        writer.remove(["b"])
        writer.compact(at_least=0)
    again = penult.open(merged.path)
    assert again.keys == ["a", "c", "d", "e"]
    assert again.facts(["cluster"])["cluster"].to_pylist() == [7, None, None, 8]
    assert again.facts(["label"])["label"].to_pylist() == ["x", "z", None, None]
    assert again.numpy()[:, 0].tolist() == [1, 1, 1, 5]


def test_files_are_taken_over_but_for_those_of_which_rows_went(tmp_path):
    parts = [table(tmp_path / f"{keys}.lance", keys) for keys in ("abc", "def")]
    with TableWriter.open(parts[0]) as writer:
        writer.compact(at_least=0)
        writer.remove(["b"])
    merged = penult.merge(tmp_path / "out.lance", parts)
    assert merged.keys == [*"acdef"]
    data = [{file.name for file in (path / "data").iterdir()} for path in [merged.path, *parts]]
    assert len(data[0] & data[2]) == 3
    assert len(data[0] - data[2]) == 1
    for file in (merged.path / "data").iterdir():
        if file.name in data[2]:
            assert file.samefile(parts[1] / "data" / file.name)
    for part in parts:
        shutil.rmtree(part)
    assert penult.open(merged.path).numpy().tolist() == [[1, 1]] * 5


@pytest.mark.parametrize("refused", [errno.EXDEV, errno.EPERM])
def test_files_are_copied_where_they_cannot_be_linked(tmp_path, monkeypatch, refused):
    def link(*_):
        raise OSError(refused, "refused")

    parts = [table(tmp_path / "a.lance", "ab"), table(tmp_path / "b.lance", "cd")]
    monkeypatch.setattr(os, "link", link)
    merged = penult.merge(tmp_path / "out.lance", parts)
    assert merged.keys == [*"abcd"]
    assert all(file.stat().st_nlink == 1 for file in (merged.path / "data").iterdir())


def test_what_only_looks_like_a_data_file_is_not_taken_over(tmp_path):
    parts = [table(tmp_path / "a.lance", "ab"), table(tmp_path / "b.lance", "cd")]
    for file in (parts[0] / "data").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
        file.unlink()
        file.symlink_to(tmp_path / file.name)
    merged = penult.merge(tmp_path / "out.lance", parts)
    assert merged.keys == [*"abcd"]
    assert not any(file.is_symlink() for file in (merged.path / "data").iterdir())


def test_an_index_stays_behind(tmp_path):
    keys = [f"{n:03}" for n in range(300)]
    rows = [Row(key, 1, 1, vectors={"pool": np.full(8, n, "f")}) for n, key in enumerate(keys)]
    for name, some in {"a": rows[:290], "b": rows[290:]}.items():
        with TableWriter.open_or_create(tmp_path / f"{name}.lance", {"pool": (8,)}, {}) as writer:
            writer.append(some)
            if name == "a":
                writer.index("pool", "l2")
    merged = penult.merge(tmp_path / "out.lance", [tmp_path / "a.lance", tmp_path / "b.lance"])
    assert merged.indexes == {}
    with TableWriter.open(merged.path) as writer:
        writer.index("pool", "l2")
    assert penult.open(merged.path).indexes == {"pool": "l2"}


@pytest.mark.parametrize("hashed", [hash, len])
def test_keys_of_one_hash_are_not_the_same(tmp_path, monkeypatch, hashed):
    monkeypatch.setattr(known, "hash", hashed, raising=False)
    parts = [table(tmp_path / f"{keys}.lance", keys) for keys in ("abc", "def")]
    assert penult.merge(tmp_path / "out.lance", parts).keys == [*"abcdef"]
    parts.append(table(tmp_path / "f.lance", "gf"))
    with pytest.raises(StoreError, match=r"f\.lance' and .*def\.lance' both have 'f' \("):
        penult.merge(tmp_path / "more.lance", parts)


def test_the_commands(folder, tmp_path):
    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "penult", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        return done.returncode, done.stderr

    for i in (1, 2):
        code, words = run("extract", "in", "--shard", f"{i}/2", "--allow-failures")
        assert code == 0, words
    code, words = run("merge", "in.lance", "in-1-of-2.lance", "in-2-of-2.lance")
    assert code == 0
    assert words.endswith("in.lance: 20 images of 2 tables, 1 failed\n")
    assert run("cluster", "in-1-of-2.lance", "-k", "2")[0] == 0
    code, words = run("merge", "again.lance", "in-1-of-2.lance", "in-2-of-2.lance")
    assert code == 0
    assert words.endswith("left out, as not all tables have them alike: cluster, cluster_name\n")
