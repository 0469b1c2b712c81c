"""huggingface_hub, an optional package: how it is loaded, kept quiet, and what its errors mean."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from types import ModuleType
from typing import Any

from penult.errors import DownloadError, MissingExtraError
from penult.hub.names import SHORT, RepositoryName
from penult.util.text import nearest, one_line, quoted

_ONE = Lock()


def constants() -> Any:  # noqa: ANN401 -- a module whose settings change
    """Settings of huggingface_hub from the environment; nothing else of it is imported, in 1 ms.

    From then on it neither counts its users nor asks which program runs it, though the caller's
    program may have imported it before.

    Raises:
        MissingExtraError: It isn't installed.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    with _needed():
        from huggingface_hub import constants as settings
    settings.HF_HUB_DISABLE_TELEMETRY = True
    return settings


def load() -> ModuleType:
    """Import what asks and fetches, in 0.2 s.

    Raises:
        MissingExtraError: It isn't installed, or so old that it goes through another library.
    """
    constants()
    with _needed():
        import httpx2  # noqa: F401 -- where its errors come from
        import huggingface_hub
        import huggingface_hub.errors
        import huggingface_hub.utils
    module: ModuleType = huggingface_hub
    return module


@contextmanager
def _needed() -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise MissingExtraError("a repository of the Hugging Face hub", "hub") from None


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what huggingface_hub logs from standard error, for one thread after the other."""
    logger = load().utils.logging.get_logger()
    with _ONE:
        level = logger.level
        logger.setLevel("CRITICAL")
        try:
            yield
        finally:
            logger.setLevel(level)


def page(name: RepositoryName) -> str:
    """Address of a repository's page."""
    return f"{constants().ENDPOINT}/{name.repository}"


def is_unreachable(error: Exception) -> bool:
    """Whether nobody answered, or only to say that the hub is out of order."""
    import httpx2

    errors = load().errors
    if isinstance(error, errors.HfHubHTTPError):
        return bool(error.response.status_code >= 500)
    return isinstance(error, httpx2.TransportError | errors.OfflineModeIsEnabled)


def reason(error: BaseException) -> str:
    """What an error says first, in one line."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    text = str(error).strip().partition("\n")[0] or type(error).__name__
    return one_line(text, 120)


@contextmanager
def explained(name: RepositoryName) -> Iterator[None]:
    """Turn what goes wrong inside into one line that says what to do.

    Raises:
        DownloadError: In the place of any error of huggingface_hub and its libraries.
    """
    import httpx2

    errors = load().errors
    try:
        yield
    except errors.GatedRepoError as exc:
        raise DownloadError(
            f"{name}: is gated: accept its conditions at {page(name)}, then set HF_TOKEN to a token"
            " of yours that may read it"
        ) from exc
    except errors.RepositoryNotFoundError as exc:
        near = nearest(name.repository, SHORT.values())
        raise DownloadError(
            f"{name}: neither a file here nor a repository at {page(name)}, unless it is private"
            f" (set HF_TOKEN); did you mean {near}?"
        ) from exc
    except errors.RevisionNotFoundError as exc:
        raise DownloadError(
            f"{name}: has no revision {quoted(name.revision)}: {page(name)}/tree/main lists its"
            " branches and tags"
        ) from exc
    except errors.HfHubHTTPError as exc:
        raise DownloadError(f"{name}: {_answer(exc.response.status_code)}") from exc
    except errors.LocalEntryNotFoundError as exc:
        raise DownloadError(f"{name}: {reason(exc)}: try again") from exc
    except errors.OfflineModeIsEnabled as exc:
        raise DownloadError(
            f"{name}: isn't whole in {_cache()}, and HF_HUB_OFFLINE forbids to fetch it: unset it,"
            " or name a folder"
        ) from exc
    except httpx2.HTTPError as exc:
        raise DownloadError(
            f"{name}: {constants().ENDPOINT} can't be reached ({reason(exc)}): try again, or"
            " name a folder"
        ) from exc
    except OSError as exc:
        raise DownloadError(f"{name}: {_storage(exc)}") from exc


def _answer(status: int) -> str:
    endpoint = constants().ENDPOINT
    if status == 401:
        return f"{endpoint} doesn't accept the token: set HF_TOKEN to a valid one, or unset it"
    if status == 403:
        return f"{endpoint} refuses access (403): set HF_TOKEN to a token that may read it"
    if status == 404:
        return f"{endpoint} lists a file that isn't there (404): try again"
    return f"{endpoint} answers {status}: try again later"


def _storage(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"no space left in {_cache()}: make room, or let HF_HOME name another place"
    if error.errno is None:  # huggingface_hub's own words, for instance of a cut file
        return f"{reason(error)}: try again"
    where = quoted(error.filename) if error.filename else _cache()
    return f"{where}: {(error.strerror or '').lower()}; HF_HOME names another place"


def _cache() -> str:
    return quoted(constants().HF_HUB_CACHE)
