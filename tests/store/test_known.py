"""What a table knows of its files, held as columns: the same as a dict would hold, in less."""

import random

import pytest

from penult.store import File, TableWriter, known
from penult.store.known import Digests, Known

PATHS = [None, "/a/{}", "/b/{}", "/t.parquet#image/17", "s.tar#x/{}", "odd", ""]
DIGESTS = [None, "ab" * 32, "AB" * 32, "no digest", "", "a b"]


def some(chance, key):
    path = chance.choice(PATHS)
    return Known(
        chance.randrange(9),
        chance.randrange(-5, 2**62),
        chance.choice([None, None, "truncated", "timeout"]),
        chance.choice(DIGESTS),
        path and path.format(key),
    )


@pytest.fixture(params=[hash, len])
def rows(request, begin, monkeypatch):
    """Those of an empty table, in pieces of eight; once with keys of which many share a hash."""
    monkeypatch.setattr(known, "PIECE_ROWS", 8)
    monkeypatch.setattr(known, "FEW_ROWS", 3)
    monkeypatch.setattr(known, "hash", request.param, raising=False)
    with begin() as table:
        yield table.known()


def test_it_is_what_a_dict_would_be(rows):
    chance, expected = random.Random(0), {}
    keys = [f"{'x' * chance.randrange(5)}{n}é" for n in range(60)]
    for step in range(200):
        if step % 50 == 49:
            there = chance.sample(sorted(expected), 5)
            new = {key: some(chance, key)._replace(failure=expected[key].failure) for key in there}
            files = {k: File(k, r.bytes, r.mtime_ns, r.path, r.sha256) for k, r in new.items()}
            rows.renew(lambda keys, files=files: [files[key] for key in keys if key in files])
            expected |= new
        else:
            changed = {key: some(chance, key) for key in chance.sample(keys, chance.randrange(4))}
            gone = [key for key in chance.sample(keys, chance.randrange(3)) if key not in changed]
            rows.update(changed | dict.fromkeys(gone))
            expected |= changed
            for key in gone:
                expected.pop(key, None)
        assert rows == expected
        assert len(rows) == len(expected)
        key = chance.choice(keys)
        assert rows.get(key) == expected.get(key)
        assert (key in rows) == (key in expected)
        pair = chance.sample(keys, 2)
        assert rows.has_any(pair) == any(key in expected for key in pair)
    assert 2 not in rows


def test_a_snapshot_stays_what_it_was(rows):
    chance = random.Random(1)
    before = {f"{n}.jpg": some(chance, f"{n}.jpg") for n in range(30)}
    rows.update(before)
    snapshot = rows.snapshot()
    for _ in range(9):
        rows.update({key: some(chance, key) for key in before})
    rows.update(dict.fromkeys(before))
    assert len(rows) == 0
    places = snapshot.find(["no", *before])
    assert places[0] == -1
    assert dict(snapshot.rows(places[1:])) == before


def test_rows_are_found_by_their_digests(rows):
    digests = [f"{n:064x}" for n in range(5)]
    rows.update({str(n): Known(1, 1, None, digests[n % 4]) for n in range(8)})
    rows.update({"failed": Known(1, 1, "truncated", digests[4]), "none": Known(1, 1)})
    snapshot = rows.snapshot()
    found = Digests(snapshot)
    number, key, row = found.find(digests[1])
    assert (key, row) == ("5", rows["5"])
    assert snapshot.keys(snapshot.find([key])) == ["5"]
    assert number == snapshot.find(["5"])[0]
    assert found.find(digests[4]) is None
    assert found.find("0") is None


def test_an_opened_table_has_what_was_written(begin, make_row, make_failure, monkeypatch):
    monkeypatch.setattr(known, "PIECE_ROWS", 4)
    with begin() as table:
        for n in range(0, 20, 2):
            table.append([make_row(n, path=f"/x/{n:03}.jpg", sha256=f"{n:064x}")])
            table.append([make_failure(n + 1)])
        before = dict(table.known())
    with TableWriter.open(table.path) as table:
        assert table.known() == before
        assert list(table.known()) == sorted(before)
