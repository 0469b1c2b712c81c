"""Addresses of objects: `s3://bucket/a/b.jpg`. No secret is ever part of one.

What a user names is checked (`named`): credentials belong in the environment, as an address becomes
keys and places in a table. What a bucket lists, or a table holds, is only taken apart.
"""

import re
from typing import NamedTuple

from penult.errors import SourceError
from penult.util.text import quoted

BUCKETS = ("s3", "gs", "az")  # which obstore reads
WEB = ("http", "https")

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]{0,30})://", re.IGNORECASE)
_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9_.-]{0,254}")  # others crash obstore
_QUERY = re.compile(r"\?[^/]*=")


class Address(NamedTuple):
    """An address, taken apart."""

    scheme: str
    bucket: str
    name: str  # of an object, or what some begin with; without a slash before it

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.name}"

    @property
    def store(self) -> str:
        """The address of its bucket."""
        return f"{self.scheme}://{self.bucket}"


def is_address(text: str) -> bool:
    """Whether a text is an address, rather than a path."""
    return "://" in text and _ADDRESS.match(text) is not None


def parse(text: str) -> Address:
    """Take an address apart.

    >>> parse("s3://bucket/a/b.jpg")
    Address(scheme='s3', bucket='bucket', name='a/b.jpg')
    """
    scheme, _, rest = text.partition("://")
    bucket, _, name = rest.partition("/")
    return Address(scheme.lower(), bucket, name)


def named(source: str) -> Address:
    """Take an address apart that a user has named.

    Raises:
        SourceError: It can't be one of a bucket, or holds a secret, which is not repeated.
    """
    address = parse(source)
    shown = quoted(without_secrets(source))
    before, at, _ = address.bucket.rpartition("@")
    if at and (":" in before or address.scheme in BUCKETS):
        raise SourceError(
            f"{shown} has a password or key in it: leave it out, credentials are taken from the "
            "environment (docs/guides/buckets.md)"
        )
    if _QUERY.search(source):
        raise SourceError(
            f"{shown} goes on with ?…=: name the object alone, credentials are taken from the "
            "environment (docs/guides/buckets.md)"
        )
    if address.scheme in WEB:
        raise SourceError(f"{shown} is a web address: download it and name the file")
    if address.scheme in {"file", "local"}:
        raise SourceError(f"{shown}: name the path alone, without {address.scheme}://")
    if "::" in source:
        raise SourceError(f"{shown}: chains of addresses aren't read, name what is to be read")
    if address.scheme in BUCKETS and not _BUCKET.fullmatch(address.bucket):
        raise SourceError(f"{shown}: expected a bucket's name after {address.scheme}://")
    return address


def without_secrets(source: str) -> str:
    """An address without what may be secret in it: a password before a host, and parameters.

    >>> without_secrets("s3://key:secret@bucket/a.jpg?signature=secret")
    's3://…@bucket/a.jpg?…'
    """
    start = _ADDRESS.match(source)
    scheme = start[0] if start else ""
    host, slash, rest = source[len(scheme) :].partition("/")
    _, at, bare = host.rpartition("@")
    text = f"{scheme}{'…@' if at else ''}{bare}{slash}{rest}"
    query = _QUERY.search(text)
    return text[: query.start()] + "?…" if query else text
