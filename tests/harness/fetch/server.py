"""A server on this machine that gives files as servers do, and misbehaves on demand."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Served:
    """A file and how it is served; the lists are used up, one entry a request."""

    data: bytes
    etag: str | None = '"one"'
    date: str | None = None
    ranges: bool = True
    statuses: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    """Bytes after which the connection is cut."""
    stalls: list[int] = field(default_factory=list)
    """Bytes after which nothing more comes."""
    headers: dict[str, str] = field(default_factory=dict)
    pace: tuple[int, float] | None = None
    """Bytes a piece, and seconds before each."""
    length: bool = True


class Server:
    """Files by path, and what was asked: ``(path, headers)`` in order."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.free = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = unquote(self.path)
                outer.asked.append((path, {name.lower(): value for name, value in self.headers.items()}))
                with contextlib.suppress(ConnectionError):
                    outer.answer(self, path)

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.free.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def put(self, path: str, data: bytes, **how: object) -> str:
        """Serve a file; returns its address."""
        self.files[path] = Served(data, **how)  # type: ignore[arg-type]
        return self.url + path

    def ranges(self, path: str) -> list[str | None]:
        """Return the ``Range`` of each request for a file."""
        return [headers.get("range") for asked, headers in self.asked if asked == path]

    def answer(self, to: BaseHTTPRequestHandler, path: str) -> None:
        file = self.files.get(path) or self.files.get(path.partition("?")[0])
        if file is None:
            return self._head(to, 404, {"Content-Length": "0"})
        if file.statuses:
            status, headers = file.statuses.pop(0)
            return self._head(to, status, {"Content-Length": "0", **headers})
        start, total = self._start(to, file), len(file.data)
        if start is not None and start >= total:
            return self._head(to, 416, {"Content-Length": "0", "Content-Range": f"bytes */{total}"})
        body = file.data[start or 0 :]
        headers = {"Content-Length": str(len(body))} if file.length else {"Connection": "close"}
        headers |= {"ETag": file.etag} if file.etag else {}
        headers |= {"Last-Modified": file.date} if file.date else {}
        headers |= {"Content-Range": f"bytes {start}-{total - 1}/{total}"} if start is not None else {}
        self._head(to, 200 if start is None else 206, headers | file.headers)
        self._send(to, file, body)

    def _start(self, to: BaseHTTPRequestHandler, file: Served) -> int | None:
        """Return where a request wants to go on, if it may."""
        asked = re.fullmatch(r"bytes=(\d+)-", to.headers.get("Range", ""))
        same = to.headers.get("If-Range") in (None, file.etag, file.date)
        return int(asked[1]) if asked and file.ranges and same else None

    def _head(self, to: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
        to.send_response(status)
        for name, value in headers.items():
            to.send_header(name, value)
        to.end_headers()

    def _send(self, to: BaseHTTPRequestHandler, file: Served, body: bytes) -> None:
        if file.stalls:
            to.wfile.write(body[: file.stalls.pop(0)])
            self.free.wait(10)
            to.close_connection = True
        elif file.breaks:
            to.wfile.write(body[: file.breaks.pop(0)])
            self._cut(to)
        elif file.pace:
            count, seconds = file.pace
            for at in range(0, len(body), count):
                time.sleep(seconds)
                to.wfile.write(body[at : at + count])
        else:
            to.wfile.write(body)
        to.close_connection = to.close_connection or not file.length

    def _cut(self, to: BaseHTTPRequestHandler) -> None:
        to.wfile.flush()
        to.close_connection = True
        with contextlib.suppress(OSError):
            to.connection.shutdown(socket.SHUT_RDWR)

    def hub(self, repo: str, files: dict[str, bytes], *, commit: str = "c" * 40, page: int = 100) -> None:
        """Serve a data set as the hub does: revision, listing in pages, files; those above 100 bytes as large ones."""
        api = f"/api/datasets/{repo}"
        self.put(f"{api}/revision/main", json.dumps({"sha": commit, "gated": False}).encode())
        listing = [self._entry(path, data) for path, data in files.items()]
        listing.append({"type": "directory", "path": "data", "oid": "0" * 40, "size": 0})
        tree = f"{api}/tree/{commit}?recursive=true"
        pages = [listing[at : at + page] for at in range(0, len(listing), page)]
        for number, entries in enumerate(pages):
            here = tree if number == 0 else f"{tree}&cursor={number}"
            more = {"Link": f'<{self.url}{tree}&cursor={number + 1}>; rel="next"'} if number + 1 < len(pages) else {}
            self.put(here, json.dumps(entries).encode(), headers=more)
        for path, data in files.items():
            self.put(f"/datasets/{repo}/resolve/{commit}/{path}", data)

    def _entry(self, path: str, data: bytes) -> dict[str, object]:
        git = hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()
        entry: dict[str, object] = {"type": "file", "path": path, "size": len(data), "oid": git}
        if len(data) > 100:
            sha256 = hashlib.sha256(data).hexdigest()
            entry |= {"oid": "1" * 40, "lfs": {"oid": sha256, "size": len(data), "pointerSize": 133}}
        return entry


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Run a server for the duration of a test."""
    with Server() as server:
        yield server


def path_of(url: str) -> str:
    return urlsplit(url).path
