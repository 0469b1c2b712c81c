"""Contact sheets: pictures with what was found about them, in one HTML file that needs no other.

The pictures are small copies inside the file, tables and drawings are markup of `figures`. Nothing
in it runs, and it loads nothing: its policy allows those pictures and one style sheet by its
digest. Names of files come from strangers, so all text is escaped, and characters that would turn
the direction of writing are spelled out.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from penult.errors import ImageError, UsageError
from penult.images import Readable
from penult.images.thumbnails import Thumbnails
from penult.store.messages import wrap_errors
from penult.util.files import replacing
from penult.util.text import plural, quoted
from penult.version import __version__
from penult.viewer import figures
from penult.viewer.figures import markup

MAX_IMAGES = 3000  # images of a sheet: 50 MB, which a browser still shows at once
IMAGES_A_LINE = 6  # images that fill a line of a large window
PICTURE_SIDE = 256  # pixels of a picture's longer side; a screen of twice the density needs them
BATCH = 64  # pictures pictures before the first of them is written

_UNKNOWN = ImageError("unreadable", "its file is unknown, or not the one that the features are of")


class Item(NamedTuple):
    """An image of a sheet.

    Attributes:
        key: Its name.
        image: Its file, or where its bytes are; None if nothing says.
        caption: A line beneath the name.
        badge: A word that sets it apart, such as `keep`.
    """

    key: str
    image: Readable | Path | None
    caption: str = ""
    badge: str = ""


class Section(NamedTuple):
    """Images under a heading, after a text.

    Attributes:
        title: The heading.
        items: The images.
        text: A line beneath the heading.
        figure: Markup beneath that, which nothing escapes; `figures` makes it.
        left_out: How many more images there are that it is about and doesn't show.
    """

    title: str
    items: Sequence[Item] = ()
    text: str = ""
    figure: str = ""
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Sheet:
    """What `write_sheet` wrote.

    Attributes:
        path: The file.
        images: How many it shows.
        missing: How many of these have no picture; the sheet says why.
        left_out: How many it is about and doesn't show.
    """

    path: Path
    images: int
    missing: int
    left_out: int

    def __str__(self) -> str:
        missing = f", {self.missing:,} of them without a picture" if self.missing else ""
        images = _counted(self.images, self.left_out) if self.images else "written"
        return f"{self.path}: {images}{missing}{_rest(self.left_out)}"


def write_sheet(
    out: str | Path,
    title: str,
    sections: Sequence[Section],
    *,
    facts: str = "",
    limit: int = MAX_IMAGES,
) -> Sheet:
    """Write a contact sheet; an older file is replaced.

    Args:
        out: A file that ends in `.html`.
        title: Its heading.
        sections: What it shows, in this order.
        facts: A line beneath the heading, by default how many images there are.
        limit: How many images at most; the sheet says how many more there are.

    Raises:
        UsageError: The suffix is another one.
        StoreError: The file can't be written.

    Example:
        >>> from penult.viewer.sheet import Item, Section, write_sheet
        >>> cats = Section("Cats", [Item("cat.jpg", "photos/cat.jpg", "asleep")])
        >>> write_sheet("cats.html", "Pets", [cats])  # doctest: +SKIP
    """
    path = require_html(out)
    shown = list(_cut_sections(sections, limit))
    items = [item for section in shown for item in section.items]
    left_out = sum(len(section.items) + section.left_out for section in sections) - len(items)
    missing = 0
    with (
        wrap_errors(f"can't write {quoted(path)}"),
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
    ):
        file.write(_head(title, facts or _summary(shown, left_out)))
        pictures = _pictures(items)
        for section in shown:
            file.write(_heading(section))
            for item in section.items:
                picture = next(pictures)
                missing += isinstance(picture, ImageError)
                file.write(_tile(item, picture))
            file.write("</ul>\n</section>\n" if section.items else "</section>\n")
        file.write(_FOOT)
    return Sheet(path, len(items), missing, left_out)


def require_html(out: str | Path) -> Path:
    """The path of a sheet to write.

    Raises:
        UsageError: It doesn't end in `.html`.
    """
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{quoted(path)}: expected a sheet to end in .html")
    return path


def _cut_sections(sections: Sequence[Section], limit: int) -> Iterator[Section]:
    """Sections of `limit` images in all, the last one cut."""
    for section in sections:
        if section.items and limit <= 0:
            return
        shown = section.items[: max(0, limit)]
        cut = len(section.items) - len(shown)
        first = f"the first {len(shown):,} of {len(section.items):,}" if cut else ""
        yield section._replace(items=shown, text="; ".join(filter(None, (section.text, first))))
        limit -= len(section.items)


def _pictures(items: Sequence[Item]) -> Iterator[bytes | ImageError]:
    """The picture of each item, or why there is none; a few are pictures ahead."""
    with closing(Thumbnails(PICTURE_SIDE, cache_bytes=0)) as thumbnails:
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            images = (item.image for item in batch if item.image is not None)
            pictures = thumbnails.each(
                str(image) if isinstance(image, Path) else image for image in images
            )
            for item in batch:
                yield _UNKNOWN if item.image is None else next(pictures)


def _summary(sections: Sequence[Section], left_out: int) -> str:
    images = sum(len(section.items) for section in sections)
    if not images:
        return "Nothing was found"
    sections_said = plural(len(sections), "section")
    return f"{_counted(images, left_out)} in {sections_said}{_rest(left_out)}"


def _counted(images: int, left_out: int) -> str:
    """How many images are shown, and of how many."""
    return f"{images:,} of {left_out + images:,} images" if left_out else plural(images, "image")


def _rest(left_out: int) -> str:
    return f"; {left_out:,} are left out" if left_out else ""


def _head(title: str, facts: str) -> str:
    style = files(__package__).joinpath("sheet.css").read_text("utf-8") + figures.style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{markup(title)}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{markup(title)}</h1>
<p>{markup(facts)}</p>
</header>
<main>
"""


_FOOT = f"""</main>
<footer>Made by Penult {__version__}</footer>
</body>
</html>
"""


def _heading(section: Section) -> str:
    kind = ' class="wide"' if len(section.items) > IMAGES_A_LINE else ""
    text = f"<p>{markup(section.text)}</p>\n" if section.text else ""
    count, opening = (
        (f"<small>{len(section.items):,}</small>", "<ul>\n") if section.items else ("", "")
    )
    return (
        f"<section{kind}>\n<h2><bdi>{markup(section.title)}</bdi>{count}</h2>\n"
        f"{text}{section.figure}{opening}"
    )


def _tile(item: Item, picture: bytes | ImageError) -> str:
    folder, slash, name = item.key.rpartition("/")
    lines = {"name": name, "folder": folder + slash, "facts": item.caption}
    spans = (
        f'<span class="{kind}"><bdi>{markup(text)}</bdi></span>'
        for kind, text in lines.items()
        if text
    )
    badge = f'<span class="badge">{markup(item.badge)}</span>' if item.badge else ""
    marked = ' class="marked"' if item.badge else ""
    return f"<li{marked}>{_picture(item.key, picture, badge)}{''.join(spans)}</li>\n"


def _picture(key: str, picture: bytes | ImageError, badge: str) -> str:
    if isinstance(picture, ImageError):
        reason = f"<b>No picture</b><span>{markup(picture.detail)}</span>"
        return f'<div class="picture missing">{reason}{badge}</div>'
    data = base64.b64encode(picture).decode()
    return (
        f'<div class="picture"><img src="data:image/jpeg;base64,{data}" alt="{markup(key)}"'
        f' decoding="async">{badge}</div>'
    )
