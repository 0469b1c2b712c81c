"""What the hub says of a repository in one answer: its commit, files and licence."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from penult.errors import DownloadError
from penult.hub.client import constants, load
from penult.hub.names import RepositoryName
from penult.util.text import one_line
from penult.version import __version__

_COMMIT = re.compile("[0-9a-f]{40}")
_DIGEST = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
MAX_FILE = 1 << 40  # bytes


class Listed(NamedTuple):
    """A file of a repository.

    Attributes:
        size: Bytes.
        digest: SHA-256 of a large file, Git's SHA-1 of another; empty if none is said.
    """

    size: int
    digest: str


class Listing(NamedTuple):
    """A repository at one commit.

    Attributes:
        commit: The commit.
        files: Its files, by name.
        licence: What it says of its licence, empty if nothing.
    """

    commit: str
    files: Mapping[str, Listed]
    licence: str


def ask(name: RepositoryName, timeout: float) -> Listing:
    """Ask the hub, in one request.

    Args:
        name: The repository.
        timeout: Seconds until something must have come.

    Raises:
        DownloadError: The answer is not one of the hub's.
        Exception: As huggingface_hub has it.
    """
    api = load().HfApi(library_name="penult", library_version=__version__)
    try:
        info = api.model_info(
            name.repository, revision=name.revision, timeout=timeout, files_metadata=True
        )
        return Listing(_commit(info.sha), dict(map(_listed, info.siblings)), _licence(info))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        if isinstance(exc, OSError | load().errors.HfHubHTTPError):
            raise
        endpoint = constants().ENDPOINT
        raise DownloadError(
            f"{name}: {endpoint} doesn't answer as a hub does: HF_ENDPOINT names another"
        ) from exc


def _commit(sha: Any) -> str:  # noqa: ANN401 -- as it came
    if not (isinstance(sha, str) and _COMMIT.fullmatch(sha)):
        raise ValueError("no commit")
    return sha


def _listed(sibling: Any) -> tuple[str, Listed]:  # noqa: ANN401 -- huggingface_hub's class
    name, size = sibling.rfilename, sibling.lfs.size if sibling.lfs else sibling.size
    digest = sibling.lfs.sha256 if sibling.lfs else sibling.blob_id
    if not (isinstance(name, str) and type(size) is int and 0 <= size < MAX_FILE):
        raise ValueError("a file without a name or size")
    return name, Listed(size, digest if _DIGEST.fullmatch(str(digest)) else "")


def _licence(info: Any) -> str:  # noqa: ANN401 -- huggingface_hub's class
    card = info.card_data or {}
    named = [card.get("license"), card.get("license_name")]
    tags = [tag.removeprefix("license:") for tag in info.tags or [] if tag.startswith("license:")]
    found = [each for each in (*named, *tags) if isinstance(each, str) and each]
    return one_line(", ".join(dict.fromkeys(found)), 100)
