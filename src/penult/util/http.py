"""One file over HTTP: continued where it was cut, bounded in time and size.

What has arrived is in the file itself; beside it, in `NAME.etag`, is what the server called that
version of the file, so that the rest of another version is never put behind it.
"""

import ipaddress
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from penult.errors import DownloadError
from penult.util.text import one_line

Progress = Callable[[int, int | None], None]  # bytes there, bytes in all if they are known

CONNECT = 10.0  # seconds until a server must answer
STALL = 30.0  # seconds without a byte
DEADLINE = 60.0  # seconds for a file that is asked for as bytes
PAUSES = (1.0, 2.0, 4.0)  # seconds before the second try, the third, …
LIMIT = 4 << 30  # bytes of a file of unknown size; the largest that TF-Slim published has 0.6 GB

_REDIRECTS = 5
_SCHEMES = {"http", "https"}
_PIECE = 64 << 10  # bytes
_PASSING = (408, 429)  # besides 5xx
_LENGTH = re.compile(r"\d{1,15}")
_RANGE = re.compile(r"bytes (\d{1,15})-\d+/(\d{1,15})")


class _CutError(Exception):
    """The rest may come if it is asked for again."""


def fetch(url: str, path: Path, size: int | None = None, progress: Progress | None = None) -> None:
    """Fetch the file at an http(s) address, or what `path` lacks of it.

    Args:
        url: Where it is; from https there is no way back to http.
        path: Where to put it. If that fails, what has arrived stays for the next time.
        size: Bytes, if they are known: any other number is refused.
        progress: Called for every piece.

    Raises:
        DownloadError: It isn't there, isn't that file, or doesn't arrive in several tries.
        OSError: It can't be written.
    """
    with requests.Session() as session:
        session.max_redirects = _REDIRECTS
        if url.startswith("https:"):
            del session.adapters["http://"]
        for pause in (*PAUSES, None):
            try:
                _continue(session, url, path, size, progress)
            except _CutError as exc:
                if pause is None:
                    raise DownloadError(f"{url}: {exc}, {len(PAUSES) + 1} times") from exc
            else:
                return
            time.sleep(pause)


def fetch_bytes(url: str, limit: int) -> bytes:
    """Fetch what is at an http(s) address, in one try of a minute at most.

    The address may be of this machine or its network, as whoever gives it could read it anyhow. A
    server elsewhere can't send the request there: from a public address a redirect leads only to
    public ones, whatever names say, and from https only to https.

    Args:
        url: Where it is.
        limit: Bytes, of which it may have no more.

    Raises:
        DownloadError: It isn't there, is too large, or takes too long.
    """
    end = time.monotonic() + DEADLINE
    try:
        with requests.Session() as session, _follow(session, url) as response:
            if response.status_code != 200:
                answer = one_line(f"{response.status_code} {response.reason}", 80)
                raise DownloadError(f"{url}: {answer}, expected an image")
            data = bytearray()
            for piece in response.iter_content(_PIECE):
                data += piece
                if len(data) > limit:
                    raise DownloadError(f"{url}: more than {limit} bytes, the most for an image")
                if time.monotonic() > end:
                    raise DownloadError(f"{url}: {len(data)} bytes in {DEADLINE:.0f} s: too slow")
            return bytes(data)
    except (requests.RequestException, HTTPError, OSError, ValueError) as exc:
        raise DownloadError(f"{url}: {_cause(exc)}") from exc


def _follow(session: requests.Session, url: str) -> requests.Response:
    """Answer of the address that redirects end at."""
    headers, start = {"User-Agent": "penult"}, url
    outwards = _Outwards(url)
    for scheme in _SCHEMES:
        session.mount(f"{scheme}://", outwards)
    for _ in range(_REDIRECTS + 1):
        response = session.get(
            url, headers=headers, stream=True, timeout=(CONNECT, STALL), allow_redirects=False
        )
        if not response.is_redirect:
            return response
        response.close()
        here, url = url, urljoin(url, response.headers["Location"])
        if urlsplit(url).scheme not in ({"https"} if here.startswith("https:") else _SCHEMES):
            raise DownloadError(f"{start}: leads to {one_line(url, 80)}, which isn't as safe")
    raise DownloadError(f"{start}: more than {_REDIRECTS} redirects")


