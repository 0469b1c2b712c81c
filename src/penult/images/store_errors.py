"""What libraries of object stores raise, as a reason that tells no secret.

Their own words hold addresses with signatures, and what servers sent, which may repeat the token of
the request: only a status, a code of letters, and the kind of trouble are taken from them.
"""

import errno
import re
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from penult.errors import ImageError, PenultError, SourceError
from penult.images.addresses import Address
from penult.util.text import quoted

GUIDE = "docs/guides/buckets.md"

_STATUS = re.compile(r"status code: ([345][0-9]{2})")
_CODE = re.compile(r"<Code>([A-Za-z]{1,60})</Code>")
_KIND = re.compile(r"kind: (Timeout|Connect|Request|Decode|Body)\b")
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "InvalidBucketName"}
_REFUSED = {  # not this object, but whoever asks
    *("ExpiredToken", "TokenRefreshRequired", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
    *("InvalidToken", "RequestTimeTooSkewed", "AuthenticationFailed", "InvalidAuthenticationInfo"),
    *("AuthorizationHeaderMalformed", "ExpiredTokenException", "AccountProblem"),
}
_UNKNOWN = re.compile(  # on a line of its own, where no object's name can be
    r"^ *source: (TokenRequest|MissingCredentials|PyErr|OpenCredentials|DecodeCredentials) \{"
    r"|^ *source: MissingAccount,|^ +http://(169\.254\.|metadata\.google)",
    re.MULTILINE,
)
_REDIRECT = re.compile(r"^ *inner: BareRedirect,", re.MULTILINE)
_BUSY = (408, 429)


class PassingError(OSError):
    """What may go by itself: no answer in time, or a server that is busy."""


class Trouble(NamedTuple):
    """What an error of obstore's says."""

    name: str  # of its class
    status: int
    code: str
    kind: str
    text: str

    @classmethod
    def of(cls, error: BaseException) -> "Trouble":
        """Take an error apart."""
        text = str(error)
        status, code, kind = _STATUS.search(text), _CODE.search(text), _KIND.search(text)
        return cls(
            type(error).__name__,
            int(status[1]) if status else 0,
            code[1] if code else "",
            kind[1] if kind else "",
            text,
        )

    @property
    def is_answer(self) -> bool:
        """Whether it's about a request, rather than about what was to be done before."""
        return bool(self.status or self.kind)

    @property
    def answer(self) -> str:
        """The server's, for a message."""
        return f"{self.status or ''} {self.code}".strip() or self.name


_Test: TypeAlias = Callable[[Trouble], bool]

_OF_STORES: tuple[tuple[_Test, str], ...] = (  # what no other object would be spared
    (lambda t: t.code in _NO_BUCKET, "{store} isn't there ({answer}): check its name"),
    (
        lambda t: t.code in _REFUSED or t.status == 401,
        "{store} refuses the credentials ({answer}): renew them, see {guide}",
    ),
    (
        lambda t: t.name == "UnauthenticatedError" or _UNKNOWN.search(t.text) is not None,
        "no credentials for {store} were found, or they have expired: see {guide}",
    ),
    (
        lambda t: t.status == 301 or _REDIRECT.search(t.text) is not None,
        "{store} is in another region: set AWS_REGION to it",
    ),
    (
        lambda t: t.kind == "Connect",
        "can't connect to {store}: check the network and the endpoint",
    ),
    (
        lambda t: t.name == "PanicException" or (t.name == "GenericError" and not t.is_answer),
        "{store} can't be read ({answer}): check its settings, see {guide}",
    ),
)
_OF_OBJECTS: tuple[tuple[_Test, type[OSError], int, str], ...] = (
    (
        lambda t: t.name in {"NotFoundError", "FileNotFoundError"} or t.status == 404,
        *(FileNotFoundError, errno.ENOENT, "there is no such object"),
    ),
    (
        lambda t: t.status == 403,
        *(PermissionError, errno.EACCES, "access denied ({answer})"),
    ),
    (
        lambda t: t.name in {"InvalidPathError", "ValueError"},
        *(OSError, errno.EINVAL, "obstore can't read objects of this name"),
    ),
    (
        lambda t: t.status >= 500 or t.status in _BUSY,
        *(PassingError, errno.EAGAIN, "the server is busy ({answer}), several times"),
    ),
    (
        lambda t: t.kind != "" and not t.status,
        *(PassingError, errno.ETIMEDOUT, "no answer in time, or a cut one, several times"),
    ),
)


def translated(error: BaseException, address: Address) -> PenultError | OSError:
    """The error to raise for one of obstore's: about one object, or about the whole store.

    Returns:
        FileNotFoundError, PermissionError, PassingError or ImageError for an object; a SourceError
        for what no other object of the store would be spared.
    """
    trouble = Trouble.of(error)
    words = {"store": quoted(address.store), "answer": trouble.answer, "guide": GUIDE}
    for test, message in _OF_STORES:
        if test(trouble):
            return SourceError(message.format(**words))
    if trouble.status == 416:
        return ImageError("changed", "it has fewer bytes than were listed")
    for test, kind, number, message in _OF_OBJECTS:
        if test(trouble):
            return kind(number, message.format(**words))
    return OSError(errno.EIO, f"the server answered {trouble.answer}")
