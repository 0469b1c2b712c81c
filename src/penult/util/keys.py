r"""Keys that are asked for: in a list, or in a file with one a line.

In a file's line, backslashes and whatever ends a line are written as in a Python string (`\n`), as
exports write keys beside what they hold. A line written by hand needn't be: what no key is when it
is read so is taken as it stands.
"""

import os
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from penult.errors import MissingKeyError, SourceError, UsageError
from penult.util.lists import STDIN, names_in
from penult.util.text import quoted

Keys: TypeAlias = Sequence[str] | str | os.PathLike[str]

_LINE_BREAKS = re.compile("[\\\\\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_ESCAPED = re.compile(
    r"\\(?:[\\nrt]|x[0-9a-f]{2}|u(?!d[89a-f])[0-9a-f]{4}|U(?:000[0-9a-f]|0010)[0-9a-f]{4})"
)


def as_line(key: str) -> str:
    r"""Write a key as a line of a list.

    >>> print(as_line("two\nlines.jpg"))
    two\nlines.jpg
    """
    return _LINE_BREAKS.sub(lambda found: _escape(found[0]), key)


class Asked(NamedTuple):
    """Keys that are asked for.

    Attributes:
        names: What each may be, the likeliest first.
        where: What they are in, for messages.
    """

    names: list[tuple[str, ...]]
    where: str

    def found(self, known: Callable[[Sequence[str]], Sequence[bool]], owner: str) -> list[str]:
        """The keys that there are, each once, in the order in which they are asked for.

        Args:
            known: Tells of each of some keys whether it's there.
            owner: Who has them, for a message.

        Raises:
            MissingKeyError: Some aren't there; says how many, and the first.
        """
        choices = [(name, place) for place, names in enumerate(self.names) for name in names]
        there = known([name for name, _ in choices])
        first: dict[int, str] = {}
        for (name, place), yes in zip(choices, there, strict=True):
            if yes:
                first.setdefault(place, name)
        lacking = [names[-1] for place, names in enumerate(self.names) if place not in first]
        if lacking:
            count = f"{len(lacking):,} of the {len(self.names):,} keys in {self.where}"
            raise MissingKeyError(f"{owner} lacks {count}, the first is {quoted(lacking[0])}")
        return list(dict.fromkeys(first[place] for place in range(len(self.names))))


def asked_for(keys: Keys) -> Asked:
    """Read which keys are asked for.

    Args:
        keys: Keys; or a file with one a line, `-` for standard input.

    Raises:
        UsageError: There is none.
        SourceError: The file can't be read, or isn't UTF-8.
    """
    if isinstance(keys, str | os.PathLike):
        source = os.fspath(keys)
        where = "standard input" if source == STDIN else quoted(source)
        names = [_choices(line) for line in _lines(source, where)]
    else:
        where = "keys"
        odd = next((key for key in keys if not isinstance(key, str)), None)
        if odd is not None:
            raise UsageError(f"{quoted(odd)} is no key: keys are texts")
        names = [(key,) for key in keys]
    if not names:
        raise UsageError(f"there are no keys in {where}: give one a line")
    return Asked(names, where)


def _lines(source: str, where: str) -> list[str]:
    try:
        lines = [line.decode("utf-8", "surrogateescape") for line in names_in(source)]
    except OSError as error:
        raise SourceError(
            f"can't read keys in {where}: {error.strerror}; keys themselves are given as a list"
        ) from error
    return [line.encode("utf-8", "backslashreplace").decode() for line in lines]


def _choices(line: str) -> tuple[str, ...]:
    read = _ESCAPED.sub(lambda found: found[0].encode("latin-1").decode("unicode_escape"), line)
    return (read, line) if read != line else (line,)


def _escape(text: str) -> str:
    return text.encode("unicode_escape").decode()
