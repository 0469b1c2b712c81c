"""Images: where they come from, bytes to upright RGB, RGB to network input.

`sources` finds files and names them; `decode` turns untrusted bytes into pixels, with `formats`
saying which parser may run, `limits` what an image may take, and `colour` making RGB of every kind
of pixel; `preprocess` makes the input a network expects.
"""

from penult.images.containers import Columns, Share
from penult.images.decode import CODES, TRANSIENT, Decode, ImageLike, decode, load
from penult.images.items import ImageFile, Item, Origin, Readable, Source, Stored, Version
from penult.images.limits import Limits
from penult.images.names import as_key, from_key
from penult.images.sources import Sources, as_sequence, find_images

__all__ = [
    "CODES",
    "TRANSIENT",
    "Columns",
    "Decode",
    "ImageFile",
    "ImageLike",
    "Item",
    "Limits",
    "Origin",
    "Readable",
    "Share",
    "Source",
    "Sources",
    "Stored",
    "Version",
    "as_key",
    "as_sequence",
    "decode",
    "find_images",
    "from_key",
    "load",
]
