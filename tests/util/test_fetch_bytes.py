"""An address as a query: bounded, and no way for a server into the local network."""

import socket

import pytest

import penult.util.connections
import penult.util.http
from loopback import Handler, Server
from penult.errors import DownloadError
from penult.util.http import fetch_bytes


class _Handler(Handler):
    def answer(self):
        self.server.asked.append(self.path)
        status, headers, body = self.server.answers[self.path]
        self.send(status, body, **headers)


@pytest.fixture
def server():
    """Answers by path; `server.at` makes addresses, `server.asked` has the requests."""
    with Server(_Handler) as server:
        server.answers = {"/image": (200, {}, b"12345")}
        server.asked = []
        server.at = lambda path: f"{server.url}{path}"
        yield server


def test_what_is_there(server):
    assert fetch_bytes(server.at("/image"), limit=5) == b"12345"


def test_too_many_bytes(server):
    with pytest.raises(DownloadError, match="more than 4 bytes, the most for an image"):
        fetch_bytes(server.at("/image"), limit=4)


def test_too_slow(server, monkeypatch):
    monkeypatch.setattr(penult.util.http, "DEADLINE", -1.0)
    with pytest.raises(DownloadError, match="too slow"):
        fetch_bytes(server.at("/image"), limit=5)


def test_not_there(server):
    server.answers["/none"] = (404, {}, b"")
    with pytest.raises(DownloadError, match="/none: 404 Not Found, expected an image"):
        fetch_bytes(server.at("/none"), limit=5)


def test_redirects_are_followed(server):
    server.answers["/old"] = (302, {"Location": "/image"}, b"")
    assert fetch_bytes(server.at("/old"), limit=5) == b"12345"


def test_redirects_end(server):
    server.answers["/loop"] = (302, {"Location": "/loop"}, b"")
    with pytest.raises(DownloadError, match="more than 5 redirects"):
        fetch_bytes(server.at("/loop"), limit=5)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirects_to_other_schemes_are_refused(server, target):
    server.answers["/away"] = (302, {"Location": target}, b"")
    with pytest.raises(DownloadError, match="which isn't as safe"):
        fetch_bytes(server.at("/away"), limit=5)


def test_redirects_from_the_open_net_into_the_local_one_send_nothing(server, monkeypatch):
    answers = iter([True, False])  # of the two connections
    monkeypatch.setattr(penult.util.connections, "is_public", lambda address: next(answers))
    server.answers["/trap"] = (302, {"Location": server.at("/image")}, b"")
    with pytest.raises(DownloadError, match=r"/trap: leads to 127\.0\.0\.1, a private address"):
        fetch_bytes(server.at("/trap"), limit=5)
    assert server.asked == ["/trap"]


def test_a_local_address_may_redirect_to_another(server):
    server.answers["/old"] = (302, {"Location": server.at("/image")}, b"")
    assert fetch_bytes(server.at("/old"), limit=5) == b"12345"


def test_a_local_address_may_not_redirect_to_another_host(server):
    server.answers["/old"] = (
        302,
        {"Location": server.at("/image").replace("127.0.0.1", "localhost")},
        b"",
    )
    with pytest.raises(DownloadError, match=r"leads to 127\.0\.0\.1, a private address"):
        fetch_bytes(server.at("/old"), limit=5)


@pytest.mark.parametrize(
    "address", ["http://[::1", "http://", "http://a:99999999/", "http://\x1b[2J/"]
)
def test_malformed_addresses_are_one_line(address):
    with pytest.raises(DownloadError) as caught:
        fetch_bytes(address, limit=5)
    assert str(caught.value).isprintable()


def test_connections_are_judged_by_their_address_and_not_by_the_name(server, monkeypatch):
    """What a name stands for may have changed since it was last asked for."""
    judged = []
    monkeypatch.setattr(penult.util.connections, "is_public", judged.append)
    true = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest: true("127.0.0.1" if host == "public.test" else host, *rest),
    )
    fetch_bytes(f"http://public.test:{server.server_port}/image", limit=5)
    assert judged == ["127.0.0.1"]


def test_a_server_that_is_not_there(server):
    server.close()
    with pytest.raises(DownloadError, match="connection refused"):
        fetch_bytes(server.at("/image"), limit=5)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "169.254.169.254",
        "::1",
        "fe80::1",
        "::ffff:10.0.0.1",
    ],
)
def test_private_addresses_are_known(address):
    assert not penult.util.connections.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8"])
def test_public_addresses_are_known(address):
    assert penult.util.connections.is_public(address)
