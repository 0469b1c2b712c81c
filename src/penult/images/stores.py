"""The store that an address is in."""

import os
from functools import lru_cache

from penult.images.addresses import BUCKETS, Address, parse
from penult.images.items import Version
from penult.images.store import Store

_SETTINGS = ("AWS_", "GOOGLE_", "AZURE_", "HF_", "STORAGE_", "HOME")

_current: dict[tuple[str, str], Store] = {}


def store_of(address: Address) -> Store:
    """The store that an address is in, as the environment describes it now.

    Raises:
        SourceError: There is none of this kind, or its library isn't installed.
    """
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
