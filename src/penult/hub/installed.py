"""Whether a repository of the hub has been fetched already."""

from penult.errors import CheckpointError, MissingExtraError
from penult.hub.names import parse
from penult.hub.snapshot import Snapshot, UnknownFileError, cached_commit


def is_here(repository: str) -> bool:
    """Whether weights of a repository are in the hub's cache, its shards too; nobody is asked."""
    name = parse(repository)
    try:
        commit = name and cached_commit(name)
        return bool(name and commit and Snapshot(name, commit).contents(text=False))
    except (UnknownFileError, CheckpointError, MissingExtraError):
        return False
