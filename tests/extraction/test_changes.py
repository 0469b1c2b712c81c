"""What a rerun finds: new, changed, moved, copied and deleted files, and failures to try again."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

import penult
from penult.errors import UsageError

from ..means import Means


def paint(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 16), (level, 255 - level, level // 2)).save(path)


@pytest.fixture
def folder(tmp_path):
    for level in range(4):
        paint(tmp_path / f"photos/{level}.png", 60 * level)
    return tmp_path / "photos"


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
    options = {"model": Means(), "out": tmp_path / "t.lance", "checksum": True}
    penult.extract(folder, progress=lambda counts: paint(folder / "0.png", 99), **options)
    (folder / "new.png").write_bytes(original)
    features = penult.extract(folder, **options)
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
