"""Who may ask: the browser that was given the address, and no page of another site in it.

A server on this machine can be reached by all its users, and by every web page that is open. So the
printed address has a token, which the browser exchanges for a cookie. Each request has to name this
server as its host (the name of another site may be made to point here), come from this server's own
page where the browser says so, and bring the cookie.
"""

import secrets
from collections.abc import Iterable
from email.message import Message

_OWN_SITES = (None, "none", "same-origin")  # Sec-Fetch-Site: missing, typed by the user, this page


class Access:
    """The rules of one running server.

    Attributes:
        token: What the first address has to bring.
        cookie: What an answer to it sets: for this site only, and hidden from scripts.
    """

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self._name = f"penult-{port}"  # servers on other ports of this host share the cookies
        self._secret = secrets.token_urlsafe(32)
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.cookie = f"{self._name}={self._secret}; HttpOnly; SameSite=Strict; Path=/"

    def is_invitation(self, target: str) -> bool:
        """Whether an address is the page's with the token."""
        start, _, token = target.partition("=")
        return start == "/?token" and _equal(token, self.token)

    def refusal(self, method: str, target: str, headers: Message) -> str | None:
        """Why a request isn't answered; None if it is."""
        hosts = headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return "this server answers on 127.0.0.1 and localhost only"
        origins = headers.get_all("Origin", [])
        if any(origin != f"http://{hosts[0]}" for origin in origins):
            return "requests of other pages aren't answered"
        if method == "GET" and self.is_invitation(target):
            return None
        sites = headers.get_all("Sec-Fetch-Site", [None])
        if any(site not in _OWN_SITES for site in sites) or (method == "POST" and not origins):
            return "requests of other pages aren't answered"
        if not self._has_cookie(headers.get_all("Cookie", [])):
            return "open the address that penult printed, with its token"
        return None

    def _has_cookie(self, cookies: Iterable[str]) -> bool:
        pairs = (pair.strip().partition("=") for line in cookies for pair in line.split(";"))
        return any(name == self._name and _equal(value, self._secret) for name, _, value in pairs)


def _equal(given: str, expected: str) -> bool:
    """Compare in a time that doesn't tell how much is right."""
    return secrets.compare_digest(given.encode("utf-8", "replace"), expected.encode())
