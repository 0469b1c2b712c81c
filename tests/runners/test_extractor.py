"""What runs on a cluster's machines, without one: what it computes, and what it refuses."""

import os
import tarfile
from dataclasses import replace

import fsspec
import pytest

from penult.extraction.backlog import look
from penult.images import find_images, stores
from penult.runners import extractor as extractors
from penult.runners.extractor import Done, Extractor, Heard, Ready, Refusal, Work
from penult.store import TableWriter
from penult.store.parts import probe


@pytest.fixture
def table(model, tmp_path):
    recipe = model.recipe
    path = tmp_path / "t.lance"
    with TableWriter.open_or_create(path, model.outputs, recipe.provenance, recipe.notes) as table:
        yield table


@pytest.fixture
def work(model, table):
    with probe(table.path) as token:
        recipe = model.recipe
        yield Work(recipe, table.path, table.kind, token, recipe.notes["versions"], 1)


@pytest.fixture(autouse=True)
def own_cores(monkeypatch):
    monkeypatch.setattr(extractors, "set_threads", lambda count: None)  # this process is no actor


def listed(*sources):
    return [look(item).file for item in find_images(sources)]


def started(work):
    extractor = Extractor(work)
    assert isinstance(extractor.start(), Ready)
    return extractor


def test_a_shard_is_written_and_said_to_be(work, table, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(extractors, "HEARD_SECONDS", -1.0)
    (tmp_path / "text.jpg").write_text("<html>")
    files = listed(photos / "hens.jpg", photos / "koala.jpg", tmp_path / "text.jpg")
    *heard, done = started(work).extract(files)
    assert heard == [Heard(1, 0), Heard(2, 0), Heard(2, 1)]
    assert isinstance(done, Done)
    assert (done.part.rows, list(done.part.errors)) == (3, [2])
    assert done.timings.network > 0
    table.adopt([(files, done.part)])
    assert [row.failure for row in table.known().values()] == [None, None, "not_an_image"]


def test_some_images_that_changed_or_went_are_rows(work, photos, tmp_path):
    for name in ("hens.jpg", "koala.jpg", "tripod.jpg"):
        (tmp_path / name).write_bytes((photos / name).read_bytes())
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(photos / "macaw.png", "macaw.png")
    files = listed(*(tmp_path / n for n in ("hens.jpg", "koala.jpg", "tripod.jpg", "a.tar")))
    (tmp_path / "koala.jpg").unlink()
    os.utime(tmp_path / "a.tar", ns=(1, 1))
    [done] = started(work).extract(files)
    assert isinstance(done, Done)
    assert {place: text.partition(":")[0] for place, text in done.part.errors.items()} == {
        1: "unreadable",
        3: "changed",
    }


def test_images_that_are_not_there_are_refused(work, photos):
    files = [replace(file, path=f"/nowhere{file.path}") for file in listed(photos)]
    [said] = started(work).extract(files)
    assert isinstance(said, Refusal)
    assert said.reason.startswith("'/nowhere")
    assert "put the images where all machines see them" in said.reason


def test_others_in_their_place_are_refused(work, photos):
    files = [replace(file, bytes=file.bytes + 1) for file in listed(photos)]
    [said] = started(work).extract(files)
    assert isinstance(said, Refusal)


def test_a_table_elsewhere_is_refused(work):
    said = Extractor(replace(work, token="0" * 32)).start()
    assert isinstance(said, Refusal)
    assert "put it where all machines see it" in said.reason


def test_other_weights_are_refused(work, tmp_path):
    file = tmp_path / "other.pth"
    file.write_bytes(b"0" * 100)
    recipe = replace(
        work.recipe, weights=file, weights_files={"other.pth": 100}, weights_sha256="1" * 64
    )
    said = Extractor(replace(work, recipe=recipe)).start()
    assert isinstance(said, Refusal)
    assert "weights_sha256" in said.reason


def test_other_versions_of_libraries_are_refused(work):
    versions = work.versions | {"onnxruntime": "1.0"}
    said = Extractor(replace(work, versions=versions)).start()
    assert isinstance(said, Refusal)
    assert "onnxruntime is" in said.reason


def test_what_the_driver_has_listed_in_a_bucket_may_be_read(work, photos, monkeypatch):
    fsspec.filesystem("memory").pipe("/driver/hens.jpg", (photos / "hens.jpg").read_bytes())
    files = listed("memory://driver/hens.jpg")
    monkeypatch.setattr(stores, "_allowed", set())  # as in a process of another machine
    [done] = started(work).extract(files)
    assert isinstance(done, Done)
    assert not done.part.errors
