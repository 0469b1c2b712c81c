"""Downloads from servers that cut, stall, lie and redirect."""

import gc
import io
import socket
import threading
import time

import pytest
import requests

from penult.errors import DownloadError
from penult.model.published import download
from penult.util import http
from penult.util.text import quoted

from .weights_server import FILE, GOOD, NAME, OTHER, PLACE, SHA256, endless, files, serve, status


def test_a_server_that_takes_the_packing_for_its_own_does_no_harm(publish, server, cache):
    server.always = serve(coding="gzip")
    download(NAME)
    assert (cache / FILE).read_bytes() == GOOD


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


def other_rest(**facts):
    """The rest of another version, as if it were that of the one asked for."""
    said = {"ETag": '"one"', "Content_Range": f"bytes 2000-{len(GOOD) - 1}/{len(GOOD)}"} | facts
    return lambda handler: handler.send(206, OTHER[2000 : len(GOOD)], **said)


@pytest.mark.parametrize(
    "facts",
    [
        {"ETag": '"two"'},
        {"ETag": None},
        {"ETag": None, "Last_Modified": "Sun, 29 Nov 2026 11:00:00 GMT"},
        {"Content_Range": f"bytes 2000-{len(GOOD)}/{len(GOOD) + 1}"},
    ],
)
def test_only_what_was_begun_is_continued(facts, publish, server, cache):
    server.script = [serve(cut=2000), other_rest(**facts)]
    download(NAME)
    assert [known for _, _, known in server.asked] == [None, '"one"', None]
    assert (cache / FILE).read_bytes() == GOOD


def test_without_a_length_nothing_is_continued(publish, server):
    server.script = [
        lambda handler: handler.send(200, GOOD[:500], ETag='"one"', Content_Length=None)
    ]
    download(NAME)
    assert server.asked[-1] == (PLACE, None, None)


def test_a_first_digest_is_of_a_file_that_came_in_one_piece(publish, server, cache):
    publish()
    server.script = [serve(OTHER, cut=2000)]  # of the same name as what comes then
    assert download(NAME).digest == SHA256
    assert server.asked == [(PLACE, None, None)] * 2


def drip(start):
    """A server that ends neither its headers nor its body, and is never silent for long."""

    def behave(handler):
        handler.wfile.write(start)
        try:
            while True:
                handler.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            pass

    return behave


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"HTTP/1.1 302 Found\r\nLocation: /",
    ],
    ids=["headers", "body", "no length", "chunk", "redirect"],
)
def test_a_server_that_drips_is_given_up(start, publish, server, monkeypatch):
    monkeypatch.setattr(http, "PATIENCE", 0.3)
    monkeypatch.setattr(http, "DEADLINE", 0.3)
    publish()
    server.always = drip(start)
    began = time.monotonic()
    with pytest.raises(DownloadError, match=r"too slow, 3 times"):
        download(NAME)
    with pytest.raises(DownloadError, match="too slow"):
        http.fetch_bytes(f"{server.url}{PLACE}", 10**6)
    assert time.monotonic() - began < 5


def test_a_slow_file_comes_if_each_piece_does(publish, server, cache, monkeypatch):
    monkeypatch.setattr(http, "PATIENCE", 0.4)

    def behave(handler):
        handler.send(200, ETag='"one"', Content_Length=len(GOOD))
        for start in range(0, len(GOOD), 1000):
            handler.wfile.write(GOOD[start : start + 1000])
            time.sleep(0.1)

    server.always = behave
    download(NAME)
    assert len(server.asked) == 1


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
    server.always = lambda handler: handler.send(200, GOOD[:1000], Content_Length=None)
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
    monkeypatch.setattr(http, "LIMIT", 100_000)
    publish(bytes=size)
    server.always = endless
    with pytest.raises(DownloadError, match=f"more than {size or 100_000} bytes"):
        download(NAME)
    assert sum(path.stat().st_size for path in cache.iterdir()) == 0


def test_an_announced_size_over_the_limit_is_refused(publish, server, monkeypatch):
    monkeypatch.setattr(http, "LIMIT", 1000)
    publish()
    with pytest.raises(DownloadError, match=f": {len(GOOD)} bytes, expected at most 1000;"):
        download(NAME)


def test_redirects_are_followed(publish, server, cache):
    server.script = [status(302, Location=f"{server.url}/elsewhere")]
    assert download(NAME).path == cache / FILE
    assert server.asked[-1][0] == "/elsewhere"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/file"])
def test_redirects_to_anything_but_http_are_refused(target, publish, server):
    server.script = [status(302, Location=target)]
    with pytest.raises(DownloadError, match="which isn't as safe"):
        download(NAME)


@pytest.mark.parametrize(
    "target", ["http://[::1", "http://a\x80:99999999/", "http://", "//\x1b[2J/"]
)
def test_malformed_redirects_are_one_line(target, server, tmp_path):
    server.always = status(302, Location=target)
    assert refusal(f"{server.url}{PLACE}", tmp_path / "file").isprintable()
    gc.collect()  # what the error held on to, which warns of a connection that was left open


def refusal(url, path):
    with pytest.raises(DownloadError) as caught:
        http.fetch(url, path)
    return str(caught.value)


def test_the_body_of_a_redirect_is_not_awaited(publish, server, cache):
    done = threading.Event()

    def redirect(handler):
        handler.send(302, Location=f"{server.url}/elsewhere", Content_Length=1000)
        done.wait(5)

    server.script = [redirect]
    download(NAME)
    done.set()
    assert [place for place, *_ in server.asked] == [PLACE, "/elsewhere"]


def test_redirects_end(publish, server):
    server.always = status(302, Location="/again")
    with pytest.raises(DownloadError, match="more than 5 redirects"):
        download(NAME)


def test_there_is_no_way_from_https_to_http(server, tmp_path, monkeypatch):
    def redirect(_, request, **__):
        response = requests.Response()
        response.status_code, response.headers["Location"] = 302, server.url
        response.request, response.raw = request, io.BytesIO()
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", redirect)
    with pytest.raises(DownloadError, match=r"leads to http://.*, which isn't as safe"):
        http.fetch("https://example.org/file", tmp_path / "file")
