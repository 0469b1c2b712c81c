"""`view`: a page of a table's pictures, served to the browser on this machine.

Python's own HTTP server, with what it lacks: it listens to this machine only and asks each request
for its right (`access`); it has a fixed set of addresses (`routes`); and threads, bytes and the
time to send a request are bounded.
"""

import re
import socket
import socketserver
import sys
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore, Thread
from time import monotonic
from types import TracebackType
from typing import Any, Self

from penult.errors import ImageError, PenultError, UsageError
from penult.store import Table, open_table
from penult.viewer.access import Access
from penult.viewer.content import Content
from penult.viewer.routes import MISSING, Answer, Routes

CONNECTIONS = 64  # at a time; a browser opens six
PATIENCE = 30  # seconds that a request may take to come in, or an answer to be taken
LEAVING = 1.0  # seconds that a connection may take to end that was hung up on
UPLOADS = 2  # such images in memory at a time, as many as are decoded at a time; others wait

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def view(
    table: Table,
    *,
    port: int = 0,
    layer: str | None = None,
    weights: str | Path | None = None,
    root: str | Path | None = None,
    browser: bool = False,
) -> "Viewer":
    """Serve a page to look at a table: its pictures, a map of them, what is near to what.

    Only this machine is served, and only who has the address, which has a token. The page sees what
    is added to the table meanwhile.

    Args:
        table: A table, open or by its path.
        port: Where to listen; 0 takes one that is free.
        layer: The layer that searches compare, by default the first.
        weights: Where the weights of the table's model are, if not where they were.
        root: A folder below which the page may copy selected images to folders that aren't empty;
            without one it copies to new and empty folders only.
        browser: Open the address in a browser. Other users of the machine may then see it, in the
            list of processes.

    Returns:
        The server, at work until it is closed.

    Raises:
        StoreError: The table can't be read.
        UsageError: The port is taken.

    Example:
        >>> import penult
        >>> penult.view("photos.lance").wait()  # doctest: +SKIP
    """
    features = open_table(table)
    viewer = Viewer(Content(features, layer, weights, root), port)
    if browser:
        webbrowser.open(viewer.url)
    return viewer


class Viewer:
    """A page that is being served.

    Attributes:
        url: Its address, with the token.
    """

    def __init__(self, content: Content, port: int = 0) -> None:
        self._content = content
        try:
            self._server = _Server(port, content)
        except (OSError, OverflowError) as error:
            content.close()
            raise UsageError(f"can't listen at port {port}: {error}; choose another") from error
        self.url = f"http://127.0.0.1:{self._server.server_port}/?token={self._server.access.token}"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Serve until Ctrl-C."""
        with self, suppress(KeyboardInterrupt):
            while self._thread.is_alive():
                self._thread.join(1)  # without a time, Windows would not hear Ctrl-C

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._content.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Viewer {self.url}>"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = CONNECTIONS

    def __init__(self, port: int, content: Content) -> None:
        self.awaited: dict[socket.socket, float] = {}  # since when a request is coming in
        self.known: set[socket.socket] = set()  # that have had an answer
        self.closed = False
        super().__init__(("127.0.0.1", port), _Handler)
        self.access = Access(self.server_port)
        self.routes = Routes(content)
        self.uploads = BoundedSemaphore(UPLOADS)
        self._room = BoundedSemaphore(CONNECTIONS)

    def server_bind(self) -> None:
        """Bind without asking the net for this machine's name, which nothing here needs."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    def server_close(self) -> None:
        """Listen no more, and hang up on browsers that keep a connection for what comes next."""
        super().server_close()
        self.closed = True
        for connection in list(self.awaited):
            _hang_up(connection)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- as above
        """Begin a thread; where there are too many, one that waits for a request goes for it."""
        if self._room.acquire(blocking=False) or self._make_room():
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def _make_room(self) -> bool:
        """Hang up on a connection that waits for a request, whether there is room then.

        One without the token goes first, lest idle strangers shut the owner out; of several the one
        that has waited for the longest.
        """
        waiting = sorted(self.awaited.items(), key=lambda each: (each[0] in self.known, each[1]))
        if not waiting:
            return False
        _hang_up(waiting[0][0])
        return self._room.acquire(timeout=LEAVING)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Serve a connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.known.discard(request)
            self._room.release()

    def service_actions(self) -> None:
        """Hang up on those that take too long to say what they want; called twice a second."""
        for connection, since in list(self.awaited.items()):
            if monotonic() - since > PATIENCE:
                _hang_up(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- as above
        """Print the traceback of a bug; that a browser has gone is none."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):  # it has gone meanwhile
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = default_request_version = "HTTP/1.1"  # a request without one gets headers
    timeout = PATIENCE
    _target = ""

    def handle_one_request(self) -> None:
        self.server.awaited[self.connection] = monotonic()
        try:
            if self.server.closed:
                self.close_connection = True
            else:
                super().handle_one_request()
        finally:
            self.server.awaited.pop(self.connection, None)

    def do_GET(self) -> None:
        self._serve(lambda: self.server.routes.got(self._target.partition("?")[0]))

    def do_POST(self) -> None:
        self._serve(self._posted)

    def _serve(self, answer: Callable[[], Answer]) -> None:
        """Answer, once it is clear who asks."""
        del self.server.awaited[self.connection]
        if self.command == "POST" or "Content-Length" in self.headers:
            self.close_connection = True  # a body may be left that is no request
        self._target = self.requestline.split()[1]  # `path` has had slashes taken away
        refusal = self.server.access.refusal(self.command, self._target, self.headers)
        if refusal:
            self._send(Answer(refusal.encode(), status=403))
            return
        self.server.known.add(self.connection)
        try:
            self._send(answer())
        except PenultError as error:
            self._send(Answer(str(error).encode("utf-8", "replace"), status=422))
        except (ConnectionError, TimeoutError):
            raise
        except Exception:
            if self.server.closed:  # while it looked
                self.close_connection = True
                return
            self._send(Answer(b"a bug: penult has printed where", status=500))
            raise

    def _posted(self) -> Answer:
        """What is answered to the body of a request."""
        posted = self.server.routes.posted(self._target)
        if posted is None:
            return MISSING
        find, most = posted
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch("[0-9]{1,12}", length) or "Transfer-Encoding" in self.headers:
            return Answer(b"send it in one piece, with its length", status=411)
        if int(length) > most:
            return Answer(f"it may have {most:,} bytes at most".encode(), status=413)
        if not self.server.uploads.acquire(timeout=PATIENCE):
            return Answer(b"too many searches at a time: try again", status=503)
        try:
            return find(self._body(int(length)))
        finally:
            self.server.uploads.release()

    def _body(self, length: int) -> bytes:
        """What comes after the head of a request, within the time that one may take."""
        self.server.awaited[self.connection] = monotonic()
        data = self.rfile.read(length)
        del self.server.awaited[self.connection]
        if len(data) != length:
            raise ImageError("truncated", "the connection ended early")
        return data

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        if self.server.access.is_invitation(self._target) and answer.status == 200:
            self.send_header("Set-Cookie", self.server.access.cookie)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what isn't HTTP, or another method, as anything else is refused."""
        self.close_connection = True
        self._send(Answer(b"not a request that is answered here", status=code))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its name
        """Say nothing: addresses have the token, and the page is the place for errors."""
