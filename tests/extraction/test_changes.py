"""What a rerun finds: new, changed, moved, copied and deleted files, and failures to try again."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

import penult
from penult.errors import ImageError, UsageError
from penult.images import CODES
from penult.model.stream import Outcome
from penult.store import File, Reassignment, TableWriter

from ..means import Means, Meanwhile


def paint(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), (level, 255 - level, level // 2)).save(path)


@pytest.fixture
def folder(tmp_path):
    for level in range(4):
        paint(tmp_path / f"photos/{level}.png", 60 * level)
    return tmp_path / "photos"


@pytest.fixture
def count(tmp_path):
    """Extract into one table; return the final counts."""

    def extract(sources, model=None, **options):
        seen = []
        options |= {"out": tmp_path / "t.lance", "progress": seen.append}
        penult.extract(sources, model or Means(), **options)
        assert seen[-1].listed == seen[-1].done
        return seen[-1]

    return extract


@pytest.fixture
def run(model, folder, tmp_path):
    """Extract into one table; return vectors by key, and (computed, skipped, renamed, removed)."""

    def extract(sources=folder, **options):
        seen = []
        options = {"out": tmp_path / "t.lance", "progress": seen.append} | options
        features = penult.extract(sources, model, **options)
        last = seen[-1]
        assert last.listed == last.done
        vectors = dict(zip(features.keys, features.numpy(), strict=True))
        return vectors, (last.ok, last.skipped, last.renamed, last.removed)

    return extract


def test_a_change_that_keeps_size_and_time_is_seen_by_content_only(run, folder):
    photo = folder / "a.bmp"
    paint(photo, 10)
    before, _ = run(checksum=True)
    old = photo.stat()
    paint(photo, 200)
    os.utime(photo, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert run()[1] == (0, 5, 0, 0)
    after, counts = run(checksum=True)
    assert counts == (1, 4, 0, 0)
    assert not np.array_equal(after["a.bmp"], before["a.bmp"])


def test_a_touched_file_is_not_computed_again_by_content(run, folder):
    run(checksum=True)
    os.utime(folder / "0.png", ns=(1, 1))
    assert run(checksum=True)[1] == (0, 4, 0, 0)
    assert run()[1] == (0, 4, 0, 0)  # its new time is known now
    os.utime(folder / "0.png", ns=(2, 2))
    assert run()[1] == (1, 3, 0, 0)


def test_digests_are_added_to_rows_that_were_made_without(run, folder):
    run()
    assert run(checksum=True)[1] == (0, 4, 0, 0)
    (folder / "0.png").rename(folder / "moved.png")
    assert run(checksum=True)[1] == (0, 4, 1, 0)


def test_moved_files_keep_their_features(run, folder):
    before, _ = run(checksum=True)
    (folder / "sub").mkdir()
    (folder / "0.png").rename(folder / "sub/new.png")
    (folder / "1.png").rename(folder / "x.png")  # two that swap their names
    (folder / "2.png").rename(folder / "1.png")
    (folder / "x.png").rename(folder / "2.png")
    after, counts = run(checksum=True)
    assert counts == (0, 4, 3, 0)
    assert sorted(after) == ["1.png", "2.png", "3.png", "sub/new.png"]
    for new, old in {"sub/new.png": "0.png", "1.png": "2.png", "2.png": "1.png"}.items():
        assert np.array_equal(after[new], before[old])


def test_a_copy_shares_the_features_of_its_original(run, folder):
    before, _ = run(checksum=True)
    shutil.copy(folder / "0.png", folder / "copy.png")
    after, counts = run(checksum=True)
    assert counts == (0, 5, 1, 0)
    assert np.array_equal(after["copy.png"], before["0.png"])
    assert np.array_equal(after["0.png"], before["0.png"])


def test_a_digest_is_kept_only_if_the_file_was_not_touched_until_it_was_decoded(folder, tmp_path):
    original = (folder / "0.png").read_bytes()
    options = {"out": tmp_path / "t.lance", "checksum": True}
    penult.extract(folder, Meanwhile(lambda: paint(folder / "0.png", 99)), **options)
    (folder / "new.png").write_bytes(original)
    features = penult.extract(folder, Means(), **options)
    vectors = dict(zip(features.keys, features.numpy().tolist(), strict=True))
    assert vectors["new.png"] == [0, 255, 0]
    assert vectors["0.png"] == [99, 156, 49]


def test_without_checksum_a_moved_file_is_computed_and_its_old_row_stays(run, folder):
    run(checksum=True)
    (folder / "0.png").rename(folder / "new.png")
    after, counts = run()
    assert counts == (1, 3, 0, 0)
    assert sorted(after) == ["0.png", "1.png", "2.png", "3.png", "new.png"]


def test_deleted_files_lose_their_rows_when_asked(run, folder):
    run()
    (folder / "0.png").unlink()
    shutil.move(folder / "1.png", folder.parent)
    assert sorted(run()[0]) == ["0.png", "1.png", "2.png", "3.png"]
    after, counts = run(prune=True)
    assert counts == (0, 2, 0, 2)
    assert sorted(after) == ["2.png", "3.png"]


def test_rows_of_other_sources_are_never_removed(run, folder, tmp_path):
    paint(tmp_path / "photos2/a.png", 1)
    paint(tmp_path / "photos2/b.png", 2)
    run()
    run(tmp_path / "photos2")
    for gone in ("photos2/a.png", "photos/0.png"):
        (tmp_path / gone).unlink()
    assert sorted(run(prune=True)[0]) == ["1.png", "2.png", "3.png", "a.png", "b.png"]
    assert sorted(run(tmp_path / "photos2", prune=True)[0]) == ["1.png", "2.png", "3.png", "b.png"]
    (folder / "1.png").unlink()
    assert "1.png" in run(folder / "2.png", prune=True)[0]
    assert "1.png" in run(f"{folder}/[2-9].png", prune=True)[0]
    assert "1.png" not in run(f"{folder}/*.png", prune=True)[0]


def test_files_that_are_only_left_out_keep_their_rows(run, folder):
    run([folder / "0.png"])
    (folder / "0.png").rename(folder / "scan.dat")
    run([folder / "scan.dat"])
    assert sorted(run(prune=True)[0]) == ["1.png", "2.png", "3.png", "scan.dat"]


def places(tmp_path):
    """Where the rows of the table say that their files are."""
    with TableWriter.open(tmp_path / "t.lance") as table:
        return {key: row.path for key, row in table.known().items()}


def test_a_folder_that_has_moved_is_found_there(count, folder, tmp_path):
    (folder / "text.png").write_text("no image")
    count(folder)
    features = penult.open(tmp_path / "t.lance")
    moved = folder.rename(tmp_path / "moved")
    counts = count(moved)
    assert (counts.ok, counts.failed, counts.failed_before) == (0, 0, 1)
    assert (counts.skipped, counts.moved, counts.renamed) == (4, 4, 0)
    assert places(tmp_path) == {key: f"{moved}/{key}" for key in [*features.keys, "text.png"]}
    np.testing.assert_array_equal(penult.open(tmp_path / "t.lance").numpy(), features.numpy())
    again = count(moved)
    assert (again.failed_before, again.skipped, again.moved) == (1, 4, 0)
    (moved / "0.png").unlink()
    assert count(moved, prune=True).removed == 1
    assert "0.png" not in places(tmp_path)


def test_a_folder_that_has_moved_keeps_its_digests(count, folder, tmp_path):
    count(folder, checksum=True)
    moved = folder.rename(tmp_path / "moved")
    assert count(moved).moved == 4
    (moved / "0.png").rename(moved / "new.png")
    assert count(moved, checksum=True).renamed == 1


def test_what_is_missing_from_a_folder_that_moved_is_gone_from_there(count, folder, tmp_path):
    count(folder)
    moved = folder.rename(tmp_path / "moved")
    (moved / "0.png").unlink()
    counts = count(moved)
    assert (counts.skipped, counts.moved, counts.removed) == (3, 3, 0)
    assert places(tmp_path)["0.png"] == f"{moved}/0.png"
    assert count(moved, prune=True).removed == 1
    (moved / "1.png").unlink()
    assert count(moved.rename(tmp_path / "again"), prune=True).removed == 1
    assert list(places(tmp_path)) == ["2.png", "3.png"]


@pytest.mark.parametrize("stays", [False, True])
def test_a_few_copies_of_a_folder_are_no_folder_that_moved(count, folder, tmp_path, stays):
    count(folder)
    few = shutil.copytree(folder, tmp_path / "few")
    (few / "0.png").unlink()
    if not stays:  # a disk that isn't there now, and two of its four files
        (few / "1.png").unlink()
        shutil.rmtree(folder)
    count(few, prune=True)
    assert places(tmp_path)["0.png"] == f"{folder}/0.png"


@pytest.mark.parametrize("place", ["/nowhere\0", "x" * 5000, "/dev/zero/a.png", "/dev/null", ""])
def test_wherever_a_table_says_that_files_were(count, folder, tmp_path, place):
    count(folder)
    with TableWriter.open(tmp_path / "t.lance") as table:
        row = table.known()["0.png"]
        file = File("0.png", row.bytes, row.mtime_ns, place)
        table.reassign([Reassignment("0.png", file)])
    counts = count(folder)
    assert counts.ok == (place == "/dev/null")  # there is another file
    assert places(tmp_path)["0.png"] == f"{folder}/0.png"


def repaint_unseen(path, level):
    """Change an image, but neither its size nor its time."""
    time = path.stat().st_mtime_ns
    paint(path, level)
    os.utime(path, ns=(time, time))


@pytest.mark.parametrize("then", [False, True])
@pytest.mark.parametrize("now", [False, True])
def test_rows_are_of_the_copy_that_was_named(count, tmp_path, then, now):
    original, copy = tmp_path / "original", tmp_path / "copy"
    for level, name in enumerate(["alike", "edited", "older", "same"]):
        paint(original / f"{name}.bmp", 50 * level)  # all of one size
    count(original, checksum=then)
    shutil.copytree(original, copy)
    repaint_unseen(copy / "alike.bmp", 201)
    paint(copy / "edited.bmp", 202)
    paint(original / "older.bmp", 203)
    counts = count(copy, checksum=now)
    assert (counts.ok, counts.skipped, counts.moved) == ((2, 2, 2) if then else (3, 1, 1))
    assert places(tmp_path) == {path.name: str(path) for path in copy.iterdir()}
    right = penult.extract(copy, Means(), out=tmp_path / "right.lance")
    found = penult.open(tmp_path / "t.lance")
    assert found.keys == right.keys
    np.testing.assert_array_equal(found.numpy(), right.numpy())


def test_another_name_of_the_same_file_is_not_read(count, folder, tmp_path, monkeypatch):
    count(folder)
    (tmp_path / "linked").mkdir()
    for path in folder.iterdir():
        os.link(path, tmp_path / "linked" / path.name)
    monkeypatch.delattr("penult.images.ImageFile.digest")
    assert count(tmp_path / "linked").moved == 4
    (tmp_path / "way").symlink_to(tmp_path / "linked")
    assert count(tmp_path / "way").moved == 0


class Failing(Means):
    """A model for which all images fail for one reason."""

    def __init__(self, code):
        super().__init__()
        self.code = code

    def stream(self, images, timings=None):
        return (Outcome(error=ImageError(self.code, "not now")) for image in images)


@pytest.mark.parametrize("code", CODES)
def test_failures_that_may_pass_are_tried_again(count, folder, code):
    first = count(folder, Failing(code))
    assert (first.failed, first.failed_before) == (4, 0)
    passing = code in {"changed", "timeout", "unreadable"}
    second = count(folder, Failing(code))
    assert (second.failed, second.failed_before) == ((4, 0) if passing else (0, 4))
    third = count(folder)
    assert (third.ok, third.failed_before) == ((4, 0) if passing else (0, 4))
    assert count(folder, retry_failed=True).skipped == (4 if passing else 0)


def test_a_list_cannot_say_what_has_gone(model, tmp_path):
    (tmp_path / "list.txt").write_text("a.png\n")
    with pytest.raises(UsageError, match="a list doesn't say what has gone: prune needs a folder"):
        penult.extract(model=model, from_file=tmp_path / "list.txt", prune=True)


def test_failed_images_are_tried_again_when_asked(model, run, folder, tmp_path):
    Image.new("RGB", (300, 300)).save(folder / "big.png")
    strict = penult.load_model(max_pixels=1000)
    out = tmp_path / "t.lance"
    failures = penult.extract(folder, strict, out=out).failures
    assert failures == {"big.png": "too_large: 300 × 300 pixels, the limit is 1,000"}
    assert run()[1] == (0, 4, 0, 0)
    after, counts = run(retry_failed=True)
    assert counts == (1, 4, 0, 0)
    assert "big.png" in after
    assert run(retry_failed=True)[1] == (0, 5, 0, 0)


def test_an_image_that_fails_again_stays_a_failure(run, folder):
    (folder / "text.png").write_text("no image")
    run()
    assert run(retry_failed=True)[1] == (0, 4, 0, 0)


@pytest.mark.parametrize("limit", ["max_pixels", "max_bytes"])
def test_limits_are_checked(limit):
    with pytest.raises(UsageError, match=f"{limit} must be at least 1, not 0"):
        penult.load_model(**{limit: 0})
