"""Object stores on 127.0.0.1, which misbehave on demand: S3's and Google's way, and Azure's."""

import hashlib
import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from html import escape
from urllib.parse import parse_qsl, unquote, urlsplit

import psutil

from loopback import Handler, Server

PAGE = 1000  # objects that a list has at most, as S3's
SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIATESTKEYOFTESTS",
    "AWS_SECRET_ACCESS_KEY": "secret-of-the-tests-0123456789",
    "AWS_SESSION_TOKEN": "token-of-the-tests-9876543210",
}


class Bucket(Server):
    """One bucket, of any name.

    Attributes:
        objects: key -> bytes; a list counts as so many objects.
        asked: (method, key or "?list", range) of each request.
        troubles: key, or "?list" -> what happens to requests for it: a list of (what, value), each
            for one request, the last for ever: ("status", (503, "SlowDown")), ("stall", seconds),
            ("cut", bytes), ("size", bytes more than there are), ("etag", text), ("well", None).
        signed: The `Authorization` of each.
        refusal: (status, code) of all answers, if not None.
        delay: Seconds before each answer.
    """

    def __init__(self, objects=None):
        self.objects = dict(objects or {})
        self.asked, self.signed = [], []
        self.troubles, self.refusal, self.delay = {}, None, 0
        self.stopped = threading.Event()
        self.connections = set()
        super().__init__(_Handler)

    def environment(self):
        """What leads each library here."""
        return SECRETS | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "GOOGLE_BASE_URL": self.url,
            "GOOGLE_SKIP_SIGNATURE": "true",
            "AZURE_STORAGE_ACCOUNT_NAME": "account",
            "AZURE_STORAGE_ENDPOINT": f"{self.url}/azure",
            "AZURE_SKIP_SIGNATURE": "true",
            "NO_PROXY": "*",
        }

    def close(self):
        """Stop, and wait until no connection is left: other tests count open files."""
        self.stopped.set()
        super().close()
        for connection in [*self.connections]:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        deadline = time.monotonic() + 10
        while self._is_connected() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _is_connected(self):
        ends = (
            end for each in psutil.Process().net_connections() for end in (each.laddr, each.raddr)
        )
        return any(end and end.port == self.server_port for end in ends)

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)


@contextmanager
def served(objects, monkeypatch):
    """A bucket to which the environment leads, and nothing else of the machine."""
    for name in [*os.environ]:
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_")):
            monkeypatch.delenv(name)
    with Bucket(objects) as bucket:
        for name, value in bucket.environment().items():
            monkeypatch.setenv(name, value)
        yield bucket


def etag(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class _Handler(Handler):
    def answer(self):
        address = urlsplit(self.path)
        parts = unquote(address.path).lstrip("/").split("/", 1)
        self.azure = parts[0] == "azure"
        if self.azure:
            parts = parts[1].split("/", 1)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        key = parts[1] if len(parts) > 1 and parts[1] else "?list"
        self.server.asked.append((self.command, key, self.headers["Range"]))
        self.server.signed.append(self.headers["Authorization"])
        if self.server.delay:
            time.sleep(self.server.delay)
        what, value = self._trouble(key)
        if what == "stall":
            self.server.stopped.wait(value)
            self.close_connection = True
        elif what == "status":
            self._refuse(*value)
        elif key == "?list":
            self._list(query)
        elif key not in self.server.objects:
            self._refuse(404, "NoSuchKey")
        else:
            self._object(self.server.objects[key], what, value)

    def _trouble(self, key):
        if self.server.refusal:
            return "status", self.server.refusal
        troubles = self.server.troubles.get(key, [("well", None)])
        return troubles.pop(0) if len(troubles) > 1 else troubles[0]

    def _refuse(self, status, code):
        token = self.headers["X-Amz-Security-Token"]  # as S3 does, where a signature is wrong
        body = f"<Error><Code>{code}</Code><CanonicalRequest>{token}</CanonicalRequest></Error>"
        self.send(status, body.encode(), Content_Type="application/xml")

    def _object(self, data, what, value):
        tag = value if what == "etag" else etag(data)
        wanted = self.headers["If-Match"]
        if wanted and wanted.strip('"') != tag:
            return self._refuse(412, "PreconditionFailed")
        headers = {
            "ETag": f'"{tag}"',
            "Last_Modified": "Thu, 01 Jan 2026 00:00:00 GMT",
            "Accept_Ranges": "bytes",
        }
        status, size = 200, len(data)
        if self.headers["Range"]:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            start = int(first) if first else max(0, size - int(last))
            end = min(int(last) + 1, size) if last and first else size
            if start >= size:
                return self._refuse(416, "InvalidRange")
            data, status = data[start:end], 206
            headers["Content_Range"] = f"bytes {start}-{end - 1}/{size}"
        more = value if what == "size" else 0
        return self.send(status, data, cut=value if what == "cut" else None, more=more, **headers)

    def _list(self, query):
        prefix, after = query.get("prefix", ""), query.get("start-after", "")
        after = query.get("continuation-token") or query.get("marker") or after
        keys = sorted(k for k in self.server.objects if k.startswith(prefix) and k > after)
        page, entries = keys[:PAGE], self._entries_azure if self.azure else self._entries
        token = page[-1] if len(keys) > PAGE else ""
        self.send(200, entries(page, token).encode(), Content_Type="application/xml")

    def _entries(self, keys, token):
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.server.objects[key])}</Size>"
            f"<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{etag(self.server.objects[key])}&quot;</ETag></Contents>"
            for key in keys
        )
        more = f"<NextContinuationToken>{escape(token)}</NextContinuationToken>" if token else ""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>{more}{entries}'
            f"<IsTruncated>{str(bool(token)).lower()}</IsTruncated></ListBucketResult>"
        )

    def _entries_azure(self, keys, token):
        entries = "".join(
            f"<Blob><Name>{escape(key)}</Name><Properties>"
            f"<Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT</Last-Modified>"
            f"<Content-Length>{len(self.server.objects[key])}</Content-Length>"
            f"<Content-Type>image/jpeg</Content-Type>"
            f"<Etag>{etag(self.server.objects[key])}</Etag></Properties></Blob>"
            for key in keys
        )
        return (
            f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>{entries}</Blobs>'
            f"<NextMarker>{escape(token)}</NextMarker></EnumerationResults>"
        )
