"""How many connections a viewer holds, for how long, and where it listens."""

import http.client
import select
import socket
import time
from threading import BoundedSemaphore
from urllib.parse import urlsplit

import pytest

import penult
from penult.errors import UsageError
from penult.viewer import server
from penult.viewer.server import CONNECTIONS


def test_a_slow_request_is_hung_up_on(viewer, monkeypatch):
    monkeypatch.setattr(server, "PATIENCE", 0.1)
    with socket.create_connection(("127.0.0.1", urlsplit(viewer.url).port), timeout=5) as slow:
        slow.sendall(b"GET / HT")
        assert slow.recv(100) == b""


def test_connections_are_bounded_and_idle_ones_go_first(table):
    with penult.view(table) as viewer:
        port = urlsplit(viewer.url).port
        owner, cookie = _owner(viewer)
        count = CONNECTIONS + 6
        held = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(count)]
        started = time.monotonic()
        assert _again(owner, cookie).read()
        with socket.create_connection(("127.0.0.1", port), timeout=5) as one_more:
            one_more.sendall(f"GET /1/meta HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            assert one_more.recv(12) == b"HTTP/1.1 403"
        assert time.monotonic() - started < 5
        closed, _, _ = select.select(held, [], [], 0)
        assert len(closed) >= count - CONNECTIONS
        for each in (owner, *held):
            each.close()


def test_a_connection_at_work_is_not_hung_up_on(table, monkeypatch):
    with penult.view(table) as viewer:
        monkeypatch.setattr(viewer._server, "_room", BoundedSemaphore(1))
        viewer._server._room.acquire()
        with socket.create_connection(("127.0.0.1", urlsplit(viewer.url).port), timeout=5) as more:
            assert more.recv(1) == b""


def test_a_connection_that_is_kept_is_of_no_use_after_the_end(table):
    viewer = penult.view(table)
    connection, cookie = _owner(viewer)
    viewer.close()
    with pytest.raises((ConnectionError, http.client.NotConnected)):
        _again(connection, cookie)


def _owner(viewer):
    """A connection that has had its answer, and its cookie."""
    address = urlsplit(viewer.url)
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=20)
    connection.request("GET", f"/?{address.query}")
    first = connection.getresponse()
    first.read()
    connection.auto_open = False
    return connection, first.headers["Set-Cookie"].partition(";")[0]


def _again(connection, cookie):
    connection.request("GET", "/1/thumb/7", headers={"Cookie": cookie})
    return connection.getresponse()


def test_it_listens_to_this_machine_only(viewer):
    assert viewer._server.socket.getsockname()[0] == "127.0.0.1"


def test_a_taken_port_is_one_line(table, viewer):
    with pytest.raises(UsageError, match=r"^can't listen at port \d+: .*; choose another$"):
        penult.view(table, port=urlsplit(viewer.url).port)
