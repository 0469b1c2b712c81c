"""One commit of a repository in huggingface_hub's cache, asked without any request.

    models--OWNER--NAME/blobs/ETAG              a file's content; SHA-256 of large ones, else Git's
    models--OWNER--NAME/snapshots/COMMIT/FILE   a link to it
    models--OWNER--NAME/.no_exist/COMMIT/FILE   known not to be in that commit
    models--OWNER--NAME/refs/REVISION           the commit that a branch or tag named last

Other programs use it too. So a file that isn't there may be in the repository all the same, which
decides what the others mean: weights without their preprocessing give other features.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from penult.errors import DownloadError
from penult.hub.choice import (
    CONFIG,
    INDEX,
    OPEN_CLIP,
    SETTINGS,
    TOKENIZER,
    Choice,
    choose,
    shards,
)
from penult.hub.client import constants
from penult.hub.documents import Document
from penult.hub.folder import read_settings
from penult.hub.names import RepositoryName
from penult.hub.resuming import Part
from penult.util.files import replacing

_COMMIT = re.compile("[0-9a-f]{40}")
_SHA256 = re.compile("[0-9a-f]{64}")


class UnknownFileError(Exception):
    """Whether the commit has a file isn't known here."""


class Snapshot:
    """A commit of a repository in the cache; each file is there, known to be missing, or unknown.

    Attributes:
        commit: The commit.
        folder: Where its files are.
    """

    def __init__(self, name: RepositoryName, commit: str) -> None:
        storage = _storage(name)
        self.commit = commit
        self._name = name
        self.folder = storage / "snapshots" / commit
        self._blobs = storage / "blobs"
        self._absent = storage / ".no_exist" / commit
        self._ref = None if name.is_pinned else storage / "refs" / name.revision

    def has(self, file: str) -> bool:
        """Whether the commit has a file.

        Raises:
            UnknownFileError: It isn't here, and that isn't known of the repository.
        """
        if (self.folder / file).is_file():
            return True
        if (self._absent / file).is_file():
            return False
        raise UnknownFileError(file)

    def lacks(self, file: str) -> bool:
        """Whether a file of the commit isn't here."""
        return not (self.folder / file).is_file()

    def needs(self, file: str, digest: str) -> bool:
        """Whether a file's content has to come, as no commit here has it."""
        return self.lacks(file) and not (self._blobs / digest).is_file()

    def part(self, digest: str, size: int) -> Part | None:
        """What may be here of a file of which not all is; None of a small one."""
        if not _SHA256.fullmatch(digest):
            return None
        storage = self._blobs.parent
        return Part(self._blobs, storage.parent / ".locks" / storage.name, digest, size)

    def mark_absent(self, files: Iterable[str]) -> None:
        """Keep in mind that the commit doesn't have these files."""
        self._absent.mkdir(parents=True, exist_ok=True)
        for file in files:
            (self._absent / file).touch()

    def mark_current(self) -> None:
        """Keep in mind that this is the commit that the revision names."""
        commit = self.commit.encode()
        if self._ref and not (self._ref.is_file() and self._ref.read_bytes() == commit):
            self._ref.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self._ref) as temporary:
                temporary.write_bytes(commit)

    def contents(self, *, text: bool) -> list[str]:
        """List the files that are wanted of the commit, which all are here.

        Args:
            text: Whether the text tower and the tokenizer are wanted too.

        Raises:
            UnknownFileError: Not all of them are here.
            CheckpointError: Its settings or its list of shards are damaged.
        """
        files = [name for name in wanted_settings(text=text) if self.has(name)]
        choice = self.choose(self.has, text=text)
        if not choice:
            raise UnknownFileError("weights")
        files.append(choice.weights)
        if choice.weights.endswith(INDEX):
            files += shards(self.folder / choice.weights)
        if any(map(self.lacks, files)):
            raise UnknownFileError("a shard")
        return files

    def choose(self, has: Callable[[str], bool], *, text: bool) -> Choice | None:
        """Choose weights among the files that it `has`, by its settings, which are here.

        Raises:
            CheckpointError: The settings are damaged.
        """
        config, open_clip = self._settings(CONFIG) or {}, self._settings(OPEN_CLIP)
        return choose(config, open_clip, has, text=text)

    def _settings(self, file: str) -> Document | None:
        return read_settings(self.folder / file) if self.has(file) else None

    def digest(self, file: str) -> str:
        """SHA-256 of a file as "sha256:…"; of a large one, what the hub has said that it is."""
        path = self.folder / file
        etag = path.readlink().name if path.is_symlink() else ""
        return f"sha256:{etag if _SHA256.fullmatch(etag) else _hash(path, 'sha256')}"

    def verify(self, file: str, listed: str) -> None:
        """Compare a file with the digest that the hub has named; another file is removed.

        Args:
            file: Its name.
            listed: The digest that the hub's list of files has, if the cache doesn't know it.

        Raises:
            DownloadError: It has another digest, or none was named.
        """
        path = self.folder / file
        etag = path.readlink().name if path.is_symlink() else listed
        if _SHA256.fullmatch(etag):
            found = _hash(path, "sha256")
        elif _COMMIT.fullmatch(etag):
            found = _hash(path, "sha1", b"blob %d\0" % path.stat().st_size)
        else:
            found = "no digest that was named"
        if found != etag:
            path.resolve().unlink()
            path.unlink(missing_ok=True)
            raise DownloadError(
                f"{self._name}: {file} has {found}, expected {etag or 'one'}: try again"
            )


def wanted_settings(*, text: bool) -> tuple[str, ...]:
    """Names of the files that are wanted beside the weights, where a repository has them."""
    return (*SETTINGS, *TOKENIZER) if text else SETTINGS


def cached_commit(name: RepositoryName) -> str | None:
    """The commit that a name stood for when the hub was asked last; its own if it is one."""
    if name.is_pinned:
        return name.revision
    try:
        commit = (_storage(name) / "refs" / name.revision).read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    return commit if _COMMIT.fullmatch(commit) else None


def _storage(name: RepositoryName) -> Path:
    return Path(constants().HF_HUB_CACHE).absolute() / f"models--{name.owner}--{name.name}"


def _hash(path: Path, algorithm: str, before: bytes = b"") -> str:
    digest = hashlib.new(algorithm, before, usedforsecurity=algorithm != "sha1")
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: digest).hexdigest()
