"""Repositories fetched from the hub into its own cache, as little of them as is needed.

Everything that goes out goes through huggingface_hub, which knows the hub's rules: HF_HOME,
HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE. No code is fetched: neither `*.py` nor what
`auto_map` names.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias
from warnings import warn

from penult.errors import DownloadError, UsageError
from penult.hub.choice import INDEX, SETTINGS, TOKENIZER, WEIGHTS, like_weights, shards
from penult.hub.client import constants, explained, is_unreachable, load, page, quiet, reason
from penult.hub.documents import MAX_BYTES
from penult.hub.folder import Repository, open_folder
from penult.hub.listing import Listing, ask
from penult.hub.meter import Meter, Progress
from penult.hub.names import SHORT, RepositoryName, parse
from penult.hub.snapshot import Snapshot, UnknownFileError, cached_commit, wanted_settings
from penult.util.progress import show_nothing
from penult.util.text import nearest, one_line, quoted
from penult.version import __version__

Tell: TypeAlias = Callable[[str], object]  # is called with one line for the user

_kept: set[RepositoryName] = set()  # whose commit stays what it was for all of this process

TIMEOUT = 10.0  # seconds until the hub must answer a question
_MOST = dict.fromkeys(SETTINGS, MAX_BYTES) | dict.fromkeys(TOKENIZER, 100_000_000)  # Gemma's: 34 MB


def _warn(line: str) -> None:
    warn(line, stacklevel=4)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A repository's files on this machine.

    Attributes:
        folder: Where they are, in the hub's cache.
        commit: The commit that they are of.
        files: SHA-256 of each, as "sha256:…", by name. Of a large file that was in the cache it
            is what the hub has named: to compare with what the file has when it is read.
    """

    folder: Path
    commit: str
    files: Mapping[str, str]


def resolve(
    name: str,
    *,
    text: bool = False,
    keep: bool = False,
    progress: Progress = show_nothing,
    tell: Tell = _warn,
) -> Repository:
    """Find a repository of the hub by its name, `owner/name[@revision]` or a short one.

    What isn't in the cache is fetched. `Repository.commit` and `digests` are for recipes:
    `owner/name@COMMIT` is the same for ever, and needs no request once it is in the cache.

    Args:
        name: Its name, or a key of `SHORT`.
        text: Whether its text tower and tokenizer are wanted too.
        keep: Whether the process needn't ask again for what the name stands for, as of commands.
        progress: Called for every piece that arrives, with the bytes there and in all.
        tell: Called with a line for the user: the licence when weights are first fetched, or that
            the hub can't be reached and the cache is used. Otherwise it is a warning.

    Raises:
        UsageError: It is no such name.
        MissingExtraError: huggingface_hub isn't installed.
        DownloadError: It can't be had, or what came isn't it.
        CheckpointError: Its settings or its list of shards are damaged.
    """
    found = parse(SHORT.get(name, name))
    if not found:
        raise UsageError(
            f"{quoted(name)}: no name on the hub, which is owner/name[@revision]; short names like"
            f" it: {nearest(name, SHORT)}"
        )
    fetched = fetch(found, text=text, progress=progress, tell=tell)
    if keep:
        _kept.add(found)
    repository = open_folder(fetched.folder, text=text)
    return replace(repository, name=str(found), commit=fetched.commit, digests=fetched.files)


def fetch(
    name: RepositoryName,
    *,
    text: bool = False,
    progress: Progress = show_nothing,
    tell: Tell = _warn,
) -> Fetched:
    """Bring the needed files of a repository into the hub's cache, unless they are there.

    A commit that is there needs no request, a branch or a tag one, which asks for its commit,
    unless `resolve` was to keep it.

    Args:
        name: The repository.
        text: Whether its text tower and tokenizer are wanted too.
        progress: Called for every piece that arrives, with the bytes there and in all.
        tell: Called with a line for the user, see `resolve`.

    Raises:
        MissingExtraError: huggingface_hub isn't installed.
        DownloadError: It can't be had, or what came isn't it.
        CheckpointError: Its settings or its list of shards are damaged.
    """
    alone = name.is_pinned or name in _kept or constants().HF_HUB_OFFLINE
    if alone and (fetched := _cached(name, text=text)):
        return fetched
    with quiet(), explained(name):
        try:
            listing = ask(name, TIMEOUT)
        except Exception as exc:
            fetched = _cached(name, text=text) if is_unreachable(exc) else None
            if not fetched:
                raise
            tell(f"{name}: no answer ({reason(exc)}), so it is {fetched.commit} in the cache")
            return fetched
        return _Download(name, listing, progress, tell).run(text=text)


