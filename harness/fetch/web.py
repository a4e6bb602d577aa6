"""Requests over HTTPS: redirects, the hub's token, and which failures may pass by themselves.

The token (``HF_TOKEN``) is read from the environment when a request is made and goes to the hub's own origin (``HF_ENDPOINT``)
alone: a request that has been redirected elsewhere goes on without it, and it appears in no message. Addresses in messages lose
their query, which may be a signature. Plain HTTP is for loopback only.
"""

from __future__ import annotations

import http.client
import ipaddress
import os
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit

from harness.engine.retry import Backoff
from harness.errors import ConfigError, DatasetError

TOKEN, ENDPOINT = "HF_TOKEN", "HF_ENDPOINT"
HUB = "https://huggingface.co"
REDIRECTS = 10
PIECE = 1 << 20
"""At most so many bytes are read at a time."""

_MOVED = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be another a little later."""


class Busy(Exception):
    """A failure that may pass by itself; ``retry_after_s`` is what the server asks for."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answers, its body still to be read."""

    status: int
    url: str
    headers: Message
    body: HTTPResponse

    def pieces(self) -> Iterator[bytes]:
        """Yield the body as it arrives; raises `Busy` where the connection breaks, fails or falls silent."""
        while True:
            try:
                piece = self.body.read1(PIECE)
            except (OSError, http.client.HTTPException) as error:
                raise Busy(f"{shown(self.url)}: the connection broke ({_cause(error)})") from error
            if not piece:
                return
            yield piece


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        timeout_s: so many seconds of silence count as a broken connection.
        backoff: when to ask again.
        sleep: waits.
        say: tells people why something takes longer.
    """

    timeout_s: float = 60.0
    backoff: Backoff = Backoff()
    sleep: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = lambda message: None

    def wait(self, key: str, attempt: int, busy: Busy) -> None:
        """Wait before attempt number ``attempt`` (1 is the first repetition); raises `DatasetError` where it is one too many."""
        if attempt > self.backoff.retries:
            cure = "the same command goes on where this one stopped"
            raise DatasetError(f"{busy}; gave up after {attempt} attempts, {cure}") from busy
        delay = self.backoff.delay_s(key, attempt, busy.retry_after_s)
        self.say(f"{busy}; asking again in {delay:.0f} s")
        self.sleep(delay)


def hub() -> str:
    """Return the address of the hub. Raises `ConfigError` if ``HF_ENDPOINT`` is none that may be asked."""
    address = (os.environ.get(ENDPOINT) or HUB).rstrip("/")
    try:
        _checked(address)
    except DatasetError as error:
        raise ConfigError(f"{ENDPOINT}: {error}") from error
    return address


def shown(url: str) -> str:
    """Return an address for messages: without user, password, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


@contextmanager
def get(url: str, patience: Patience, headers: Mapping[str, str] | None = None, advice: str = "") -> Iterator[Reply]:
    """Ask for an address and follow redirects; the reply's status is 200, 206 or 416.

    Args:
        url: where.
        patience: how long to wait.
        headers: further headers, sent to every address on the way.
        advice: what to do if the server refuses.

    Raises:
        Busy: asking again may help.
        DatasetError: the server refuses or does not have it, or sends us where we do not go.
    """
    at_hub = True
    for _ in range(REDIRECTS + 1):
        at_hub = at_hub and _origin(url) == _origin(hub())
        sent = {"User-Agent": "riddle", "Accept-Encoding": "identity", **(headers or {}), **(_authorisation() if at_hub else {})}
        response = _answer(_checked(url), sent, patience.timeout_s)
        try:
            target = response.headers.get("Location")
            if response.status not in _MOVED or not target:
                _raise_refusal(response, url, advice)
                yield Reply(response.status, url, response.headers, response)
                return
        finally:
            response.close()
        url = _followed(url, target)
    raise DatasetError(f"{shown(url)}: over {REDIRECTS} redirects")


def _followed(url: str, target: str) -> str:
    """Return where a redirect leads; one from outside must not lead to this machine."""
    new = urljoin(url, target)
    if _is_loopback(new) and not _is_loopback(url):
        raise DatasetError(f"{shown(url)}: redirects to this machine ({shown(new)}), which is not followed")
    return new


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect, so that each is looked at."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _answer(url: str, headers: Mapping[str, str], timeout_s: float) -> Any:
    """Return the response, whatever its status."""
    request = urllib.request.Request(url)
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    try:
        return urllib.request.build_opener(_Stay).open(request, timeout=timeout_s)
    except HTTPError as error:
        return error
    except (http.client.InvalidURL, UnicodeError, ValueError) as error:
        raise DatasetError(f"{shown(url)}: no address that can be asked") from error
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise DatasetError(f"{shown(url)}: its certificate does not hold ({cause.verify_message})") from error
        raise Busy(f"{shown(url)}: cannot be reached ({_cause(cause)})") from error


def _cause(error: object) -> str:
    return str(error) or type(error).__name__


def _raise_refusal(response: Any, url: str, advice: str) -> None:
    """Raise what a status means, unless it brings what was asked for."""
    status = response.status
    if status in (200, 206, 416):
        return
    if status in _PASSING:
        raise Busy(f"{shown(url)}: the server answers {status}", _retry_after_s(response.headers.get("Retry-After")))
    told = {401: "access is refused", 403: "access is refused", 404: "there is no such file", 410: "the file is gone"}
    cure = advice or "the source may have moved; get the files by hand, and see riddle ls task NAME for where they belong"
    raise DatasetError(f"{shown(url)}: {told.get(status, 'the server does not give it')} ({status}); {cure}")


def _retry_after_s(value: str | None) -> float | None:
    """Read ``Retry-After``: seconds, or a date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def _authorisation() -> dict[str, str]:
    """Return the header with the token, if there is one. Raises `ConfigError`, which does not show it, if it cannot be sent."""
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        return {}
    if not all(33 <= ord(character) < 127 for character in token):
        raise ConfigError(f"{TOKEN}: holds blanks or characters that no token has; set it anew")
    return {"Authorization": f"Bearer {token}"}


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return parts.scheme, parts.hostname, None


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked(url: str) -> str:
    """Return an address that may be asked: HTTPS, or HTTP on this machine."""
    scheme = urlsplit(url).scheme
    if scheme != "https" and not (scheme == "http" and _is_loopback(url)):
        raise DatasetError(f"{shown(url)}: is not asked, since only https:// keeps what is fetched from being changed on the way")
    return url
