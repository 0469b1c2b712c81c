"""A server of weights that serves, cuts, stalls, lies and swaps files; no network is used."""

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import loopback

NAME = "inception_v3"
FILE = "inception_v3_2016_08_28.tar.gz"
PLACE = f"/download.tensorflow.org/models/{FILE}"
MODEL = (Path(__file__).parents[2] / "reference/checkpoints/mixed_v1/model.ckpt").read_bytes()


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


class Handler(loopback.Handler):
    protocol_version = "HTTP/1.0"

    def answer(self):
        server = self.server
        asked = self.headers.get("Range"), self.headers.get("If-Range")
        server.asked.append((self.path, *asked))
        behaviour = server.script.pop(0) if server.script else server.always
        behaviour(self)


def serve(content=GOOD, tag='"one"', ranges=True, cut=None, length=None, wait=None, coding=None):
    """Serve a file as a good server does, except for what is asked for."""

    def behave(handler):
        asked, known = handler.headers.get("Range"), handler.headers.get("If-Range")
        start, status, extent = 0, 200, {}
        if ranges and asked and known == tag:
            start, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
            extent = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        body = content[start:] if cut is None else content[start : start + cut]
        handler.send(
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
    return lambda handler: handler.send(number, b"", **headers)


def endless(handler):
    handler.send(200, Content_Length=None)
    try:
        while True:
            handler.wfile.write(bytes(1 << 16))
    except OSError:
        pass


class Server(loopback.Server):
    """Weights that are served as `script` says, then as `always` does; `asked` has the requests."""

    def __init__(self):
        self.script, self.always, self.asked = [], serve(), []
        super().__init__(Handler)


def files(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")
