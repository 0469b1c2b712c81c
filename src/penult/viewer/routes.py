"""What is answered at which address: the page's files, facts of an edition, pictures, searches.

It is a fixed set, with numbers of rows and never a path in it, so there is nothing to climb.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

from penult.viewer.columns import Column
from penult.viewer.content import Content
from penult.viewer.edition import Edition
from penult.viewer.requests import Request

BODY_BYTES = 64 << 20  # of an image to search: ten times a large photo
TEXT_BYTES = 4096  # of words to search
REQUEST_BYTES = 8 << 20  # of a request about rows: a bit each, and a vector

_KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_OF_EDITION = re.compile(
    "/([0-9]{1,9})/(?:(meta|keys|failures)|(thumb|image|column|words)/([0-9]{1,9}))"
)


class Answer(NamedTuple):
    """What a request gets."""

    body: bytes
    kind: str = "text/plain; charset=utf-8"
    status: int = 200


Find = Callable[[bytes], Answer]


class Routes:
    """The addresses of one server."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._static = _static()

    def got(self, path: str) -> Answer:
        """The answer to a GET."""
        content = self._content
        if path in self._static:
            return self._static[path]
        facts: dict[str, Callable[[], Any]] = {
            "/edition": lambda: {"edition": content.renew()},
            "/text": content.words,
            "/copy": content.copying.state,
        }
        if path in facts:
            return _json(facts[path]())
        asked = _OF_EDITION.fullmatch(path)
        return self._of_edition(*asked.groups()) if asked else MISSING

    def _of_edition(self, edition_number: str, what: str, kind: str, place: str) -> Answer:
        edition = self._content.edition
        if edition.number != int(edition_number):
            return _OTHER_EDITION
        return _whole(edition, what) if what else self._part(edition, kind, int(place))

    def _part(self, edition: Edition, kind: str, number: int) -> Answer:
        if kind in ("column", "words"):
            return _column(list(edition.columns.values()), kind, number)
        if number >= len(edition):
            return MISSING
        made = self._content.thumbnail if kind == "thumb" else self._content.image
        return Answer(made(edition, number), "image/jpeg")

    def posted(self, target: str) -> tuple[Find, int] | None:
        """What answers the body of a POST, and how many bytes that may have."""
        content = self._content
        found: dict[str, tuple[Find, int]] = {
            "/like": (lambda data: _json(content.like(data)), BODY_BYTES),
            "/text": (lambda data: _json(content.text(data)), TEXT_BYTES),
            "/near": (partial(self._about, content.near), REQUEST_BYTES),
            "/paths": (partial(self._about, content.paths), REQUEST_BYTES),
            "/copy": (partial(self._about, content.copy), REQUEST_BYTES),
            "/copy/stop": (lambda _: self._stopped(), 0),
        }
        return found.get(target)

    def _about(self, find: Callable[[Edition, Request], Any], data: bytes) -> Answer:
        """What is found about rows of an edition, if it's still the one that there is."""
        request = Request.read(data)
        edition = self._content.edition
        if edition.number != request.edition:
            return _OTHER_EDITION
        return _json(find(edition, request))

    def _stopped(self) -> Answer:
        self._content.copying.stop()
        return _json(self._content.copying.state())


MISSING = Answer(b"there is no such thing", status=404)
_OTHER_EDITION = Answer(b"the table has changed: ask for the new edition", status=410)


def _whole(edition: Edition, what: str) -> Answer:
    if what == "meta":
        return _json(edition.meta())
    return _json(edition.keys if what == "keys" else edition.failures())


def _column(columns: Sequence[Column], kind: str, number: int) -> Answer:
    if number >= len(columns):
        return MISSING
    if kind == "column":
        return Answer(columns[number].data, "application/octet-stream")
    return _json(columns[number].words)


def _json(value: object) -> Answer:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Answer(text.encode("utf-8", "replace"), "application/json")


def _static() -> dict[str, Answer]:
    """The page's files by their address."""
    found = {
        address: Answer(file.read_bytes(), _KINDS[file.name.rpartition(".")[2]])
        for address, file in _below(files("penult.viewer").joinpath("static"), "/")
    }
    return found | {"/": found["/index.html"]}


def _below(folder: Traversable, address: str) -> Iterator[tuple[str, Traversable]]:
    for each in folder.iterdir():
        if each.is_dir():
            yield from _below(each, f"{address}{each.name}/")
        else:
            yield address + each.name, each
