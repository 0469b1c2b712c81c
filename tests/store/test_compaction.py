"""Tables stay small: fragments are joined, and old versions and leftovers removed."""

from datetime import timedelta

from penult.store import TableWriter, open_table
from penult.store.versions import versions


def test_many_fragments_are_joined_and_old_versions_removed(begin, make_row):
    with begin() as table:
        for number in range(20):
            table.append([make_row(number), make_row(100, key="changes.jpg")])
        table.compact()
        assert len(versions(table.path)) == 4
        table.append([make_row(20)])
    features = open_table(table.path)
    assert features.info["fragments"] == 2
    assert features.numpy()[:, 0].tolist() == [*range(21), 100]


def test_who_has_just_opened_a_table_can_go_on_reading(monkeypatch, photos, make_row):
    monkeypatch.setattr("penult.store.writer.GRACE", timedelta(minutes=1))
    features = open_table(photos)
    with TableWriter.open(photos) as writer:
        for number in range(20, 40):
            writer.append([make_row(number)])
        writer.compact()
    assert features.numpy()[:, 0].tolist() == [0, 1, 2, 4, 5]
    monkeypatch.setattr("penult.store.writer.GRACE", timedelta(0))
    with TableWriter.open(photos) as writer:
        writer.compact()  # nothing to join, but many versions
        assert len(versions(photos)) == 4


def test_few_fragments_are_left_alone(photos):
    with TableWriter.open(photos) as table:
        before = versions(photos)
        table.compact()
        assert versions(photos) == before


def test_a_long_run_joins_fragments_as_it_goes(monkeypatch, begin, make_row):
    monkeypatch.setattr("penult.store.writer.TOO_MANY_FRAGMENTS", 5)
    with begin() as writer:
        for number in range(12):
            writer.append([make_row(number)])
    info = open_table(writer.path).info
    assert info["rows"] == 12
    assert info["fragments"] < 5
    assert info["versions"] < 10


def test_leftovers_of_killed_runs_go_with_the_old_versions(photos):
    names = ["data/orphan.lance", "_versions/.tmpAbC", "_versions/1.manifest.unreadable"]
    for name in names:
        (photos / name).write_bytes(b"LANC")
    with TableWriter.open(photos) as table:
        table.compact(at_least=2)
    assert not any((photos / name).exists() for name in names)
