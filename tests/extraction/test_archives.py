"""Tables of archives: the features of a folder, bit for bit, and what is done with them."""

import io
import os
import signal
import subprocess
import sys
import tarfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from archives import TABLES, pack
from PIL import Image

import penult
from penult.analysis import filing
from penult.errors import SourceError, StoreError
from penult.viewer.content import Content
from penult.viewer.findings import of_duplicates, of_table
from penult.viewer.sheet import write_sheet

KINDS = ["s.tar", "s.tar.gz", "s.tar.zst", "s.zip", "s.parquet", "s.arrow", "s.lance"]


def extract(archive, model, **options):
    """Extract; the keys of a table are those of a folder, those of an archive have its name."""
    if archive.suffix in TABLES:
        options["key"] = "name"
    return penult.extract(archive, model, out=archive.parent / "t.lance", **options)


def reduced(key):
    return key.rpartition("#")[2]


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_gives_what_its_folder_does(kind, images, whole, model, tmp_path):
    archive = pack(tmp_path / kind, images)
    features = extract(archive, model)
    assert [reduced(key) for key in features.keys] == whole.keys
    assert features.numpy().tobytes() == whole.numpy().tobytes()
    failures = {reduced(key): why for key, why in features.failures.items()}
    assert failures == whole.failures != {}
    assert penult.verify(tmp_path / "t.lance", n=None).compared == len(whole)
    assert reduced(features.search(features.keys[0], 2)[0].key) == "copy.jpg"


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_come_from_archives(kind, images, model, tmp_path):
    archive = pack(tmp_path / kind, images)
    features = extract(archive, model)
    content = Content(features)
    try:
        for row in range(len(features)):
            picture = content.thumbnail(content.edition, row)
            assert Image.open(io.BytesIO(picture)).size == (240, 180)
    finally:
        content.close()
    found = features.duplicates()
    [group] = found.groups
    assert [reduced(group.keep.key), reduced(group.drop[0].key)] == ["0/0.jpeg", "copy.jpg"]
    assert group.drop[0].exact
    assert not found.unread
    [_, row] = filing.rows(found)
    name = "image/6" if archive.suffix in TABLES else "copy.jpg"
    assert row["path"] == f"{archive}#{name}"
    with pytest.raises(SourceError, match="holds many images: nothing was done"):
        filing.move(found, tmp_path / "out", root=tmp_path)
    assert write_sheet(tmp_path / "d.html", "d", of_duplicates(features, found)).missing == 0
    assert write_sheet(tmp_path / "t.html", "t", of_table(features)).missing == 0


def test_exports_carry_pictures_or_refuse(images, model, tmp_path):
    features = penult.extract(pack(tmp_path / "s.tar", images), model, out=tmp_path / "t.lance")
    features.export(tmp_path / "a.parquet", program="atlas")
    assert pq.read_table(tmp_path / "a.parquet")["image"].null_count == 0
    features.export(tmp_path / "board", program="tensorboard")
    assert np.asarray(Image.open(tmp_path / "board/sprite.png")).any()
    for program in ("spotlight", "fiftyone"):
        with pytest.raises(StoreError, match="isn't a file, and this format names files"):
            features.export(tmp_path / f"b{'.parquet' * (program == 'spotlight')}", program=program)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_stopped_goes_on(kind, images, whole, model, tmp_path):
    archive = pack(tmp_path / kind, images)

    def stop(counts):
        if counts.ok == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(archive, model, progress=stop)
    begun = len(penult.open(tmp_path / "t.lance"))
    assert 0 < begun < len(whole)
    counts = []
    features = extract(archive, model, progress=counts.append)
    assert counts[-1].skipped == begun
    assert features.numpy().tobytes() == whole.numpy().tobytes()


def test_an_archive_that_was_written_anew_is_done_again(images, model, tmp_path):
    archive = pack(tmp_path / "s.tar", images)
    penult.extract(archive, model, out=tmp_path / "t.lance", checksum=True)
    content = archive.read_bytes()
    archive.write_bytes(content)
    os.utime(archive, ns=(5, 5))
    counts = []
    options = {"out": tmp_path / "t.lance", "progress": counts.append}
    assert penult.verify(tmp_path / "t.lance", n=None).compared == len(images) - 1  # by digest
    penult.extract(archive, model, checksum=True, **options)
    assert (counts[-1].skipped, counts[-1].ok) == (len(images) - 1, 0)
    os.utime(archive, ns=(9, 9))
    penult.extract(archive, model, **options)
    assert (counts[-1].skipped, counts[-1].ok) == (0, len(images) - 1)


def test_prune_removes_what_an_archive_lost(images, model, tmp_path):
    archive = pack(tmp_path / "s.tar", images)
    extract(archive, model)
    pack(archive, {name: data for name, data in images.items() if name != "copy.jpg"})
    features = penult.extract(archive, model, out=tmp_path / "t.lance", prune=True)
    assert "s.tar#copy.jpg" not in features.keys
    assert len(features) == len(images) - 2


def test_a_moved_archive_keeps_its_features(images, model, tmp_path):
    (tmp_path / "a").mkdir()
    archive = pack(tmp_path / "a" / "s.tar", images)
    penult.extract(archive, model, out=tmp_path / "t.lance")
    (tmp_path / "a").rename(tmp_path / "b")
    counts = []
    features = penult.extract(
        tmp_path / "b/s.tar", model, out=tmp_path / "t.lance", progress=counts.append
    )
    assert (counts[-1].moved, counts[-1].ok) == (len(images) - 1, 0)
    assert penult.verify(tmp_path / "t.lance", n=None).compared == len(features)


def test_a_cut_archive_is_one_failure_more(images, model, tmp_path):
    archive = pack(tmp_path / "s.tar", images)
    with tarfile.open(archive) as members:
        last = members.getmember("broken.jpg").offset_data
    archive.write_bytes(archive.read_bytes()[:last])
    features = extract(archive, model)
    assert len(features) == len(images) - 1
    assert list(features.failures) == ["s.tar#"]
    assert ", after 7 members" in features.failures["s.tar#"]


def test_classify_and_features_read_archives(images, model, tmp_path):
    archive = pack(tmp_path / "s.tar.gz", images)
    found = [*penult.classify(archive, model, k=1)]
    assert [reduced(each.key) for each in found] == list(images)
    assert [each.key for each in found if each.error] == ["s.tar.gz#broken.jpg"]


@pytest.mark.parametrize("kind", KINDS[1:5])
def test_a_run_that_was_killed_goes_on(kind, images, whole, tmp_path):
    archive = pack(tmp_path / kind, images)
    options = {"key": "name"} if archive.suffix in TABLES else {}
    script = (
        "import os, signal, sys, penult\n"
        "from penult.extraction import run\n"
        "run.COMMIT_ROWS = 2\n"
        "stop = lambda counts: counts.ok == 5 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "penult.extract(sys.argv[1], out=sys.argv[2], progress=stop, **eval(sys.argv[3]))\n"
    )
    table = tmp_path / "t.lance"
    done = subprocess.run(
        [sys.executable, "-c", script, archive, table, repr(options)], check=False
    )
    assert done.returncode == -signal.SIGKILL
    begun = len(penult.open(table))
    assert 0 < begun < len(whole)
    counts = []
    features = penult.extract(archive, out=table, progress=counts.append, **options)
    assert counts[-1].skipped == begun
    assert [reduced(key) for key in features.keys] == whole.keys
    assert features.numpy().tobytes() == whole.numpy().tobytes()
