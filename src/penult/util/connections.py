"""Connections that a server can neither hold open for ever nor send to where they mustn't go.

Each is judged by the address it has, before anything is sent over it: a name may stand for another
address whenever it is asked for. It's shut when its time is up, whatever it is doing: a timeout of
a socket begins anew with each byte, so that a server may drip its answer. Through a proxy, which
the user named, the proxy looks names up, so its address is the only one there is to judge.
"""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from penult.errors import DownloadError
from penult.util.text import one_line

SCHEMES = ("http", "https")


class Guard:
    """Judges connections, and shuts them when the time is up.

    From a public address there is no way to a private one. From a private one, which whoever named
    it could read anyhow, there is a way to the same host and to public ones.

    Args:
        start: What is asked for, which messages name.

    Attributes:
        is_late: Whether the time was up.
    """

    def __init__(self, start: str) -> None:
        self.is_late = False
        self._start = start
        self._first: str | None = None
        self._outside = False
        self._end = monotonic()
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._done = threading.Event()

    def allow(self, seconds: float) -> None:
        """Let it all take so long from now on."""
        self._end = monotonic() + seconds

    def take(self, host: str, connection: socket.socket) -> None:
        """Judge a connection by its address, and watch it from now on.

        Raises:
            DownloadError: It leads to a private address, though the user didn't name that.
        """
        address = str(connection.getpeername()[0])
        public = is_public(address)
        if self._first is None:
            self._first = host
        elif not public and (self._outside or host != self._first):
            connection.close()
            raise DownloadError(f"{self._start}: leads to {one_line(address)}, a private address")
        self._outside = self._outside or public
        with self._lock:
            self._open.append(connection.dup())  # TLS takes the socket itself away
            if self.is_late:
                self._shut()

    def watch(self) -> None:
        """Shut what is open when the time is up; runs in a thread of its own until `end`."""
        while (left := self._end - monotonic()) > 0:
            if self._done.wait(left):
                return
        with self._lock:
            self.is_late = True
            self._shut()

    def end(self) -> None:
        """Watch no longer."""
        self._done.set()
        with self._lock:
            for each in self._open:
                each.close()
            self._open.clear()

    def _shut(self) -> None:
        for each in self._open:
            with suppress(OSError):  # the server has
                each.shutdown(socket.SHUT_RDWR)


@contextmanager
def guarded(start: str, seconds: float) -> Iterator[tuple[requests.Session, Guard]]:
    """A session without redirects whose connections are judged, and may take some seconds in all.

    Args:
        start: What is asked for, which messages name.
        seconds: Until all connections are shut, unless the guard allows more.
    """
    guard = Guard(start)
    guard.allow(seconds)
    watcher = threading.Thread(target=guard.watch, daemon=True)
    with _Session() as session:
        session.adapters.clear()
        for scheme in SCHEMES:
            session.mount(f"{scheme}://", _Guarded(guard))
        watcher.start()
        try:
            yield session, guard
        finally:
            guard.end()
            watcher.join()


def is_public(address: str) -> bool:
    """Whether an address is one of the open net."""
    found = ipaddress.ip_address(address.partition("%")[0])
    return (getattr(found, "ipv4_mapped", None) or found).is_global


class _Session(requests.Session):
    """A session that never looks where an answer leads: requests reads its whole body for that."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Guarded(HTTPAdapter):
    def __init__(self, guard: Guard) -> None:
        self._pools = {
            "http": _pool(HTTPConnectionPool, HTTPConnection, guard),
            "https": _pool(HTTPSConnectionPool, HTTPSConnection, guard),
        }
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 -- as inherited
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 -- as inherited
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pool(
    pool: type[HTTPConnectionPool], base: type[HTTPConnection], guard: Guard
) -> type[HTTPConnectionPool]:
    """A pool whose connections are taken before they are used."""

    class Connection(base):  # type: ignore[valid-type, misc]  # http's or https', as given
        def _new_conn(self) -> socket.socket:  # TLS comes after it
            connection: socket.socket = super()._new_conn()
            guard.take(self.host, connection)
            return connection

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})
