"""What pages show of a table: every image once, in groups that people know."""

from types import SimpleNamespace

import numpy as np
import pytest

from penult import open as open_table
from penult.store import Row, TableWriter
from penult.viewer.findings import of_duplicates, of_table

KEYS = ["a.jpg", "x/b.jpg", "x/c.jpg", "x/y/d.jpg"]


@pytest.fixture
def table(tmp_path):
    rows = [Row(key, 1, 1, vectors={"pool": np.ones(2, np.float32)}) for key in KEYS]
    with TableWriter.open_or_create(tmp_path / "t.lance", {"pool": (2,)}, {}) as table:
        table.append(rows)
    return tmp_path / "t.lance"


def test_files_that_are_not_those_of_the_features_are_not_shown(tmp_path):
    files = [tmp_path / "same.jpg", tmp_path / "other.jpg"]
    for file in files:
        file.write_bytes(b"1234")
    rows = [
        Row(f.name, size, f.stat().st_mtime_ns, path=str(f), vectors={"pool": np.ones(2, "f")})
        for f, size in zip(files, (4, 5), strict=True)
    ]
    with TableWriter.open_or_create(tmp_path / "t.lance", {"pool": (2,)}, {}) as table:
        table.append(rows)
    [section] = of_table(open_table(tmp_path / "t.lance"))
    assert {item.key: item.image for item in section.items} == {
        "same.jpg": str(files[0]),
        "other.jpg": None,
    }


def shown(path):
    sections = of_table(open_table(path))
    return {section.title: [item.key for item in section.items] for section in sections}


def test_without_clusters_there_is_a_section_a_folder(table):
    assert shown(table) == {"t.lance": KEYS[:1], "x": KEYS[1:3], "x/y": KEYS[3:]}


def test_sections_are_clusters_and_noise_and_later_images_come_last(table):
    with TableWriter.open(table) as open_:
        open_.annotate(KEYS[:3], {"cluster": np.array([1, -1, 0], np.int32)})
    wanted = {"Cluster 0": KEYS[2:3], "Cluster 1": KEYS[:1], "Noise": KEYS[1:2],
              "Without a cluster": KEYS[3:]}  # fmt: skip
    assert list(shown(table).items()) == list(wanted.items())


def test_of_more_images_than_there_is_room_for_each_group_has_a_share(table):
    keys = [f"many/{i:03}.jpg" for i in range(300)]
    with TableWriter.open(table) as open_:
        vector = np.ones(2, np.float32)
        open_.append([Row(key, 1, 1, vectors={"pool": vector}) for key in keys])
    sections = of_table(open_table(table), 10)
    assert [(each.title, len(each.items), each.text) for each in sections] == [
        ("many", 6, "6 of 300, evenly spread"), ("t.lance", 1, ""), ("x", 2, ""), ("x/y", 1, ""),
    ]  # fmt: skip
    assert [item.key for item in sections[0].items] == keys[::50]
    assert [len(each.items) for each in of_table(open_table(table), 2)] == [1, 1, 1, 1]


def test_failures_are_counted_and_the_command_that_lists_them_is_named(table):
    with TableWriter.open(table) as open_:
        open_.append([Row("bad.jpg", 1, 1, error="damaged: it ends early")])
    section = of_table(open_table(table))[-1]
    assert section.items == ()
    assert section.text == "1 gave no features; `penult failures t.lance` lists them"


def test_where_nothing_is_found_there_is_no_section(table):
    features = open_table(table)
    assert of_duplicates(features, SimpleNamespace(groups=())) == []
