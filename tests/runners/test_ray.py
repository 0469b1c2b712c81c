"""`extract` on a Ray cluster: the table is that of one machine, bit for bit.

The kills take minutes: `pytest -m slow -n 0 tests/runners`.
"""

import os
import shutil
import tarfile

import lance
import numpy as np
import pytest

import penult
import tiny_clip
from penult.store import annotate

PREPROCESS = "squash 32 bicubic, mean 0.5, std 0.5"
NOTICED_SECONDS = 30  # that a machine's loss may take to be noticed


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    tiny_clip.write(file, text=False)
    return file


@pytest.fixture
def options(weights):
    return ["-m", tiny_clip.NAME, "-w", str(weights), "--preprocess", PREPROCESS]


@pytest.fixture
def alone(weights, tmp_path):
    """Extracts in this process; gives the rows."""

    def run(*sources, out=tmp_path / "alone.lance", **options):
        options |= {"weights": weights, "preprocess": PREPROCESS}
        penult.extract(sources, tiny_clip.NAME, out=out, **options)
        return rows(out)

    return run


@pytest.fixture
def folder(photos, tmp_path):
    """Sixty images, and two that fail."""
    target = tmp_path / "photos"
    copies(photos, target, 3)
    (target / "1/cut.jpg").write_bytes((photos / "hens.jpg").read_bytes()[:5000])
    (target / "2/text.jpg").write_text("<html>")
    return target


@pytest.fixture
def thousand(photos, tmp_path):
    """A thousand images, and one that fails."""
    copies(photos, tmp_path / "photos", 50)
    (tmp_path / "photos/7/text.jpg").write_text("<html>")
    return tmp_path / "photos"


def copies(photos, target, count):
    for number in range(count):
        shutil.copytree(photos, target / str(number), copy_function=os.link)
        (target / str(number) / "LICENSES.md").unlink()


def rows(table):
    """All rows in their order, with what the table says of itself."""
    found = lance.dataset(table).to_table()
    return found, found.schema.metadata


def by_key(table):
    """All rows in the order of their keys."""
    return lance.dataset(table).to_table().sort_by("key")


def test_the_table_is_that_of_one_machine(cluster, folder, options, alone, tmp_path):
    table = tmp_path / "t.lance"
    counts = cluster.extract(folder, *options, "-o", table)
    assert (counts["ok"], counts["failed"]) == (60, 2)
    assert rows(table) == alone(folder)
    assert {each.name for each in table.iterdir()} == {
        "_penult.lock",
        "_transactions",
        "_versions",
        "data",
    }


def test_containers_changes_and_failures_are_done_as_on_one_machine(
    cluster, folder, photos, options, alone, tmp_path
):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(photos, "photos")
    (tmp_path / "b.tar").write_bytes((tmp_path / "a.tar").read_bytes()[:500_000])
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        archive.add(photos, "photos")
    (tmp_path / "d.zip").write_bytes(b"PK\3\4 and no more")
    table = tmp_path / "t.lance"
    names = ("a.tar", "b.tar", "c.tar.gz", "[d].zip")
    sources = [folder, *(tmp_path / name for name in names)]
    cluster.extract(*sources, *options, "--checksum", "-o", table)
    expected = alone(*sources, checksum=True)
    assert rows(table) == expected
    assert f"{tmp_path}/d.zip#" in expected[0]["path"].to_pylist()
    features = penult.open(table)
    annotate(features, {"mark": np.arange(len(features), dtype=np.int32)})
    for number, name in enumerate(("0/hens.jpg", "1/hens.jpg", "2/koala.jpg")):
        (folder / name).unlink()
        shutil.copy(photos / "macaw.png", folder / name)
        os.utime(folder / name, ns=(number, number))
    again = cluster.extract(*sources, *options, "--retry-failed", "-o", table)
    assert (again["ok"], again["failed"]) == (3, 4)
    alone(*sources, retry_failed=True)
    assert by_key(table).drop_columns("mark") == by_key(tmp_path / "alone.lance")
    assert len(by_key(table)) - by_key(table)["mark"].null_count == len(features) - 3
