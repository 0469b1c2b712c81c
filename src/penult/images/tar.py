"""Tar archives as lists of members; only headers are read, and never back.

Formats: POSIX ustar and pax (IEEE Std 1003.1-2024, pax), and GNU's of long names
(https://www.gnu.org/software/tar/manual/html_node/Standard.html). Python's `tarfile` of 3.11 can be
made to hang by headers of a few bytes (CVE-2025-8194, CVE-2024-6232); here a header takes time in
proportion to its length, which is bounded, and each one leads on.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol

BLOCK = 512
MAX_EXTRA = 1 << 16  # bytes of a long name, or of a pax header: paths have 4096 at most
MAX_EXTRAS = 8  # of these before one member

Kind = Literal["file", "hardlink", "sparse", "other"]
_KINDS: dict[bytes, Kind] = {b"0": "file", b"\0": "file", b"7": "file", b"1": "hardlink"}
_SPARSE = b"S"
_WITHOUT_DATA = frozenset(b"123456")  # links, devices, folders, pipes
_LONG_NAME, _LONG_LINK, _PAX, _PAX_ALL = b"L", b"K", b"x", b"g"
_EXTRA = {_LONG_NAME: "path", _LONG_LINK: "linkpath", _PAX: "", _PAX_ALL: ""}


class Bytes(Protocol):
    """What an archive is read from."""

    def read(self, size: int) -> bytes:
        """The next bytes; fewer only at the end."""

    def skip(self, size: int) -> None:
        """Pass over bytes; EOFError if there are fewer."""

    def tell(self) -> int:
        """How many bytes were read or passed over."""


class Header(NamedTuple):
    """A member of an archive."""

    name: str  # as `os.fsdecode` gives it
    kind: Kind
    at: int  # where its bytes begin
    size: int
    link: str  # what a hard link is the same as


class TarError(ValueError):
    """The archive breaks the format's rules; the message says at which byte."""


def headers(stream: Bytes) -> Iterator[Header]:
    """Yield the members, in order, each as it is met; its bytes may be read from the stream then.

    Raises:
        TarError: What is there is no header.
        EOFError: The archive is cut.
    """
    common: dict[str, str] = {}
    while (block := _next_block(stream)) is not None:
        extra: dict[str, str] = {}
        for _ in range(MAX_EXTRAS):
            kind = block[156:157]
            if kind not in _EXTRA:
                break
            found = _extra(stream, block, kind)
            (common if kind == _PAX_ALL else extra).update(found)
            block = _block(stream)
        else:
            raise TarError(f"byte {stream.tell()}: too many headers before one member")
        header = _header(block, common | extra, stream.tell())
        yield header
        has_data = block[156] not in _WITHOUT_DATA
        end = header.at + (_padded(header.size) if has_data else 0)
        stream.skip(end - stream.tell())


def _next_block(stream: Bytes) -> bytes | None:
    """The next header; None at the end, which is a block of zeros."""
    block = stream.read(BLOCK)
    if len(block) < BLOCK:
        raise EOFError
    if not block.strip(b"\0"):
        return None
    _check(block, stream.tell() - BLOCK)
    return block


def _block(stream: Bytes) -> bytes:
    block = _next_block(stream)
    if block is None:
        raise TarError(f"byte {stream.tell()}: a name without a member")
    return block


def _check(block: bytes, at: int) -> None:
    """Compare a header with its sum, of which some old programs add signed bytes."""
    body = block[:148] + b" " * 8 + block[156:]
    total = sum(body)
    signed = total - 256 * sum(byte > 127 for byte in body)
    if _number(block[148:156], at) not in (total, signed):
        raise TarError(f"byte {at}: no header of a tar archive")


def _number(field: bytes, at: int) -> int:
    """An octal number, or GNU's of 256 values a byte."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0")[0].strip() or b"0"
    if not digits.isdigit() or b"8" in digits or b"9" in digits:
        raise TarError(f"byte {at}: no header of a tar archive")
    return int(digits, 8)


def _extra(stream: Bytes, block: bytes, kind: bytes) -> dict[str, str]:
    """What a header says of the member after it."""
    at = stream.tell()
    size = _number(block[124:136], at)
    if size > MAX_EXTRA:
        raise TarError(f"byte {at}: a header of {size} bytes, the limit is {MAX_EXTRA}")
    data = stream.read(_padded(size))
    if len(data) < _padded(size):
        raise EOFError
    data = data[:size]
    if kind in (_LONG_NAME, _LONG_LINK):
        return {_EXTRA[kind]: _text(data.split(b"\0")[0])}
    return dict(_records(data, at))


def _records(data: bytes, at: int) -> Iterator[tuple[str, str]]:
    """The records of a pax header: `length keyword=value` and a line's end."""
    place = 0
    while place < len(data) and data[place]:
        space = data.find(b" ", place, place + 8)
        digits = data[place:space] if space > 0 else b""
        end = place + int(digits) if digits.isdigit() else 0
        if not space < end <= len(data) or data[end - 1] != 0x0A:
            raise TarError(f"byte {at + place}: a damaged pax header")
        keyword, _, value = data[space + 1 : end - 1].partition(b"=")
        yield _text(keyword), _text(value)
        place = end


def _header(block: bytes, extra: dict[str, str], at: int) -> Header:
    name = _text(block[:100].split(b"\0")[0])
    if block[257:263] == b"ustar\0" and block[345]:  # GNU has other things there
        name = f"{_text(block[345:500].split(bytes(1))[0])}/{name}"
    name = extra.get("path", name)
    size = _number(block[124:136], at - BLOCK)
    if "size" in extra:
        if not (extra["size"].isascii() and extra["size"].isdigit() and len(extra["size"]) < 20):
            raise TarError(f"byte {at}: a size that is no number")
        size = int(extra["size"])
    kind = _KINDS.get(block[156:157], "other")
    if block[156:157] == _SPARSE or any(keyword.startswith("GNU.sparse.") for keyword in extra):
        kind, name = "sparse", extra.get("GNU.sparse.name", name)
    elif kind == "file" and name.endswith("/"):  # a folder, in the oldest format
        kind = "other"
    return Header(
        name, kind, at, size, extra.get("linkpath", _text(block[157:257].split(b"\0")[0]))
    )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
