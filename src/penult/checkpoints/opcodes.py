"""The opcodes of pickles with their arguments, decoded by `pickletools` of the standard library.

`pickletools.genops` does the same, but refuses the bytes above 127 in what Python 2 calls a str,
and undoes escapes in the names of globals.
"""

import codecs
import io
import pickletools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

MAX_LINE = 512  # bytes in the name of a module or global, or in a number as text

_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_ESCAPED = re.compile(rb"""(?:[^\\]|\\(?:x[0-9a-f]{2}|[\\'"nrt]))*+""", re.DOTALL)


class Instruction(NamedTuple):
    """An opcode by its name, its argument, and its offset in the stream."""

    name: str
    argument: Any
    offset: int


class Stream(io.BytesIO):
    """Pickles one after another; a line of them has a limited length, and no escapes."""

    def readline(self, _: int | None = -1) -> bytes:
        """One of the two lines of a global, or a number."""
        line = super().readline(MAX_LINE)
        if b"\\" in line:
            raise ValueError("a global's name with a backslash")
        return line

    def text(self) -> bytes:
        """A line of any length, without its end."""
        line = super().readline()
        if not line.endswith(b"\n"):
            raise ValueError("no newline found after a text")
        return line[:-1]

    def instructions(self) -> Iterator[Instruction]:
        """Decode up to the end of the next pickle.

        Raises:
            ValueError: There is no such opcode, or an argument is malformed or cut.
        """
        name = ""
        while name != "STOP":
            offset, code = self.tell(), self.read(1)
            opcode = _OPCODES.get(code)
            if opcode is None:
                unknown = f"opcode {code!r} unknown"
                raise ValueError(unknown if code else "pickle exhausted before seeing STOP")
            name, argument = opcode.name, None
            if name in _TEXTS:
                argument = _TEXTS[name](self.text())
            elif opcode.arg:
                argument = opcode.arg.reader(self)
            yield Instruction(name, argument, offset)


def _string(line: bytes) -> bytes:
    """A str of Python 2, which may be of any bytes, as its `repr`."""
    quote, inside = line[:1], line[1:-1]
    if quote not in (b"'", b'"') or line[-1:] != quote or not _ESCAPED.fullmatch(inside):
        raise ValueError("a text that isn't as Python 2 writes it")
    return codecs.escape_decode(inside)[0]


def _unicode(line: bytes) -> str:
    return line.decode("raw-unicode-escape")


_TEXTS: Mapping[str, Callable[[bytes], object]] = {"STRING": _string, "UNICODE": _unicode}
