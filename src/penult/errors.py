"""Everything that Penult raises on purpose, one tree by what the caller can do about it.

    PenultError
    ├── UsageError             a wrong name, option or combination: change the call
    │   ├── MissingKeyError    an image that a table hasn't: look at its keys
    │   └── MissingExtraError  an optional package is not installed: install it
    ├── SourceError            a source of images that isn't there: check the path
    ├── ImageError             one image that gives no pixels: look at that file
    ├── CheckpointError        a weights file that can't be read: fetch it again
    │   └── UnsafeError        a weights file that asks to run code: don't trust it
    ├── DownloadError          published weights that don't arrive: read what to do by hand
    ├── MachineError           a machine of a cluster that can't take part: give it what it lacks
    ├── NetworkError           weights and network that don't fit together: choose another pair
    └── StoreError             a table of features that can't be opened, written or continued

Messages are one line, say where and what, and end with what to try.
"""


class PenultError(Exception):
    """Base of all errors below; `except penult.PenultError` catches what Penult reports."""


class UsageError(PenultError, ValueError):
    """A wrong name, option or combination of them."""


class MissingKeyError(UsageError, KeyError):
    """A table has no image of this name."""

    __str__ = PenultError.__str__  # KeyError's would put it in quotes


class MissingExtraError(UsageError):
    """An optional package is needed and isn't installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional package: pip install 'penult[{extra}]'")


class SourceError(PenultError):
    """A source of images doesn't exist or can't be listed."""


class ImageError(PenultError):
    """One image that can't be turned into pixels; `code` is the kind, for counting.

    Args:
        code: One of `penult.images.CODES`.
        detail: What was found, for a person.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


class CheckpointError(PenultError):
    """A weights file, or a pickle of features, is damaged, cut, forged or of an unknown format."""


class UnsafeError(CheckpointError):
    """A file asks for more than data: a global outside the allowed set, or code."""


class DownloadError(PenultError):
    """Published weights can't be fetched, or what came is not what was published."""


class MachineError(PenultError):
    """A machine of a cluster lacks what a run needs, or too many were lost."""


class NetworkError(PenultError):
    """Weights and network don't fit together, or a layer doesn't exist."""


class StoreError(PenultError):
    """A table of features can't be opened, written or continued."""