def _cached(name: RepositoryName, *, text: bool) -> Fetched | None:
    commit = cached_commit(name)
    return _collect(Snapshot(name, commit), text=text) if commit else None


def _collect(snapshot: Snapshot, *, text: bool) -> Fetched | None:
    """Everything of a commit that is wanted, None if something isn't there."""
    try:
        digests = {file: snapshot.digest(file) for file in snapshot.contents(text=text)}
    except UnknownFileError:
        return None
    except OSError as exc:
        raise DownloadError(f"{quoted(snapshot.folder)}: {(exc.strerror or '').lower()}") from exc
    return Fetched(snapshot.folder, snapshot.commit, digests)


class _Download:
    """What is done for one repository of which something may be missing."""

    def __init__(
        self, name: RepositoryName, listing: Listing, progress: Progress, tell: Tell
    ) -> None:
        self._name = name
        self._listing = listing
        self._snapshot = Snapshot(name, listing.commit)
        self._progress = progress
        self._tell = tell

    def run(self, *, text: bool) -> Fetched:
        """Fetch what isn't there."""
        fetched = _collect(self._snapshot, text=text)
        if not fetched:
            self._fetch_all(text=text)
            fetched = _collect(self._snapshot, text=text)
        if not fetched:
            raise DownloadError(f"{self._name}: files went from the cache meanwhile: try again")
        self._snapshot.mark_current()
        return fetched

    def _fetch_all(self, *, text: bool) -> None:
        listed, settings = self._listing.files, wanted_settings(text=text)
        self._snapshot.mark_absent({*settings, *WEIGHTS} - listed.keys())
        self._get(file for file in settings if file in listed)
        choice = self._snapshot.choose(listed.__contains__, text=text)
        if not choice:
            there = ", ".join(one_line(file, 60) for file in like_weights(listed)[:5])
            by_hand = f"fetch one of {there} by hand and name it (-w)"
            remedy = by_hand if there else "no others either"
            raise DownloadError(
                f"{self._name}: no model.safetensors, pytorch_model.bin or open_clip_model.*;"
                f" {remedy}, see {page(self._name)}"
            )
        weights = [choice.weights]
        if choice.weights.endswith(INDEX):
            self._get(weights)
            weights = shards(self._snapshot.folder / choice.weights)
            if lost := set(weights) - listed.keys():
                raise DownloadError(f"{self._name}: has no {min(lost)}, which its index names")
        self._tell_licence(weights)
        self._get(weights, self._progress)

    def _get(self, files: Iterable[str], progress: Progress = show_nothing) -> None:
        """Fetch those of the files that aren't there."""
        sizes = {f: self._listing.files[f].size for f in files if self._snapshot.lacks(f)}
        self._check(sizes)
        meter = Meter(self._name, sizes, progress)
        for file, size in sizes.items():
            digest = self._listing.files[file].digest
            part = self._snapshot.part(digest, size)
            if part:
                part.resume(self._name, file, self._listing.commit, meter.bar(file), TIMEOUT)
            load().hf_hub_download(
                self._name.repository,
                file,
                revision=self._listing.commit,
                library_name="penult",
                library_version=__version__,
                etag_timeout=TIMEOUT,
                tqdm_class=meter.bar(file, part.keep) if part else meter.bar(file),
            )
            if part:
                part.drop()
            self._snapshot.verify(file, digest)
            meter.finish(file)

    def _check(self, sizes: Mapping[str, int]) -> None:
        """Refuse what is larger than such files are, or than the disk has room for."""
        for file, size in sizes.items():
            most = _MOST.get(file, MAX_BYTES if file.endswith(INDEX) else size)
            if size > most:
                raise DownloadError(
                    f"{self._name}: {file} has {size} bytes, at most {most} expected"
                )
        cache = self._snapshot.folder
        free = shutil.disk_usage(next(each for each in cache.parents if each.exists())).free
        total = sum(size for file, size in sizes.items() if self._needs(file))
        if total > free:
            raise DownloadError(
                f"{self._name}: {total / 1e6:,.0f} MB to fetch, {free / 1e6:,.0f} MB free in"
                f" {quoted(constants().HF_HUB_CACHE)}: make room, or let HF_HOME name another"
                " place"
            )

    def _tell_licence(self, weights: Iterable[str]) -> None:
        if any(map(self._needs, weights)):
            licence = self._listing.licence
            said = f"licence {licence}" if licence else "no licence is named"
            self._tell(f"{self._name}: {said}, see {page(self._name)}")

    def _needs(self, file: str) -> bool:
        return self._snapshot.needs(file, self._listing.files[file].digest)
