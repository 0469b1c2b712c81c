"""The store that an address is in: none is contacted that its user hasn't named.

A table may be a stranger's, and says where its images are: to ask there would tell who looks at it.
"""

import errno
import os
import re
from functools import lru_cache

from penult.errors import UsageError
from penult.images.addresses import BUCKETS, WEB, Address, is_address, named, parse
from penult.images.items import Version
from penult.images.store import Store
from penult.util.text import quoted

_SETTINGS = ("AWS_", "GOOGLE_", "AZURE_", "HF_", "STORAGE_", "HOME")

_TYPED = re.compile(r"[a-z0-9+.-]+://[A-Za-z0-9_.@:-]+")  # what a shell takes as it is

_allowed: set[tuple[str, str]] = set()  # schemes and buckets that were named
_current: dict[tuple[str, str], Store] = {}


def allow_remote(*addresses: str) -> None:
    """Let tables have their images fetched from buckets and hosts, of which each is named.

    A row may say that its image is in a bucket. That is contacted, with your credentials, only if
    you have named it: here, or as a source of `extract` or `classify`. It holds for all tables, in
    all of this process.

    Args:
        addresses: `s3://photos`, say; what comes after the bucket or host is of no matter.

    Raises:
        UsageError: One isn't an address.
        SourceError: One can't be that of a bucket, or holds a secret.

    Example:
        >>> import penult
        >>> penult.allow_remote("s3://photos")  # doctest: +SKIP
    """
    for text in addresses:
        if not is_address(text):
            raise UsageError(f"{quoted(text)} isn't an address: expected one such as s3://bucket")
        allow(named(text))


def allow(address: Address) -> None:
    """Let the store of an address be contacted that a user has named."""
    _allowed.add((address.scheme, address.bucket))


def refusal(path: str) -> str:
    """Why a row's image isn't asked for; nothing if it may be, or is a file of this machine."""
    if not is_address(path) or is_allowed(parse(path)):
        return ""
    store = parse(path).store
    return f"it is in {quoted(store)}, {on_condition(store)}"


def is_allowed(address: Address) -> bool:
    """Whether the store of an address was named."""
    return (address.scheme, address.bucket) in _allowed


def on_condition(*stores: str) -> str:
    """Say how stores that nobody has named would be contacted."""
    which, typed = "are contacted only if you name them", "ADDRESS"
    if len(stores) == 1:
        (store,) = stores
        if parse(store).scheme in WEB:
            return "a web address, which no table has contacted"
        which = "is contacted only if you name it"
        typed = store if _TYPED.fullmatch(store) else typed
    return f"which {which}: --remote {typed} (in Python: allow_remote)"


def store_of(address: Address) -> Store:
    """The store that an address is in, as the environment describes it now.

    Raises:
        PermissionError: Nobody has named it.
        SourceError: There is none of this kind, or its library isn't installed.
    """
    if not is_allowed(address):
        raise PermissionError(errno.EPERM, refusal(str(address)))
    settings = {name: value for name, value in os.environ.items() if name.startswith(_SETTINGS)}
    store = _store(address.scheme, address.bucket, hash(frozenset(settings.items())))
    _current[address.scheme, address.bucket] = store
    return store


def store_to_read(address: Address) -> Store:
    """The store as it was when it was last listed or looked into: the environment takes its time.

    Raises:
        SourceError: As of `store_of`.
    """
    return _current.get((address.scheme, address.bucket)) or store_of(address)


def look(path: str) -> Version:
    """Look at the object of an address.

    Raises:
        OSError: It can't be looked at; FileNotFoundError if it isn't there.
        SourceError: Its bucket can't be reached or read.
    """
    address = parse(path)
    return store_of(address).look(address.name)


@lru_cache(64)
def _store(scheme: str, bucket: str, _: int) -> Store:
    if scheme in BUCKETS:
        from penult.images.object_stores import ObjectStore

        return ObjectStore(scheme, bucket)
    from penult.images.file_systems import FileSystem

    return FileSystem(scheme, bucket)
