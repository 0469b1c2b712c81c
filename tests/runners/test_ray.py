"""`extract` on a Ray cluster: the table is that of one machine, bit for bit.

The kills take minutes: `pytest -m slow -n 0 tests/runners`.
"""

import os
import re
import shutil
import subprocess
import tarfile
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import lance
import numpy as np
import pytest
from PIL import Image

import penult
import tiny_clip
from penult.errors import UsageError
from penult.runners.ray import on_ray
from penult.runners.shards import LEAST_ROWS
from penult.store import annotate
from penult.store.versions import versions
from penult.util.progress import Counts

PREPROCESS = "squash 32 bicubic, mean 0.5, std 0.5"


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


def wait_for(condition, seconds=60):
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


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


def test_images_are_computed_while_more_are_listed(cluster, options, tmp_path):
    folder, table = tmp_path / "images", tmp_path / "t.lance"
    folder.mkdir()
    Image.new("RGB", (8, 8)).save(folder / "0.png")
    names = [f"{number}.png" for number in range(LEAST_ROWS + 100)]
    for name in names[1:]:
        os.link(folder / "0.png", folder / name)
    arguments = ["extract", "--from-file", "-", *options, "-o", table, "--ray", cluster.address]
    with cluster.start(*arguments, stdin=subprocess.PIPE) as process:
        process.stdin.write("".join(f"{folder / name}\n" for name in names))
        process.stdin.flush()
        assert process.poll() is None
        wait_for(lambda: versions(table) and len(penult.open(table)) >= LEAST_ROWS)
        assert process.poll() is None
        process.communicate(timeout=60)
    assert [Path(key).name for key in rows(table)[0]["key"].to_pylist()] == names


APART = 'mount -t tmpfs none "$1" && cp -rp "$2/." "$1" && shift 2 && exec "$@"'


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("photos", "put the images where all machines see them"),
        pytest.param("table", "put it where all machines see it", marks=pytest.mark.slow),
        pytest.param("weights", "tiny.safetensors'", marks=pytest.mark.slow),
    ],
)
def test_what_only_the_driver_sees_is_refused(cluster, folder, weights, tmp_path, what, said):
    """What is mounted for the driver alone, the machines see as an empty folder."""
    apart, full = tmp_path / "apart", tmp_path / "full"
    apart.mkdir()
    full.mkdir()
    shutil.copytree(folder / "0", full / "images")
    shutil.copy(weights, full / "tiny.safetensors")
    source = apart / "images" if what == "photos" else folder
    out = apart / "t.lance" if what == "table" else tmp_path / "t.lance"
    file = apart / "tiny.safetensors" if what == "weights" else weights
    code, _, err = cluster.run(
        *("extract", source, "-o", out, "-m", tiny_clip.NAME, "-w", file),
        *("--preprocess", PREPROCESS, "--ray", cluster.address),
        before=["unshare", "--mount", "sh", "-c", APART, "sh", apart, full],
    )
    assert code == 2
    [line] = [each for each in err.splitlines() if each.startswith("penult: ")]
    assert said in line
    assert "machine '" in line


@pytest.mark.parametrize("address", ["127.0.0.1:9", "127.0.0.1", "127.0.0.1:x", "[::1:9"])
def test_where_no_cluster_is_there_is_none(photos, tmp_path, address):
    with pytest.raises(UsageError, match=f"no Ray cluster at '{re.escape(address)}'"):
        penult.extract(photos, out=tmp_path / "t.lance", ray=address)


@pytest.mark.parametrize("address", ["local", "", "ray://head:10001"])
def test_addresses_of_no_running_cluster_are_refused(photos, tmp_path, address):
    with pytest.raises(UsageError, match=r"--ray '.*': "):
        penult.extract(photos, out=tmp_path / "t.lance", ray=address)


class Listed(list):
    """A plan of one image."""

    def is_listing(self, seconds):
        return False

    def __len__(self):
        return 1


def test_other_devices_are_refused(model):
    elsewhere = SimpleNamespace(recipe=replace(model.recipe, device="cuda"))
    with pytest.raises(UsageError, match="--device cuda and --ray"):
        on_ray("auto")(None, elsewhere, Listed(), Counts(), print)
