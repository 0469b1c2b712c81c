"""What stands beside images in an archive, as WebDataset has it: `a/1.jpg`, `a/1.cls`, `a/1.json`.

A sample is what members' names have before the first dot of their last part, so `a/1.mask.png` is
of `a/1` too. Sidecars are read when they are asked for, in one pass over the archive.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from penult.errors import SourceError
from penult.util.text import quoted

SIDECAR_BYTES = 64 << 10
ALL_BYTES = 256 << 20  # of one kind in an archive
NUMBERS = ("cls", "cls2", "id", "index", "inx")  # which WebDataset takes for whole numbers
KINDS = 64  # of sidecars in an archive that are known
_KIND_LENGTH = 40


class Entry(NamedTuple):
    """A member of an archive."""

    name: str  # written like a key
    size: int
    read: Callable[[], bytes]


class Kinds:
    """Which sidecars an archive has."""

    def __init__(self) -> None:
        self._found: set[str] = set()

    def add(self, name: str) -> None:
        """Note a member."""
        kind = parts(name)[1]
        if len(self._found) < KINDS and 0 < len(kind) <= _KIND_LENGTH:
            self._found.add(kind)

    def require(self, kinds: Iterable[str], archive: str) -> None:
        """Raise a SourceError unless there are some of each of these kinds."""
        for kind in kinds:
            if kind not in self._found and len(self._found) < KINDS:
                have = ", ".join(sorted(self._found)) or "no further members"
                raise SourceError(
                    f"{quoted(archive)} has no {quoted(kind)} beside its images, but {have}"
                )


def parts(name: str) -> tuple[str, str]:
    """The sample that a member is of, and its kind, in lower case.

    >>> parts("a.b/1.mask.PNG")
    ('a.b/1', 'mask.png')
    """
    folder, slash, last = name.rpartition("/")
    stem, _, kind = last.partition(".")
    return folder + slash + stem, kind.lower()


def values(
    archive: str, entries: Iterator[Entry], names: Sequence[str], kind: str
) -> list[int | str | None]:
    """What sidecars of a kind say of images; None where there is none.

    Args:
        archive: Which one, for messages.
        entries: Its members, each read when it is met, or not at all.
        names: The images.
        kind: As `cls`, whose like are numbers where they can be.

    Raises:
        SourceError: One is too large, or no text.
    """
    places = defaultdict[str, list[int]](list)
    for place, name in enumerate(names):
        places[parts(name)[0]].append(place)
    found: list[int | str | None] = [None] * len(names)
    total = 0
    for name, size, read in entries:
        sample, own = parts(name)
        if own != kind or sample not in places:
            continue
        total += size
        where = f"{quoted(archive)}, {quoted(name)}"
        for bytes_, limit in ((size, SIDECAR_BYTES), (total, ALL_BYTES)):
            if bytes_ > limit:
                raise SourceError(f"{where}: {bytes_:,} bytes, at most {limit:,} are kept")
        data = read()
        if len(data) < size:
            break  # the archive is cut, as its own failure says
        value = _value(data, kind, where)
        for place in places[sample]:
            found[place] = value
    return found


def _value(data: bytes, kind: str, where: str) -> int | str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceError(f"{where} is no text in UTF-8 ({error.reason})") from error
    bare = text.strip()
    is_number = kind in NUMBERS and bare.removeprefix("-").isdecimal() and bare.isascii()
    return int(bare) if is_number and len(bare) < 20 else text
