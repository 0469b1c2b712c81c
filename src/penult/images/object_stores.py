"""Buckets of S3, Google and Azure, and of all that speak as these do, by obstore.

Credentials are found by obstore in the environment and on the machine; profiles of AWS, which it
doesn't read, by `aws_profiles`.
"""

import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from penult.errors import ImageError, MissingExtraError, PenultError, SourceError
from penult.images.aws_profiles import profile_options
from penult.images.items import Version
from penult.images.store import Found, Store, tagged
from penult.images.store_errors import Trouble, translated
from penult.util.files import held_time
from penult.util.text import quoted
from penult.version import __version__

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

CONNECT, STALL, WHOLE = "10s", "20s", "120s"  # until a connection, without a byte, and in all
RETRIES, RETRIED_FOR = 4, timedelta(seconds=60)
UNEXPLAINED = (400, 403)  # to a look, whose answer has no room for why; to a reading it has
PAGE = 1000  # objects that are listed together

_ENDPOINTS = {  # variables that lead elsewhere; the last one is Google's own libraries'
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL", "STORAGE_EMULATOR_HOST"),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}


class ObjectStore(Store):
    """A bucket."""

    def __init__(self, scheme: str, bucket: str) -> None:
        super().__init__(scheme, bucket)
        try:
            import obstore
        except ImportError:
            raise MissingExtraError(f"an address of {scheme}://", "cloud") from None
        self._library = obstore
        self._store = self._asked(_opened, scheme, bucket)

    def _listed(self, folder: str) -> Iterator[Found]:
        try:
            for page in self._library.list(self._store, folder or None, chunk_size=PAGE):
                for each in page:
                    yield Found(each["path"], _version(each))
        except self._library.exceptions.InvalidPathError as error:
            raise SourceError(
                f"can't list {quoted(f'{self._address}{folder}')} on: obstore reads no object "
                f"whose name holds //, /./ or control characters, such as {_bad_name(error)}; "
                "name folders without such, or patterns or a list of objects"
            ) from None

    def _look(self, name: str) -> Version:
        try:
            return _version(self._library.head(self._store, name))
        except (PermissionError, self._library.exceptions.BaseError) as error:
            if Trouble.of(error).status not in UNEXPLAINED:
                raise
        start: Any = {"range": (0, 1)}
        return _version(self._library.get(self._store, name, options=start).meta)

    def _read(self, name: str, version: Version, start: int, end: int) -> bytes:
        options: Any = {}
        if (start, end) != (0, version.bytes):
            options["range"] = (start, end)
        result = self._library.get(self._store, name, options=options)
        if _version(result.meta) != version:
            del result  # an error keeps its frames, and an answer that isn't read a connection
            raise ImageError("changed", "the object was written to since it was listed")
        return bytes(result.bytes())

    def _translated(self, error: BaseException) -> PenultError | OSError:
        return translated(error, self._address)


def _version(meta: Any) -> Version:  # noqa: ANN401 -- a dict of obstore's
    tag = meta["e_tag"]
    if tag:
        return tagged(meta["size"], tag.removeprefix("W/").strip('"'))
    moment: datetime = meta["last_modified"]
    return Version(meta["size"], held_time(round(moment.timestamp() * 1e9)))


def _bad_name(error: BaseException) -> str:
    found = re.search(r'path: "(.{1,300}?)",\n', str(error))
    return quoted(found[1]) if found else "one of these"


def _opened(scheme: str, bucket: str) -> Any:  # noqa: ANN401 -- one of obstore's stores
    from obstore.store import AzureStore, GCSStore, S3Store

    endpoint = next(filter(None, map(os.environ.get, _ENDPOINTS[scheme])), "")
    options: Any = {}
    if scheme == "s3":
        options = profile_options()
        endpoint = endpoint or options.get("endpoint", "")
    elif scheme == "gs" and endpoint:
        options = {"base_url": endpoint if "://" in endpoint else f"http://{endpoint}"}
        endpoint = options["base_url"]
    client: ClientConfig = {
        "connect_timeout": CONNECT,
        "read_timeout": STALL,
        "timeout": WHOLE,
        "user_agent": f"penult/{__version__}",
    }
    if endpoint.lower().startswith("http://"):  # the user has said so
        client["allow_http"] = True
    retry: RetryConfig = {"max_retries": RETRIES, "retry_timeout": RETRIED_FOR}
    kinds = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
    return kinds[scheme](bucket, client_options=client, retry_config=retry, **options)
