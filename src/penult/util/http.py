"""One file over HTTP: continued where it was cut, bounded in time and size.

What has arrived is in the file itself; beside it, in `NAME.etag`, is what the server called that
version of the file, and how many bytes it has: the rest of another one is never put behind it.
"""

import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import requests
from urllib3.exceptions import HTTPError

from penult.errors import DownloadError
from penult.util.connections import SCHEMES, Guard, guarded
from penult.util.text import one_line, printable

Progress = Callable[[int, int | None], None]  # bytes there, bytes in all if they are known

CONNECT = 10.0  # seconds until a server must answer
STALL = 30.0  # seconds without a byte
PATIENCE = 60.0  # seconds until a file begins, and for each piece of it
DEADLINE = 60.0  # seconds for a file that is asked for as bytes
PAUSES = (1.0, 2.0, 4.0)  # seconds before the second try, the third, …
LIMIT = 4 << 30  # bytes of a file of unknown size; the largest that TF-Slim published has 0.6 GB

_REDIRECTS = 5
_PIECE = 64 << 10  # bytes
_PASSING = (408, 429)  # besides 5xx
_LENGTH = re.compile(r"\d{1,15}")
_RANGE = re.compile(r"bytes (\d{1,15})-\d+/(\d{1,15})")
_AGENT = {"User-Agent": "penult"}


class _CutError(Exception):
    """The rest may come if it is asked for again."""


class _Part(NamedTuple):
    """What is there of a file: bytes, and what the server said of the whole."""

    have: int
    version: str  # its name
    total: int


def fetch(
    url: str,
    path: Path,
    size: int | None = None,
    progress: Progress | None = None,
    *,
    in_one: bool = False,
) -> None:
    """Fetch the file at an http(s) address, or what `path` lacks of it.

    Redirects lead from https only to https, and to private addresses only as `Guard` says.

    Args:
        url: Where it is.
        path: Where to put it. If that fails, what has arrived stays for the next time.
        size: Bytes, if they are known: any other number is refused.
        progress: Called for every piece.
        in_one: Whether it has to come in one piece, each try begun anew.

    Raises:
        DownloadError: It isn't there, isn't that file, or doesn't arrive in several tries.
        OSError: It can't be written.
    """
    for pause in (*PAUSES, None):
        try:
            _continue(url, path, size, progress, in_one=in_one)
        except _CutError as exc:
            if pause is None:
                raise DownloadError(f"{printable(url)}: {exc}, {len(PAUSES) + 1} times") from exc
        else:
            return
        time.sleep(pause)


def fetch_bytes(url: str, limit: int) -> bytes:
    """Fetch what is at an http(s) address, in one try of a minute at most.

    The address may be of this machine or its network, as whoever gives it could read it anyhow. A
    server elsewhere can't send the request there, see `Guard`, and from https only to https.

    Args:
        url: Where it is.
        limit: Bytes, of which it may have no more.

    Raises:
        DownloadError: It isn't there, is too large, or takes too long.
    """
    name = one_line(url)
    with guarded(name, DEADLINE) as (session, guard):
        try:
            with _follow(session, url, _AGENT) as response:
                data = _read(response, name, limit)
        except (requests.RequestException, HTTPError, OSError, ValueError) as exc:
            raise DownloadError(f"{name}: {_cause(exc, guard)}") from exc
        if guard.is_late:  # to be shut looks like the end where no length was said
            raise DownloadError(f"{name}: {_cause(TimeoutError(), guard)}")
    return data


def _read(response: requests.Response, name: str, limit: int) -> bytes:
    if response.status_code != 200:
        raise DownloadError(f"{name}: {_answer(response)}, expected an image")
    data = bytearray()
    for piece in response.iter_content(_PIECE):
        data += piece
        if len(data) > limit:
            raise DownloadError(f"{name}: more than {limit} bytes, the most for an image")
    return bytes(data)


def _follow(session: requests.Session, url: str, headers: Mapping[str, str]) -> requests.Response:
    """Answer of the address that redirects end at."""
    start = one_line(url)
    try:
        return _hop(session, url, headers)
    except requests.RequestException:
        raise
    except ValueError as exc:  # of urllib's, which requests lets through
        raise DownloadError(f"{start}: no address, or leads to none: {one_line(str(exc))}") from exc


