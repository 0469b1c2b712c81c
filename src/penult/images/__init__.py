"""Images: where they come from, bytes to upright RGB, RGB to network input.

`sources` finds files and names them; `decode` turns untrusted bytes into pixels, with `formats`
saying which parser may run and `colour` making RGB of every kind of pixel; `preprocess` makes the
input a network expects.
"""

from penult.images.decode import CODES, ImageLike, decode, load
from penult.images.sources import ImageFile, find_images

__all__ = ["CODES", "ImageFile", "ImageLike", "decode", "find_images", "load"]
