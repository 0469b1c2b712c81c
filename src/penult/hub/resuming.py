"""Downloads that go on where an earlier run ended, which huggingface_hub doesn't do.

What it receives has a name for this one download, `ETAG.UUID.incomplete`, and goes when it fails;
only where the process is killed it stays. So a large file that is being received gets a second
name, `ETAG.incomplete`, and the next run asks for the rest alone. The whole is compared with the
digest that the hub names, as any other (`Snapshot.verify`).
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from penult.hub.client import load
from penult.hub.names import RepositoryName
from penult.version import __version__


class Part:
    """What is here of a large file, in the cache's folder of contents.

    Args:
        blobs: The folder.
        locks: The folder of huggingface_hub's locks of the repository.
        digest: SHA-256 of the file, by which the cache calls it.
        size: Bytes of the whole file.
    """

    def __init__(self, blobs: Path, locks: Path, digest: str, size: int) -> None:
        self._blobs, self._digest, self._size = blobs, digest, size
        self._lock = locks / f"{digest}.lock"
        self._path = blobs / f"{digest}.incomplete"

    def keep(self) -> None:
        """Give what has just begun a second name; systems without such names keep nothing."""
        for begun in self._blobs.glob(f"{self._digest}.*.incomplete"):
            with suppress(OSError):
                self._path.hardlink_to(begun)

    def drop(self) -> None:
        """Remove it: the file is whole, or this was no part of it."""
        self._path.unlink(missing_ok=True)

    def resume(self, name: RepositoryName, file: str, commit: str, bar: type, wait: float) -> None:
        """Fetch the rest, if a part is here that no process is fetching.

        Args:
            name: The repository.
            file: Its file.
            commit: The commit that it is of.
            bar: A class like tqdm's.
            wait: Seconds until the hub must answer a question.

        Raises:
            Exception: As huggingface_hub has it; what has come stays.
        """
        with self._alone() as is_alone:
            if not (is_alone and self._gather()):
                return
            errors = load().errors
            try:
                self._fetch_rest(name, file, commit, bar, wait)
            except errors.HfHubHTTPError:  # what it is, huggingface_hub finds out again
                self.drop()
                return
            self._path.replace(self._blobs / self._digest)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Hold huggingface_hub's lock of the file, unless another process does."""
        from filelock import FileLock, Timeout

        try:
            lock = FileLock(self._lock, timeout=0, mode=0o664)
            lock.acquire()
        except (Timeout, OSError, NotImplementedError):  # none of the last: no folder, no locks
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _gather(self) -> bool:
        """Choose the largest part of those that processes have left, and remove the others."""
        left = [each for each in self._blobs.glob(f"{self._digest}*.incomplete") if each.is_file()]
        left.sort(key=lambda each: each.stat().st_size)
        while left and left[-1].stat().st_size > self._size:
            left.pop().unlink()
        if not left or left[-1].stat().st_size == 0 or (self._blobs / self._digest).exists():
            return False
        left.pop().replace(self._path)
        for each in left:
            if each != self._path:
                each.unlink()
        return True

    def _fetch_rest(
        self, name: RepositoryName, file: str, commit: str, bar: type, wait: float
    ) -> None:
        library = load()
        from huggingface_hub.file_download import http_get

        there = self._path.stat().st_size
        if there == self._size:
            return
        url = library.hf_hub_url(name.repository, file, revision=commit)
        headers = library.utils.build_hf_headers(library_name="penult", library_version=__version__)
        found = library.get_hf_file_metadata(url, headers=headers, timeout=wait)
        if urlsplit(found.location).netloc != urlsplit(url).netloc:
            headers.pop("authorization", None)  # which is for the hub alone
        with self._path.open("ab") as stream:
            http_get(
                found.location,
                stream,
                resume_size=there,
                headers=headers,
                expected_size=self._size,
                tqdm_class=bar,
            )