class _Outwards(HTTPAdapter):
    """Connects to public addresses only, once one was public.

    Each connection is judged by the address it has, before anything is sent over it: a name may
    stand for another address whenever it is asked for.
    """

    def __init__(self, start: str) -> None:
        self._start = start
        self._outside = False
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 -- as inherited
        """Make the pools, whose connections are judged."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, HTTPConnection, self._judge),
            "https": _pool(HTTPSConnectionPool, HTTPSConnection, self._judge),
        }

    def _judge(self, address: str) -> None:
        public = _is_public(address)
        if self._outside and not public:
            raise DownloadError(f"{self._start}: leads to {address}, a private address")
        self._outside = public


def _pool(
    pool: type[HTTPConnectionPool], base: type[HTTPConnection], judge: Callable[[str], None]
) -> type[HTTPConnectionPool]:
    """A pool whose connections tell their address before they are used."""

    class Connection(base):  # type: ignore[valid-type, misc]  # http's or https', as given
        def connect(self) -> None:
            super().connect()
            judge(self.sock.getpeername()[0])

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address)
    return (getattr(found, "ipv4_mapped", None) or found).is_global


def _continue(
    session: requests.Session, url: str, path: Path, size: int | None, progress: Progress | None
) -> None:
    have, headers = _keep(path)
    try:
        with session.get(url, headers=headers, stream=True, timeout=(CONNECT, STALL)) as response:
            start, total = _extent(response, path, have)
            if total and (total != size if size else total > LIMIT):
                raise DownloadError(f"{url}: {total} bytes, expected {size or f'at most {LIMIT}'}")
            _store(response, path, start, size or total, progress)
    except requests.exceptions.SSLError as exc:
        raise DownloadError(f"{url}: {_cause(exc)}") from exc
    except (requests.ConnectionError, requests.Timeout, HTTPError) as exc:
        raise _CutError(_cause(exc)) from exc
    except requests.RequestException as exc:
        raise DownloadError(f"{url}: {_cause(exc)}") from exc


def _keep(path: Path) -> tuple[int, dict[str, str]]:
    """How many bytes are there, and the headers that ask for the others."""
    headers = {"Accept-Encoding": "identity", "User-Agent": "penult"}
    version = _version_file(path)
    if not (path.is_file() and version.is_file()):
        return 0, headers
    have, name = path.stat().st_size, version.read_text(encoding="latin-1")
    if not (have and name):
        return 0, headers
    return have, headers | {"Range": f"bytes={have}-", "If-Range": name}


def _extent(response: requests.Response, path: Path, have: int) -> tuple[int, int | None]:
    """Where in the file the body begins, and the bytes of the whole file if they are known."""
    status = response.status_code
    if status == 200:
        length = _LENGTH.fullmatch(response.headers.get("Content-Length", ""))
        return 0, int(length[0]) if length else None
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if status == 206 and match and int(match[1]) == have:
        return have, int(match[2])
    answer = one_line(f"{status} {response.reason}", 80)
    if status >= 500 or status in _PASSING:
        raise _CutError(answer)
    if have and status in (206, 416):
        _version_file(path).unlink()  # to begin anew
        raise _CutError(answer)
    raise DownloadError(f"{response.url}: {answer}")


def _store(
    response: requests.Response,
    path: Path,
    start: int,
    total: int | None,
    progress: Progress | None,
) -> None:
    done = start
    with path.open("ab" if start else "wb") as stream:
        if not start:  # after the file was emptied: no moment has the old bytes and the new name
            _version_file(path).write_text(_version(response), encoding="latin-1")
        # Undecoded: some servers say of a .tar.gz that it is a .tar in transit.
        for piece in response.raw.stream(_PIECE, decode_content=False):
            done += len(piece)
            if done > (total or LIMIT):
                stream.truncate(0)
                raise DownloadError(f"{response.url}: more than {total or LIMIT} bytes")
            stream.write(piece)
            if progress:
                progress(done, total)
        stream.flush()
        os.fsync(stream.fileno())
    if total and done < total:
        raise _CutError(f"ended after {done} of {total} bytes")
    _version_file(path).unlink()


def _version(response: requests.Response) -> str:
    """What the server calls this version of the file; the time of its change if it has no name."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _version_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.etag")


def _cause(exc: BaseException) -> str:
    """The reason beneath layers of libraries."""
    while inner := exc.__cause__ or exc.__context__:
        exc = inner
    return one_line(str(getattr(exc, "strerror", None) or exc) or type(exc).__name__, 100).lower()
