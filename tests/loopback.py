"""HTTP servers on 127.0.0.1, which send what tests have them send."""

import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Answers at `url` from when it is made until the end of its block."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, handler):
        super().__init__(("127.0.0.1", 0), handler)
        self.host = f"127.0.0.1:{self.server_port}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()

    def __exit__(self, *_):
        self.close()

    def handle_error(self, *_):
        """Clients that went away are no matter."""


class Handler(BaseHTTPRequestHandler):
    """Has `answer` called for each request, which calls `send`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def log_message(self, *_):
        pass

    def send(self, status, body=b"", *, cut=None, more=0, **headers):
        """Send the body, or `cut` bytes of it; say that there are `more` bytes than there are."""
        self.send_response(status)
        for name, value in ({"Content_Length": len(body) + more} | headers).items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:cut])
        if cut is not None or more:
            self.close_connection = True


def serve_files(folder):
    """Serve the files of a folder."""
    return Server(partial(_Files, directory=folder))


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