def _hop(session: requests.Session, url: str, headers: Mapping[str, str]) -> requests.Response:
    start = one_line(url)
    for _ in range(_REDIRECTS + 1):
        response = session.get(
            url, headers=headers, stream=True, timeout=(CONNECT, STALL), allow_redirects=False
        )
        if not response.is_redirect:
            return response
        response.close()
        here, url = url, urljoin(url, response.headers["Location"])
        if urlsplit(url).scheme not in ({"https"} if here.startswith("https:") else SCHEMES):
            raise DownloadError(f"{start}: leads to {one_line(url, 80)}, which isn't as safe")
    raise DownloadError(f"{start}: more than {_REDIRECTS} redirects")


def _continue(
    url: str, path: Path, size: int | None, progress: Progress | None, *, in_one: bool
) -> None:
    part = None if in_one else _keep(path)
    headers = _AGENT | {"Accept-Encoding": "identity"}
    if part:
        headers |= {"Range": f"bytes={part.have}-", "If-Range": part.version}
    name = one_line(url)
    with guarded(name, PATIENCE) as (session, guard):
        try:
            with _follow(session, url, headers) as response:
                start, total = _extent(response, path, part)
                if total and (total != size if size else total > LIMIT):
                    expected = size or f"at most {LIMIT}"
                    raise DownloadError(f"{name}: {total} bytes, expected {expected}")
                if not start:
                    _begin(path, "" if in_one else _version(response), total)
                _store(response, path, start, size or total, progress, guard)
        except requests.exceptions.SSLError as exc:
            raise DownloadError(f"{name}: {_cause(exc, guard)}") from exc
        except (requests.ConnectionError, requests.Timeout, HTTPError) as exc:
            raise _CutError(_cause(exc, guard)) from exc
        except requests.RequestException as exc:
            raise DownloadError(f"{name}: {_cause(exc, guard)}") from exc


def _keep(path: Path) -> _Part | None:
    """What is there of a file that can be continued."""
    version = _version_file(path)
    if not (path.is_file() and version.is_file()):
        return None
    have, said = path.stat().st_size, version.read_text(encoding="latin-1")
    name, _, total = said.partition("\n")
    if not (have and name and _LENGTH.fullmatch(total)):
        return None
    return _Part(have, name, int(total))


def _begin(path: Path, version: str, total: int | None) -> None:
    """Empty a file, and note which version of it comes; no moment has old bytes and a new name."""
    path.write_bytes(b"")
    said = f"{version}\n{total}" if version and total else ""
    _version_file(path).write_text(said, encoding="latin-1")


def _extent(response: requests.Response, path: Path, part: _Part | None) -> tuple[int, int | None]:
    """Where in the file the body begins, and the bytes of the whole file if they are known."""
    status = response.status_code
    if status == 200:
        length = _LENGTH.fullmatch(response.headers.get("Content-Length", ""))
        return 0, int(length[0]) if length else None
    match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if status == 206 and match and part == (int(match[1]), _version(response), int(match[2])):
        return int(match[1]), int(match[2])
    answer = _answer(response)
    if status >= 500 or status in _PASSING:
        raise _CutError(answer)
    if part and status in (206, 416):
        _version_file(path).unlink()  # to begin anew
        raise _CutError(answer)
    raise DownloadError(f"{one_line(response.url)}: {answer}")


def _store(
    response: requests.Response,
    path: Path,
    start: int,
    total: int | None,
    progress: Progress | None,
    guard: Guard,
) -> None:
    done = start
    with path.open("ab") as stream:
        # Undecoded: some servers say of a .tar.gz that it is a .tar in transit.
        for piece in response.raw.stream(_PIECE, decode_content=False):
            guard.allow(PATIENCE)
            done += len(piece)
            if done > (total or LIMIT):
                stream.truncate(0)
                raise DownloadError(f"{one_line(response.url)}: more than {total or LIMIT} bytes")
            stream.write(piece)
            if progress:
                progress(done, total)
        stream.flush()
        os.fsync(stream.fileno())
    if guard.is_late:
        raise _CutError(_cause(TimeoutError(), guard))
    if total and done < total:
        raise _CutError(f"ended after {done} of {total} bytes")
    _version_file(path).unlink()


def _answer(response: requests.Response) -> str:
    return one_line(f"{response.status_code} {response.reason}", 80)


def _version(response: requests.Response) -> str:
    """What the server calls this version of the file; the time of its change if it has no name."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _version_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.etag")


def _cause(exc: BaseException, guard: Guard) -> str:
    """The reason beneath layers of libraries."""
    if guard.is_late:
        return "too slow"
    while inner := exc.__cause__ or exc.__context__:
        exc = inner
    return one_line(str(getattr(exc, "strerror", None) or exc) or type(exc).__name__, 100).lower()
