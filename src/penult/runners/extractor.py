"""The end of a run that is on a cluster's machines: it computes shards and writes their rows.

An `Extractor` is an actor: a process with a model of its own, which gets a shard at a time. It
says what it found as plain values, as it and the driver needn't agree on the classes of errors.
"""

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

from penult.errors import PenultError
from penult.extraction.backlog import decoded
from penult.extraction.run import row_of
from penult.images import Version
from penult.images.addresses import is_address, parse
from penult.images.blobs import version_of
from penult.images.containers import item_at, listed_at
from penult.images.names import from_key, within
from penult.images.stores import allow
from penult.model.model import rebuild
from penult.model.recipe import Recipe
from penult.store import File, Part, PartWriter, Row
from penult.store.layout import Kind
from penult.store.parts import require_shared
from penult.util.machine import set_threads
from penult.util.progress import Timings
from penult.util.text import differences, quoted

HEARD_SECONDS = 5.0  # after which an extractor says how far it is
LOOKED_AT = 8  # images of a shard, to tell whether this machine sees them


@dataclass(frozen=True)
class Work:
    """What all extractors of a run have in common.

    Attributes:
        recipe: What makes the features.
        table: The table's folder, absolute.
        kind: What its rows have in common.
        token: What the probe in its folder says.
        versions: Of the libraries whose versions can move features, as the driver has them.
        cores: How many an extractor takes.
    """

    recipe: Recipe
    table: Path
    kind: Kind
    token: str
    versions: Mapping[str, str]
    cores: int


@dataclass(frozen=True)
class Ready:
    """An extractor can take shards."""

    host: str


@dataclass(frozen=True)
class Refusal:
    """Why a machine can't have a part in this run, in a line."""

    host: str
    reason: str


@dataclass(frozen=True)
class Heard:
    """How far a shard is: images with features, and those that failed."""

    ok: int
    failed: int


@dataclass(frozen=True)
class Done:
    """A shard whose rows are written."""

    part: Part
    timings: Timings


class Extractor:
    """Computes shards of a run; nothing is made or looked at before `start`."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._host = platform.node()

    def start(self) -> Ready | Refusal:
        """Make the model and find the table, and say whether both are those of the driver."""
        work = self._work
        set_threads(work.cores)
        try:
            require_shared(work.table, work.token)
            self._model = rebuild(work.recipe, work.recipe.weights)
            self._model.engine.wait()
            if other := differences(
                dict(self._model.recipe.notes["versions"]), dict(work.versions)
            ):
                return self._refusal(f"other libraries: {'; '.join(other)}: install the same ones")
            self._writer = PartWriter(work.table, work.kind)
        except PenultError as error:
            return self._refusal(str(error))
        return Ready(self._host)

    def extract(self, files: Sequence[File]) -> Iterator[Heard | Done | Refusal]:
        """Compute a shard, saying how far it is from time to time; the last is `Done`.

        Args:
            files: The images as the driver has listed them.
        """
        for file in files:
            if is_address(file.path or ""):  # which the driver was told to read
                allow(parse(file.path or ""))
        if reason := _unseen(files):
            yield self._refusal(reason)
            return
        rows: list[Row] = []
        timings, heard, failed = Timings(), monotonic(), 0
        images = (listed_at(file.path or "", _version(file)) for file in files)
        try:
            with closing(self._model.stream(images, timings)) as outcomes:
                for file, outcome in zip(files, outcomes, strict=True):
                    rows.append(row_of(_decoded(file), outcome))
                    failed += outcome.error is not None
                    if monotonic() - heard > HEARD_SECONDS:
                        heard = monotonic()
                        yield Heard(len(rows) - failed, failed)
            started = monotonic()
            part = self._writer.write(rows)
            timings.writing += monotonic() - started
        except PenultError as error:
            yield self._refusal(str(error))
        else:
            yield Done(part, timings)

    def ping(self) -> None:
        """Answer, beside whatever else is being done."""

    def _refusal(self, reason: str) -> Refusal:
        return Refusal(self._host, reason)


def _version(file: File) -> Version:
    return Version(file.bytes, file.mtime_ns)


def _decoded(file: File) -> File:
    try:
        return decoded(file, item_at(file.path or "")) if file.sha256 else file
    except (OSError, PenultError):
        return replace(file, sha256=None)


def _unseen(files: Sequence[File]) -> str:
    """Say so if most of some images aren't on this machine as the driver has listed them.

    A file may change in the meantime, and some are missing everywhere: those fail as rows.
    """
    listed = [file for file in files if _version(file) != (0, 0)]
    some = listed[:: max(1, len(listed) // LOOKED_AT)]
    others = [file for file in some if not _is_same(file)]
    if len(others) * 2 <= len(some):
        return ""
    return (
        f"{quoted(others[0].path)} isn't there as it was listed ({len(others)} of {len(some)} that "
        "were looked at): put the images where all machines see them, under the same path"
    )


def _is_same(file: File) -> bool:
    place = file.path or ""
    inside = within(place)
    try:
        if inside:
            return version_of(from_key(inside.container)).mtime_ns == file.mtime_ns
        return item_at(place).version() == _version(file)
    except (OSError, ValueError):
        return False
