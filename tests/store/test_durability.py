"""Commits reach the disk in order, and what fails in one costs only its batch."""

import errno
import os
import resource
import shutil

import numpy as np
import pytest

from penult.errors import StoreError
from penult.store.versions import versions


@pytest.fixture
def synced(monkeypatch):
    """Tell of new files, by folder, how many versions there were when they were synced."""

    def observe(table, change):
        real, then = os.fsync, {}  # for each file by its number

        def fsync(descriptor):
            real(descriptor)
            then.setdefault(os.fstat(descriptor).st_ino, len(versions(table.path)))

        before = set(table.path.rglob("*"))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            change()
        new = {file for file in set(table.path.rglob("*")) - before if file.is_file()}
        return {
            file.parent.name: {then[file.stat().st_ino], then[file.parent.stat().st_ino]}
            for file in new
        }

    return observe


def test_rows_are_synced_before_the_version_and_the_version_before_the_return(
    synced, begin, make_row
):
    with begin() as table:
        table.append([make_row(1), make_row(4)])
        rows = [make_row(2), make_row(3, key="001.jpg")]
        assert synced(table, lambda: table.append(rows)) == {
            "data": {2},
            "_deletions": {2},
            "_transactions": {3},
            "_versions": {3},
        }


def test_what_is_renewed_is_synced_likewise(synced, begin, make_row, refreshed):
    with begin() as table:
        table.append([make_row(1), make_row(4)])
        assert synced(table, lambda: refreshed(table, 1)) == {
            "data": {2},
            "_transactions": {3},
            "_versions": {3},
        }
        notes = {"weights_path": "/new"}
        assert synced(table, lambda: table.note(notes)) == {"_transactions": {4}, "_versions": {4}}


def test_a_full_disk_is_one_line_and_costs_only_the_batch(begin, make_row):
    with begin() as table:
        table.append([make_row(1)])
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
        try:
            with pytest.raises(StoreError) as caught:
                table.append([make_row(i) for i in range(2, 500)])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    message = str(caught.value)
    assert "photos.lance': can't save 498 rows: File too large (os error 27); what was" in message
    assert message.endswith("what was saved before is safe, run again to go on")
    assert "\n" not in message
    with begin() as table:
        table.append([make_row(2)])
        assert list(table.known()) == ["001.jpg", "002.jpg"]


def test_after_a_failed_sync_the_table_is_closed(monkeypatch, begin, make_row):
    def refuse(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with begin() as table:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            with pytest.raises(StoreError, match="can't save 1 rows: Input/output error; what"):
                table.append([make_row(1)])
        with pytest.raises(StoreError, match="was closed, moved or deleted: open it again"):
            table.append([make_row(1)])
    begin().close()


def test_an_interrupted_append_closes_the_table(monkeypatch, begin, make_row):
    def interrupt(descriptor):
        raise KeyboardInterrupt

    with begin() as table:
        monkeypatch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            table.append([make_row(1)])
        monkeypatch.undo()
        begin().close()


def test_a_table_deleted_during_a_run_is_not_half_made_again(begin, make_row):
    with begin() as table:
        table.append([make_row(1)])
        shutil.rmtree(table.path)
        with pytest.raises(StoreError, match="was closed, moved or deleted"):
            table.append([make_row(2)])
    assert not table.path.exists()


def test_a_batch_with_a_bad_row_is_refused_and_the_table_stays_open(begin, make_row):
    with begin() as table:
        bad = make_row(2, vectors={"pool": np.zeros(3, np.float32)})
        with pytest.raises(
            StoreError, match=r"row '002.jpg', layer 'pool': float32 of shape \(3,\)"
        ):
            table.append([make_row(1), bad])
        table.append([make_row(1)])
        assert list(table.known()) == ["001.jpg"]
