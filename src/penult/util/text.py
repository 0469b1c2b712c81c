"""Words of messages: names from outside made fit to print, and guesses at what was meant."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

COMPARED = 5000  # names at most that a word is compared with


def printable(text: str) -> str:
    r"""Escape what would steer a terminal or begin a new line; names of files come from strangers.

    >>> print(printable("a\nb\x1b[31m"))
    a\nb\x1b[31m
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str, limit: int = 200) -> str:
    """Make foreign text fit for a message: printable, a long one without its middle.

    >>> one_line("from the beginning to the end", limit=12)
    'from t…he end'
    """
    return _without_middle(printable(_without_middle(text, limit)), limit)


def quoted(value: object) -> str:
    """Quote a name for a message; a path may be longer than other names."""
    return f"'{one_line(str(value), 100 if isinstance(value, Path) else 60)}'"


def plural(count: int, noun: str) -> str:
    """Say how many there are of something.

    >>> plural(1, "row"), plural(12_000, "row")
    ('1 row', '12,000 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def nearest(name: str, known: Iterable[str]) -> str:
    """Name what `name` may have been meant to be, for the end of a message."""
    from difflib import get_close_matches

    names = list(known)
    inside = [each for each in names if name and name in each]
    return ", ".join((inside or get_close_matches(name, names, cutoff=0) or names)[:3])


def similar(name: str, known: Sequence[str]) -> str:
    """Name what may have been meant, after a message; nothing where there are many to compare.

    >>> similar("cat", ["a/cat.jpg", "dog.jpg"]), similar("cat", [])
    (', such as a/cat.jpg', '')
    """
    return f", such as {one_line(nearest(name, known))}" if 0 < len(known) <= COMPARED else ""


def matching(name: str, known: Iterable[str]) -> list[str]:
    """List what a name may stand for: itself, or else all names that it is the last part of.

    >>> matching("fc7", ["vgg_16/fc6", "vgg_16/fc7"])
    ['vgg_16/fc7']
    """
    names = list(known)
    return [name] if name in names else [each for each in names if each.endswith(f"/{name}")]


def differences(there: Mapping[str, object], asked: Mapping[str, object]) -> list[str]:
    """Say where two descriptions differ, each difference for the end of a message.

    >>> differences({"size": 224, "pool": "avg"}, {"size": 192, "pool": "avg"})
    ["size is '224', asked was '192'"]
    """
    return [
        f"{one_line(name)} is {quoted(there.get(name))}, asked was {quoted(asked.get(name))}"
        for name in dict.fromkeys([*there, *asked])
        if there.get(name) != asked.get(name)
    ]


def describe(layers: Mapping[str, tuple[int, ...]]) -> str:
    """Name layers with their shapes, sorted.

    >>> describe({"pool": (1280,), "map": (7, 7, 320)})
    'map 7x7x320, pool 1280'
    """
    return ", ".join(f"{name} {'x'.join(map(str, layers[name]))}" for name in sorted(layers))


def _without_middle(text: str, limit: int) -> str:
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"
