"""How often a JPEG goes over its pixels, before they are decoded.

Progressive files, and those with a scan a component, are decoded scan by scan over all pixels, so a
small file of many scans takes as long as many images. Pillow sets no limit; libjpeg-turbo's own
fuzzers stop at 100 (`djpeg -maxscans`). ITU-T T.81, B.1.1.3 has the markers.
"""

import re

from penult.errors import ImageError

MAX_SCANS = 100  # cameras and libraries write ten

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # neither a stuffed byte nor a restart
_START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA


def require_few_scans(data: bytes) -> None:
    """Raise an ImageError if the first image of a JPEG file has more than `MAX_SCANS` scans."""
    scans, components, at = 0, 0, 0
    while found := _MARKER.search(data, at):
        kind, at = data[found.end() - 1], found.end()
        if kind == _END_OF_IMAGE:
            return
        if kind == _START_OF_IMAGE:
            continue
        if kind in _START_OF_FRAME:
            components = 0 if kind in _PROGRESSIVE else ord(data[at + 7 : at + 8] or b"\0")
        if kind == _START_OF_SCAN:
            scans += 1
            if components and data[at + 2 : at + 3] == bytes([components]):
                return  # it has all there is
            if scans > MAX_SCANS:
                raise ImageError("too_large", f"more than {MAX_SCANS} scans, the limit")
        at += int.from_bytes(data[at : at + 2], "big")
