"""A table as a notebook shows it: its first images, in markup that runs and loads nothing."""

import base64
from contextlib import closing

from penult.errors import ImageError
from penult.extraction.row_files import files_of, same_images
from penult.images.thumbnails import Thumbnails
from penult.store import TableReader
from penult.viewer.figures import markup

SHOWN = 12  # images of a cell's output
PICTURE_SIDE = 96  # pixels of the longer side

_TILE = "display:inline-block;width:112px;margin:4px;vertical-align:top;text-align:center"
_NAME = "overflow:hidden;text-overflow:ellipsis;white-space:nowrap;font-size:11px"


def thumbnails(features: TableReader, count: int = SHOWN) -> str:
    """What the table is, and its first images with their keys, as HTML.

    A file that has gone or changed, or is in a bucket that nobody has named, has no picture.
    """
    keys = features.keys[:count]
    files = files_of(features, keys)
    images = same_images(files)
    with closing(Thumbnails(PICTURE_SIDE, cache_bytes=0)) as made:
        pictures = made.each(image for image in images if image)
        tiles = [
            _tile(key, next(pictures) if image else None)
            for key, image in zip(keys, images, strict=True)
        ]
    more = len(features) - len(keys)
    rest = f"<p>and {more:,} more: <code>view()</code> shows them all</p>" if more else ""
    refused = next(filter(None, (file.refusal for file in files)), "")
    why = f"<p>{markup(f'No picture: {refused}')}</p>" if refused else ""
    return f"<div><p><code>{markup(repr(features))}</code></p>{''.join(tiles)}{rest}{why}</div>"


def _tile(key: str, picture: bytes | ImageError | None) -> str:
    shown = '<div style="height:96px">no picture</div>'
    if isinstance(picture, bytes):
        data = base64.b64encode(picture).decode()
        shown = f'<img src="data:image/jpeg;base64,{data}" alt="{markup(key)}">'
    name = f'<div style="{_NAME}" title="{markup(key)}"><bdi>{markup(key)}</bdi></div>'
    return f'<div style="{_TILE}">{shown}{name}</div>'
