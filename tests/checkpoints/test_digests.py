"""Digests that are known from before: a file that has changed is read, whoever says what."""

import os
import stat
import time
from hashlib import sha256

import pytest

from penult.checkpoints import base, digests
from penult.checkpoints.base import WeightsFile

CONTENT, OTHER = b"weights", b"WEIGHTS"


@pytest.fixture(autouse=True)
def notes(tmp_path, monkeypatch):
    """The file with the notes, of small files too, which may have changed just now."""
    monkeypatch.setenv("PENULT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(digests, "LEAST", 1)
    monkeypatch.setattr(digests, "SETTLED", 0)
    return tmp_path / "cache/digests.txt"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(CONTENT)
    time.sleep(0.01)  # longer than a tick of the clock that files have
    return path


@pytest.fixture
def hashed(monkeypatch):
    """Lists what is read for a digest."""
    read, compute = [], WeightsFile._compute_sha256

    def watched(self):
        read.append(self.path.name)
        return compute(self)

    monkeypatch.setattr(WeightsFile, "_compute_sha256", watched)
    return read


def digest(path):
    """As another process would compute it."""
    base._digests.clear()
    return WeightsFile(path).sha256()


def test_a_file_is_read_once_for_all_processes(file, hashed):
    assert [digest(file), digest(file)] == [sha256(CONTENT).digest()] * 2
    assert hashed == ["weights"]


def test_a_changed_file_is_read_whatever_time_it_claims(file, hashed):
    digest(file)
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_bytes(OTHER)
    os.utime(file, ns=times)
    assert digest(file) == sha256(OTHER).digest()
    assert len(hashed) == 2


def test_another_file_at_the_same_path_is_read(file, tmp_path, hashed):
    digest(file)
    other = tmp_path / "other"
    other.write_bytes(OTHER)
    other.replace(file)
    assert digest(file) == sha256(OTHER).digest()
    assert len(hashed) == 2


def test_what_has_only_just_changed_is_not_noted(file, notes, monkeypatch):
    monkeypatch.setattr(digests, "SETTLED", 10**12)
    digest(file)
    assert not notes.exists()


def test_what_changes_meanwhile_is_not_noted(file, notes):
    opened = WeightsFile(file)
    file.touch()
    opened.sha256()
    assert not notes.exists()


def test_small_files_are_not_noted(file, notes, monkeypatch):
    monkeypatch.setattr(digests, "LEAST", len(CONTENT) + 1)
    digest(file)
    assert not notes.exists()


def test_the_notes_are_of_the_user_alone(file, notes):
    digest(file)
    assert stat.S_IMODE(notes.stat().st_mode) == 0o600
    assert stat.S_IMODE(notes.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o644, 0o620, 0o602])
def test_notes_that_others_may_see_or_write_are_not_believed(file, notes, hashed, mode):
    digest(file)
    notes.write_text(notes.read_text().replace(sha256(CONTENT).hexdigest(), "0" * 64))
    notes.chmod(mode)
    assert digest(file) == sha256(CONTENT).digest()
    assert stat.S_IMODE(notes.stat().st_mode) == 0o600  # written anew


def test_notes_of_another_user_are_not_believed(file, notes, hashed, monkeypatch):
    digest(file)
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    digest(file)
    assert len(hashed) == 2


def test_notes_by_a_link_are_not_believed(file, notes, hashed, tmp_path):
    digest(file)
    notes.rename(tmp_path / "elsewhere")
    notes.symlink_to(tmp_path / "elsewhere")
    digest(file)
    assert len(hashed) == 2
    assert not notes.is_symlink()


@pytest.mark.parametrize("text", [b"", b"\xff\0" * 1000, b"1 2 3 4 5 6\n", b"9" * (1 << 20)])
def test_damaged_notes_are_written_anew(file, notes, hashed, text):
    digest(file)
    notes.write_bytes(text)
    assert [digest(file), digest(file)] == [sha256(CONTENT).digest()] * 2
    assert len(hashed) == 2
    assert notes.stat().st_size < 200


def test_a_pipe_in_their_place_is_not_waited_for(file, notes):
    notes.parent.mkdir()
    os.mkfifo(notes, 0o600)
    assert digest(file) == sha256(CONTENT).digest()


def test_a_cache_that_cannot_be_written_changes_nothing(file, notes, hashed):
    notes.parent.write_bytes(b"a file")
    assert [digest(file), digest(file)] == [sha256(CONTENT).digest()] * 2
    assert len(hashed) == 2


def test_a_full_disk_changes_nothing(file, notes, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert digest(file) == sha256(CONTENT).digest()
    assert [*notes.parent.iterdir()] == []


def test_the_oldest_notes_go_first(tmp_path, notes, monkeypatch):
    monkeypatch.setattr(digests, "MOST", 3)
    paths = [tmp_path / f"file{index}" for index in range(5)]
    for index, path in enumerate(paths):
        path.write_bytes(b"%d" % index)
    time.sleep(0.01)
    for path in paths:
        digest(path)
    last = [sha256(b"%d" % index).hexdigest() for index in (2, 3, 4)]
    assert [line.split()[-1] for line in notes.read_text().splitlines()] == last
