"""``riddle serve`` with real requests: what is answered, what is refused, and that pages follow the runs."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from harness.errors import ConfigError, ResultError
from reports.serve import BoardServer, is_known_host, serve
from reports.site import Site
from tests.reports.conftest import Item, write_run

NAMES = frozenset({"localhost", "127.0.0.1"})


@contextmanager
def served(site: Site) -> Iterator[int]:
    """The port at which a site is served."""
    server = BoardServer(("127.0.0.1", 0), site, NAMES)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs: two finished, one running, one that links to a secret; beside them the secret."""
    root = tmp_path_factory.mktemp("live")
    (root / "secret.json").write_text('{"secret": "do not tell"}')
    write_run(root / "runs", "nano", items=[Item(id="a"), Item(id="<b>", score=0.0)], value=0.7251)
    write_run(root / "runs", "later", complete=False)
    linked = write_run(root / "runs", "linked")
    (linked / "result.json").unlink()
    (linked / "result.json").symlink_to(root / "secret.json")
    (root / "runs" / "way-out").symlink_to(root)
    return root


@pytest.fixture(scope="module")
def port(root: Path) -> Iterator[int]:
    site = Site(root / "runs", root / "made", title="Live board")
    with served(site) as port:
        yield port


def test_pages_files_and_progress_are_served_with_headers_that_lock_them(port: int) -> None:
    response, body = ask(port, "/")
    page = body.decode()
    assert response.status == 200 and "72.5" in page and "8 of 8 answered" in page
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sha256-" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]
    assert (response.headers["X-Content-Type-Options"], response.headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
    assert "Python" not in response.headers["Server"]
    state = json.loads(ask(port, "/live.json")[1])
    assert [(run["model"], run["done"], run["of"]) for run in state["running"]] == [("later", 8, 8)]
    for name in ("provenance.html", "leaderboard.csv", "leaderboard.parquet", "leaderboard.tex", "leaderboard.json"):
        assert f'href="{name}"' in page
        assert ask(port, f"/{name}")[0].status == 200
    (link,) = {part.split('"')[0].split("#")[0] for part in page.split('href="samples/')[1:]}
    response, body = ask(port, f"/samples/{link}")
    assert response.status == 200 and b"&lt;b&gt;" in body
    assert ask(port, f"/samples/{link}".replace("~", "%7E"), "HEAD")[1] == b""


@pytest.mark.parametrize(
    "path",
    ["/../secret.json", "/%2e%2e/secret.json", "/samples/../../secret.json", "/samples/..%2f..%2fsecret.json",
     "/..%5csecret.json", "/way-out/secret.json", "/runs/nano", "//etc/passwd", "/etc/passwd", "/%00", "/samples/", "/.",
     "/leaderboard.csv/", "/index.html%00.csv", "/\u00e9".encode().decode("latin-1"), "/%ff%fe", "/samples/<script>"],
)  # fmt: skip
def test_no_other_path_is_found_and_none_is_echoed(port: int, path: str) -> None:
    answer = raw(port, f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode("latin-1"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 404 " in head.splitlines()[0] and b"nosniff" in head
    assert body == b"404 Not Found\n"


def test_a_link_out_of_the_runs_is_named_and_not_read(port: int) -> None:
    page = ask(port, "/")[1].decode()
    assert "result.json is a link out of the folder of runs" in page
    assert "do not tell" not in page


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_only_get_and_head_are_answered(port: int, method: str) -> None:
    response, _ = ask(port, "/", method)
    assert response.status == 405 and response.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET / HTTP/1.0\r\n\r\n", 421),
        (b"GET / HTTP/1.0\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET http://localhost/ HTTP/1.0\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /" + b"a" * 3000 + b" HTTP/1.0\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.0\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", 413),
        (b"GET / HTTP/1.0\r\nHost: localhost\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(300)) + b"\r\n", 431),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
    ],
)
def test_what_is_no_plain_request_of_a_known_host_is_refused(port: int, request_bytes: bytes, status: int) -> None:
    assert f" {status} " in f" {raw(port, request_bytes).splitlines()[0].decode()}"  # an answer to no HTTP has no HTTP/1.0
    assert ask(port, "/live.json")[0].status == 200


def test_a_request_line_without_end_is_cut_off(port: int) -> None:
    try:
        answer = raw(port, b"GET /" + b"a" * 70_000 + b" HTTP/1.0\r\n\r\n")
    except ConnectionResetError:
        answer = b""
    assert b"200 OK" not in answer[:40]
    assert ask(port, "/live.json")[0].status == 200


def test_addresses_and_told_names_are_known_hosts() -> None:
    known = ("localhost", "127.0.0.1:80", "[::1]:8080", "10.0.0.7", "LOCALHOST:1")
    assert all(is_known_host(host, NAMES) for host in known)
    unknown = ("localhost.evil.example", "", None, "localhost:port", "a b", "127.0.0.1.evil.example", "[::1", "localhost,evil")
    assert not any(is_known_host(host, NAMES) for host in unknown)


def test_the_board_follows_the_runs_and_writes_nothing_to_them(runs: Path, tmp_path: Path) -> None:
    site = Site(runs, tmp_path / "made", title="Live")
    assert b"No finished run yet" in (site.read("index.html") or b"")
    folder = write_run(runs, "nano", value=0.7251, complete=False)
    site.refresh()
    before = sorted(path for path in runs.rglob("*"))
    assert [run.done for run in site.live().running] == [8]
    version = site.live().version
    write_run(runs, "moe", value=0.8)
    site.refresh()
    page = (site.read("index.html") or b"").decode()
    assert site.live().version != version and "80.0" in page and "72.5" not in page
    assert before == sorted(path for path in runs.rglob("*") if "moe" not in path.parts)
    assert sorted(path.name for path in folder.iterdir()) == ["responses.sqlite", "run.json"]


def test_the_command_needs_a_folder_and_a_free_port(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="no such folder"):
        serve(tmp_path / "none", print)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="cannot be had"):
        serve(tmp_path, print, port=taken.getsockname()[1])


@pytest.mark.slow
def test_the_command_says_where_it_is_and_ends_on_ctrl_c(runs: Path) -> None:
    import signal
    import subprocess

    write_run(runs, "nano")
    words = [sys.executable, "-m", "harness.cli", "serve", f"runs={runs}", "port=0", "output=json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        port = int(line.split("http://127.0.0.1:")[1].split("/")[0])
        assert ask(port, "/")[0].status == 200
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert json.loads(out)["results"][0]["answered"] == 1
