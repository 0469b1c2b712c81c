"""Rows that other processes write, and that the writer takes in."""

import lance
import numpy as np
import pytest

from penult.errors import StoreError
from penult.store import PartWriter, annotate, open_table
from penult.store import writer as writing
from penult.store.parts import probe, require_shared
from penult.store.versions import PROBE, versions


def written(table, rows):
    """A part of rows, beside the files that they are of."""
    return rows, PartWriter(table.path, table.kind).write(rows)


def data_files(table):
    return {each.name for each in (table.path / "data").glob("*")}


def test_parts_are_in_the_table_once_they_are_taken_in(begin, make_row, make_failure):
    with begin() as table:
        table.append([make_row(0)])
        parts = [written(table, [make_row(1), make_failure(2)]), written(table, [make_row(3)])]
        assert open_table(table.path).keys == ["000.jpg"]
        table.adopt(parts)
        assert list(table.known()) == ["000.jpg", "001.jpg", "002.jpg", "003.jpg"]
        known = dict(table.known())
    assert open_table(table.path).keys == ["000.jpg", "001.jpg", "003.jpg"]
    with begin() as table:
        assert dict(table.known()) == known


def test_rows_of_a_part_take_the_place_of_old_ones(begin, make_row, make_failure):
    with begin() as table:
        table.append([make_row(1), make_row(2)])
        table.append([make_row(3), make_failure(4)])
        table.append([make_row(5)])
    annotate(features := open_table(table.path), {"mark": np.arange(4, dtype=np.int32)})
    assert features.keys == ["001.jpg", "002.jpg", "003.jpg", "005.jpg"]
    with begin() as table:
        new = [make_row(7, key="002.jpg"), make_row(8, key="004.jpg"), make_row(9, key="005.jpg")]
        table.adopt([written(table, [*new, make_row(10)])])
    found = lance.dataset(table.path).to_table().sort_by("key")
    assert found["key"].to_pylist() == [f"{n:03}.jpg" for n in (1, 2, 3, 4, 5, 10)]
    assert found["mark"].to_pylist() == [0, None, 2, None, None, None]
    expected = [make_row(n).vectors for n in (1, 7, 3, 8, 9, 10)]
    for layer in expected[0]:
        column = found[layer].combine_chunks()
        values = column.flatten().to_numpy().reshape(len(expected), -1)
        np.testing.assert_array_equal(values, [row[layer].ravel() for row in expected])


def test_an_index_finds_rows_of_parts(begin, make_row):
    with begin() as table:
        table.append([make_row(n) for n in range(300)])
        layer = next(iter(table.kind.layers))
        table.index(layer, "cosine")
        table.adopt([written(table, [make_row(300), make_row(500, key="007.jpg")])])
        assert len(table.known()) == 301
    features = open_table(table.path)
    assert len(features) == 301
    assert "300.jpg" in features.keys


def test_a_digest_that_was_lost_is_not_known(begin, make_row):
    with begin() as table:
        files = [make_row(1, sha256="a" * 64), make_row(2, sha256="b" * 64)]
        _, part = written(table, [files[0], make_row(2)])
        table.adopt([(files, part)])
        assert [row.sha256 for row in table.known().values()] == ["a" * 64, None]


def test_a_part_whose_files_are_not_there_is_refused(begin, make_row):
    with begin() as table:
        table.append([make_row(0)])
        before = data_files(table)
        part = written(table, [make_row(1)])
        [new] = data_files(table) - before
        (table.path / "data" / new).unlink()
        with pytest.raises(StoreError, match=r"another process wrote: 'data/.*' is missing"):
            table.adopt([part])
    assert open_table(table.path).keys == ["000.jpg"]


def test_old_versions_go_meanwhile_and_what_is_to_come_stays(begin, make_row, monkeypatch):
    monkeypatch.setattr(writing, "CLEAN_VERSIONS", 8)
    monkeypatch.setattr(writing, "GRACE", writing.GRACE * 0)
    with begin() as table:
        late = written(table, [make_row(99)])
        for number in range(20):
            table.adopt([written(table, [make_row(number)])])
            assert len(versions(table.path)) <= 8
        table.adopt([late])
        written(table, [make_row(100)])
        table.clean()
        named = [f for each in lance.dataset(table.path).get_fragments() for f in each.data_files()]
        assert data_files(table) == {each.path for each in named}
    assert len(open_table(table.path)) == 21


def test_a_folder_is_known_by_its_probe(begin, make_row, tmp_path):
    with begin() as table:
        with probe(table.path) as token:
            require_shared(table.path, token)
            with pytest.raises(StoreError, match="put it where all machines see it"):
                require_shared(table.path, "0" * 32)
            with pytest.raises(StoreError, match="put it where all machines see it"):
                require_shared(tmp_path, token)
            begun = {each.name for each in table.path.rglob("*")}
            assert PROBE in begun
        assert {each.name for each in table.path.rglob("*")} == begun - {PROBE}
