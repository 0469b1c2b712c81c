"""Notes, and what is known of files, are renewed without writing vectors again."""

import lance
import numpy as np

from penult.store import TableWriter, open_table
from penult.store.versions import versions


def test_notes_are_renewed_one_by_one(tmp_path, layers, provenance, make_row):
    path, notes = tmp_path / "t.lance", {"weights_path": "/old", "made": "then"}
    with TableWriter.open_or_create(path, layers, provenance, notes) as writer:
        writer.append([make_row(1)])
        writer.annotate(["001.jpg"], {"x": np.ones(1, np.float32)})
        before = versions(path)
        writer.note({"weights_path": "/old"})
        assert versions(path) == before
        writer.note({"weights_path": "/new"})
        assert len(versions(path)) == len(before) + 1
        writer.append([make_row(2)])
        writer.annotate(["002.jpg"], {"x": np.ones(1, np.float32)})
    features = open_table(path)
    assert features.provenance == provenance | notes | {"weights_path": "/new"}
    assert features.facts(["x"])["x"].to_pylist() == [None, 1.0]
    with TableWriter.open_or_create(path, layers, provenance, notes) as writer:
        assert writer.kind.notes["weights_path"] == "/new"


def test_what_is_known_of_files_is_renewed_without_writing_vectors(
    begin, make_row, make_failure, refreshed
):
    layers = {"pool": (1 << 16,)}
    with begin(layers=layers) as writer:
        for start in (0, 3):
            writer.append([make_row(start + i, path="/old", layers=layers) for i in range(3)])
        writer.append([make_failure(9), make_row(4, path="/newer", layers=layers)])
        writer.remove(["001.jpg"])
        data, before = writer.path / "data", versions(writer.path)
        old = set(data.iterdir())
        assert refreshed(writer, 0, 1, 3, 4, 9) == {"000.jpg", "003.jpg", "004.jpg", "009.jpg"}
        assert len(versions(writer.path)) == len(before) + 1
        assert all(file.stat().st_size < 1 << 14 for file in set(data.iterdir()) - old)
        known = dict(writer.known())
    with begin(layers=layers) as writer:
        assert writer.known() == known
    assert {key: row.path for key, row in known.items()} == {
        "000.jpg": "/new/000.jpg",
        "002.jpg": "/old",
        "003.jpg": "/new/003.jpg",
        "004.jpg": "/new/004.jpg",
        "005.jpg": "/old",
        "009.jpg": "/new/009.jpg",
    }
    assert known["003.jpg"] == (1003, 7, None, "d3", "/new/003.jpg")
    assert known["009.jpg"] == (1009, 7, "truncated", "d9", "/new/009.jpg")
    features = open_table(writer.path)
    assert features.numpy()[:, -1].tolist() == [0, 2, 3, 4, 5]
    facts = features.facts(["width", "sha256"])
    assert facts["width"].to_pylist() == [640] * 5
    assert facts["sha256"].to_pylist() == ["d0", None, "d3", "d4", None]


def test_renewed_rows_are_replaced_removed_and_compacted(begin, make_row, refreshed):
    with begin() as writer:
        writer.append([make_row(i) for i in range(4)])
        refreshed(writer, 0, 1, 2, 3)
        writer.append([make_row(8, key="001.jpg")])
        writer.remove(["002.jpg"])
        refreshed(writer, 1)
        writer.compact(at_least=1)
        refreshed(writer, 1, 3)
        writer.compact(at_least=1)
        known = dict(writer.known())
    assert sorted(known) == ["000.jpg", "001.jpg", "003.jpg"]
    assert {row.path for row in known.values()} == {f"/new/{key}" for key in known}
    assert open_table(writer.path).numpy()[:, 0].tolist() == [0, 8, 3]
    with begin() as writer:
        assert writer.known() == known


def test_a_renewed_row_keeps_its_index(begin, make_row, refreshed):
    layers = {"pool": (8,)}
    with begin(layers=layers) as writer:
        writer.append([make_row(i, layers=layers) for i in range(300)])
        writer.index("pool", "l2")
        refreshed(writer, *range(200))
        statistics = lance.dataset(writer.path).stats.index_stats("pool")
    assert statistics["num_unindexed_rows"] == 0
    assert statistics["num_indexed_rows"] == 300
