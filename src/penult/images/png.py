"""PNG files without what isn't needed for pixels, and may keep a sound picture from being read.

Pillow refuses a file for a long text or colour profile, or a wrong checksum in either.
"""

import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = {b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT"}  # of those that a decoder may ignore
_FRAME = 12  # bytes of a chunk beside its data: length, type, checksum


def without_metadata(data: bytes) -> bytes:
    """Leave out the ancillary chunks that say nothing of pixels; damaged ones are left in."""
    view = memoryview(data)
    chunks = (view[start:end] for start, end in _chunks(data))
    needed: list[bytes | memoryview] = [SIGNATURE, *filter(_is_needed, chunks)]
    return data if sum(map(len, needed)) == len(data) else b"".join(needed)


def _chunks(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each chunk begins and ends, up to the last; then what is behind, as one."""
    start = len(SIGNATURE)
    while start < len(data):
        end = start + _FRAME + int.from_bytes(data[start : start + 4], "big")
        if data[start + 4 : start + 8] == b"IEND":
            end = len(data)  # what else is there is no chunk
        yield start, min(end, len(data))
        start = end


def _is_needed(chunk: memoryview) -> bool:
    kind = bytes(chunk[4:8])
    if not kind[:1].islower():  # critical
        return True
    if kind == b"eXIf":
        return zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
    return kind in _KEPT
