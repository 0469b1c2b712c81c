"""Repositories of the Hugging Face hub by name, and folders as the hub keeps them."""

from penult.hub.download import Fetched, fetch, resolve
from penult.hub.folder import Repository, open_folder
from penult.hub.installed import is_here
from penult.hub.names import SHORT, RepositoryName, parse

__all__ = [
    "SHORT",
    "Fetched",
    "Repository",
    "RepositoryName",
    "fetch",
    "is_here",
    "open_folder",
    "parse",
    "resolve",
]
