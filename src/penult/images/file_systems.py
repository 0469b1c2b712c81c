"""What else fsspec knows an address for, `hf://` say, where its packages are installed."""

import errno
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from penult.errors import ImageError, MissingExtraError, PenultError, SourceError, UsageError
from penult.images.items import Version
from penult.images.store import Found, Store, tagged
from penult.images.store_errors import PassingError
from penult.util.files import held_time
from penult.util.text import one_line, quoted

_TAGS = ("ETag", "etag", "e_tag", "sha256", "blob_id", "md5Hash", "content_md5", "checksum")
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


class FileSystem(Store):
    """A file system of fsspec, below the first part of a path."""

    def __init__(self, scheme: str, bucket: str) -> None:
        super().__init__(scheme, bucket)
        self._files = _opened(scheme)

    def _listed(self, folder: str) -> Iterator[Found]:
        root = self._path(folder)
        for _, _, files in self._files.walk(root, detail=True, on_error="raise"):
            for _, about in sorted(files.items()):
                if about.get("type") == "file":
                    yield Found(self._name(about["name"]), _version(about))

    def _look(self, name: str) -> Version:
        self._files.invalidate_cache(self._files._parent(self._path(name)))
        about = self._files.info(self._path(name))
        if about.get("type") != "file":
            raise FileNotFoundError(errno.ENOENT, "there is no such file")
        return _version(about)

    def _read(self, name: str, version: Version, start: int, end: int) -> bytes:
        path = self._path(name)
        if (start, end) == (0, version.bytes):  # which shows where there is more than was listed
            data = self._files.cat_file(path, start=0, end=end + 1)
            if len(data) > end:
                raise ImageError("changed", "the file is longer than was listed")
            return bytes(data)
        return bytes(self._files.cat_file(path, start=start, end=end))

    def _path(self, name: str) -> str:
        address = self._address._replace(name=name)
        return str(self._files._strip_protocol(str(address).rstrip("/")))

    def _name(self, path: str) -> str:
        """What an object is called below the first part of a path."""
        start = self._path("").strip("/")
        return path.strip("/").removeprefix(start).lstrip("/")

    def _translated(self, error: BaseException) -> PenultError | OSError:
        kind = type(error).__name__
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(errno.ENOENT, "there is no such file")
        if isinstance(error, PermissionError):
            return PermissionError(errno.EACCES, "access denied")
        if isinstance(error, TimeoutError | ConnectionError) or "Timeout" in kind:
            return PassingError(errno.ETIMEDOUT, f"no answer ({kind})")
        return OSError(errno.EIO, f"fsspec raised {kind}")


def _version(about: Mapping[str, Any]) -> Version:
    size = about.get("size")
    if not isinstance(size, int):
        raise OSError(errno.EINVAL, "its size isn't known")
    tag = next((about[name] for name in (*_TAGS, *_TIMES) if about.get(name)), "")
    if isinstance(tag, datetime):
        tag = tag.timestamp()
    if isinstance(tag, int | float):
        return Version(size, held_time(round(tag * 1e6) * 1000))
    return tagged(size, str(tag))


def _opened(scheme: str) -> Any:  # noqa: ANN401 -- fsspec has no types
    if scheme == "hf":
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # is read at import
    try:
        import fsspec
        from fsspec.registry import known_implementations as known
    except ImportError:
        if scheme == "hf":
            raise MissingExtraError("an address of hf://", "hub") from None
        raise UsageError(f"an address of {scheme}:// needs fsspec: pip install fsspec") from None
    if scheme not in {*known, *fsspec.available_protocols()}:
        raise SourceError(
            f"addresses of {quoted(scheme)} aren't known: expected s3://, gs://, az://, or one "
            "that fsspec knows"
        )
    try:
        return fsspec.filesystem(scheme)
    except ImportError:
        if scheme == "hf":
            raise MissingExtraError("an address of hf://", "hub") from None
        says = one_line(known.get(scheme, {}).get("err", "its package, which isn't installed"))
        raise UsageError(f"an address of {scheme}:// needs more: {says}") from None
    except Exception as error:  # noqa: BLE001 -- of any package; its words may hold settings
        raise SourceError(f"fsspec can't open {scheme}:// ({type(error).__name__})") from None
