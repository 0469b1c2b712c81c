"""What a command says on standard error, and the options about it that stand anywhere on its line.

Notes are for people: `--quiet` leaves them out, bars too. Errors are always told: in a line, or
with `--json` as one JSON object, the last line.
"""

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

from penult.errors import UsageError
from penult.util.text import printable, quoted


@dataclass(slots=True)
class _Voice:
    quiet: bool = False
    as_json: bool = False
    told: bool = False  # that there was an error


_voice = _Voice()


@dataclass(frozen=True, slots=True)
class Anywhere:
    """Options that aren't a command's own.

    Attributes:
        debug: Whether to show where an error comes from.
        quiet: Whether to leave notes and bars out.
        threads: How many cores to take at most.
        remote: Buckets and hosts that tables may have contacted.
        rest: All other arguments.
    """

    debug: bool
    quiet: bool
    threads: int | None
    remote: list[str]
    rest: list[str]

    @classmethod
    def take(cls, arguments: Sequence[str]) -> Self:
        """Take them out of a command line, up to `--`, behind which all are names.

        Raises:
            UsageError: `--threads` has no number.
        """
        end = arguments.index("--") if "--" in arguments else len(arguments)
        debug, quiet, threads = False, False, None
        remote, rest = list[str](), list[str]()
        words = iter(arguments[:end])
        for word in words:
            name, _, value = word.partition("=")
            if name == "--threads":
                threads = _number(value or next(words, ""))
            elif name == "--remote":
                remote.append(value or next(words, ""))
            elif word == "--debug":
                debug = True
            elif word == "--quiet":
                quiet = True
            else:
                rest.append(word)
        return cls(debug, quiet, threads, remote, [*rest, *arguments[end:]])


def _number(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"--threads needs a number, not {quoted(text)}")
    return int(text)


def speak(*, quiet: bool, as_json: bool) -> None:
    """Decide how notes and errors are told from now on."""
    _voice.quiet, _voice.as_json, _voice.told = quiet, as_json, False


def is_quiet() -> bool:
    """Whether there are no notes and bars."""
    return _voice.quiet


def is_json() -> bool:
    """Whether errors are JSON."""
    return _voice.as_json


def say(message: str) -> None:
    """Print a note; where standard error can't be written to, nobody can be told."""
    if not _voice.quiet:
        _print(f"penult: {printable(message)}")


def complain(error: str, message: str, code: int) -> None:
    """Print an error.

    Args:
        error: Its kind, the name of an exception for one.
        message: A line for people.
        code: The exit code that it leads to.
    """
    _voice.told = True
    if _voice.as_json:
        _print(json.dumps({"error": error, "message": message, "exit_code": code}))
    else:
        _print(f"penult: {printable(message)}")


def complain_of_stop(code: int) -> None:
    """Tell other programs of a stop, unless the command has told why."""
    if _voice.as_json and not _voice.told:
        complain("Interrupted", "stopped", code)


def _print(line: str) -> None:
    with suppress(OSError):
        print(line, file=sys.stderr)
