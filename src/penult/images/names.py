"""File names as keys and in messages: nothing lost, nothing that breaks a line or a terminal."""

import os


def as_key(path: str) -> str:
    r"""Write a path as text that any table can store: forward slashes, and valid Unicode.

    A byte that isn't UTF-8 reaches Python as a lone surrogate, and is written as `ascii()` would:
    `\udcff` for the byte 0xff. A backslash in a name is doubled, so that no two names share a key.
    All other names stay as they are.

    >>> print(as_key(os.fsdecode(b"caf\xe9s/1.jpg")))
    caf\udce9s/1.jpg
    """
    slashed = path.replace(os.sep, "/").replace("\\", "\\\\")
    return slashed.encode("utf-8", "backslashreplace").decode()


def one_line(text: str, limit: int = 200) -> str:
    r"""Make foreign text fit for a message: no control characters, a long one without its middle.

    >>> print(one_line("a\nb"))
    a\nb
    """
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    half = limit // 2
    return clean if len(clean) <= limit else f"{clean[:half]}…{clean[-half:]}"


def quoted(path: str) -> str:
    """Quote a path for a message."""
    return f"'{one_line(path)}'"


def reason(error: Exception) -> str:
    """Say why the system refused, without the path that its own message repeats."""
    return getattr(error, "strerror", None) or str(error)
