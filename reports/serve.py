"""``riddle serve``: the pages of a live folder of runs over HTTP, read-only, for a browser on this machine.

The standard library's server with a thread a request: there is little to serve, so nothing has to be installed for it. It
answers GET and HEAD only, looks names up in a table (`reports.site`) and opens no file by what is asked. Pages may load nothing
and run no script but their own; a ``Host`` that is a name this server was not told is refused, since a web page elsewhere may
have pointed a name of its own here (DNS rebinding). There is no log-in: whoever reaches the port reads the results.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from html import unescape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore, Event, Thread
from typing import Any
from urllib.parse import unquote

from harness.errors import ConfigError, HarnessError
from reports.site import Site

AT_ONCE = 32
"""Requests answered at the same time; more are turned away."""

LONGEST_TARGET = 2048
WAIT_S = 10.0
"""How long a connection may keep a thread waiting for its next bytes."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".tex": "text/plain; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
}
_NOTHING = "default-src 'none'"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def serve(
    runs: Path,
    told: Callable[[str], None],
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    names: Sequence[str] = (),
    title: str = "Leaderboard",
    baseline: str | None = None,
    every_s: float = 5.0,
) -> int:
    """Serve until interrupted and return how many requests were answered.

    Args:
        runs: folder of runs; nothing is written to it.
        told: gets the address once the port is open.
        host: address to listen on.
        port: 0 takes a free one.
        names: host names by which browsers may ask, beside ``localhost``, ``host`` and addresses in numbers.
        title: heading of the page.
        baseline: a row that the others are compared with.
        every_s: seconds between two looks for runs that have finished.

    Raises:
        ConfigError: the port cannot be had.
        ResultError: ``runs`` is no folder, or no row is called ``baseline``.
    """
    with tempfile.TemporaryDirectory(prefix="riddle-serve-") as folder:
        site = Site(runs, Path(folder), title=title, baseline=baseline)
        with _listening(site, host, port, {"localhost", host.lower(), *(name.lower() for name in names)}) as server:
            ended = Event()
            Thread(target=_follow, args=(site, ended, every_s), daemon=True).start()
            shown = f"[{host}]" if ":" in host else host
            told(f"http://{shown}:{server.server_address[1]}/")
            with suppress(KeyboardInterrupt):  # Ctrl-C and SIGTERM are how a server's work ends
                server.serve_forever(poll_interval=0.2)
            ended.set()
            return server.answered


def _follow(site: Site, ended: Event, every_s: float) -> None:
    """Look for finished runs; a folder that is half written or gone for a moment is looked at again."""
    while not ended.wait(every_s):
        with suppress(HarnessError, OSError):
            site.refresh()


class BoardServer(ThreadingHTTPServer):
    """Answers requests for a site, so many at once, to hosts of these names and to addresses in numbers."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], site: Site, names: frozenset[str]) -> None:
        """Listen. Raises `OSError` if the address cannot be had."""
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.names, self.answered = names, 0
        self._free = BoundedSemaphore(AT_ONCE)
        super().__init__(address, partial(_Handler, site))

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or hang up if too many are at work."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that broke off is no news."""


def _listening(site: Site, host: str, port: int, names: set[str]) -> BoardServer:
    try:
        return BoardServer((host, port), site, frozenset(names))
    except OSError as error:
        raise ConfigError(f"serve: {host}:{port} cannot be had ({error.strerror or error}); say port=0 for a free one") from error


def is_known_host(host: str | None, names: frozenset[str]) -> bool:
    """Whether a ``Host`` header names this server: one of ``names``, or an address in numbers, which nobody can point here.

    >>> is_known_host("localhost:8080", frozenset({"localhost"})), is_known_host("evil.example", frozenset({"localhost"}))
    (True, False)
    """
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?", host or "")
    if match is None:
        return False
    name = match[1].lower().strip("[]")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in names
    return True


class _Handler(BaseHTTPRequestHandler):
    """One request: checked, looked up, answered. A connection carries one (HTTP/1.0)."""

    server: BoardServer
    server_version, sys_version = "riddle", ""
    timeout = WAIT_S

    def __init__(self, site: Site, *args: Any) -> None:
        self._site = site
        super().__init__(*args)

    def do_GET(self) -> None:
        """Answer with a page or file, or with why there is none."""
        refused = self._refusal()
        if refused is not None:
            self.send_error(refused)
            return
        name = unquote(self.path.partition("?")[0]).removeprefix("/") or "index.html"
        try:
            body = self._site.read(name)
        except (HarnessError, OSError) as error:
            self._answer(HTTPStatus.NOT_FOUND, f"these samples cannot be shown ({type(error).__name__})\n".encode(), ".md")
            return
        if body is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self.server.answered += 1
        self._answer(HTTPStatus.OK, body, Path(name).suffix)

    do_HEAD = do_GET

    def _refusal(self) -> HTTPStatus | None:
        """Why a request is not looked at: who it is meant for, its length, a body, which no request here has."""
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or not is_known_host(hosts[0], self.server.names):
            return HTTPStatus.MISDIRECTED_REQUEST
        if len(self.path) > LONGEST_TARGET:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        if not self.path.startswith("/"):
            return HTTPStatus.BAD_REQUEST
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return None

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with the name of the error and nothing that was asked."""
        if code == HTTPStatus.NOT_IMPLEMENTED and re.fullmatch(r"[A-Z]+", self.command or ""):
            code = HTTPStatus.METHOD_NOT_ALLOWED
        self._answer(HTTPStatus(code), f"{code} {HTTPStatus(code).phrase}\n".encode(), ".md")

    def _answer(self, status: HTTPStatus, body: bytes, suffix: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", _TYPES.get(suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(body)))
        policy = _policy_of(body) if suffix == ".html" else _NOTHING
        self.send_header("Content-Security-Policy", f"{policy}; frame-ancestors 'none'")
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what is asked may hold terminal codes, and standard error is for people."""


def _policy_of(page: bytes) -> str:
    """The policy that a page states of itself, which then also holds where a browser would not read it in the page."""
    match = re.search(rb'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page[:4000])
    return unescape(match[1].decode("ascii")) if match else _NOTHING
