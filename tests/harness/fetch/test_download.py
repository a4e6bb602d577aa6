"""Files are fetched whole or not at all, from servers that break, lie, stall, refuse and change their minds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.engine.retry import Backoff
from harness.errors import ConfigError, DatasetError
from harness.fetch import offers
from harness.fetch.download import partial_of
from harness.fetch.offers import Item
from harness.fetch.progress import Transfer, in_bytes
from harness.fetch.sources import HubFiles, Offer, WebFile
from harness.fetch.web import Patience
from tests.harness.fetch.server import Server, serving

DATA = bytes(range(256)) * 4000  # about a megabyte
SHA256 = f"sha256:{hashlib.sha256(DATA).hexdigest()}"

Fetch = Callable[..., Item]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.delenv("HF_TOKEN", raising=False)


class Waits(list[float]):
    """The seconds that were waited, none of them really; ``said`` is what people were told."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def patience(self, **changes: object) -> Patience:
        values = {"timeout_s": 5.0, "backoff": Backoff(retries=3), "sleep": self.append, "say": self.said.append}
        return Patience(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def fetch(tmp_path: Path, waits: Waits) -> Fetch:
    def run(file: WebFile, **changes: object) -> Item:
        (item,) = offers.take_up([file], tmp_path, waits.patience(**changes), Transfer())
        return item

    return run


def left(folder: Path) -> list[str]:
    """Name what lies in the folder and is no record."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.endswith("lock"))


def test_a_file_is_fetched_checked_and_then_skipped(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    file = WebFile(url=server.put("/a/val.json", DATA), size=len(DATA), digest=SHA256)
    first, second = fetch(file), fetch(file)
    assert (first.state, first.checked, first.size) == ("fetched", "sha256", len(DATA))
    assert second.state == "there" and len(server.asked) == 1
    assert (tmp_path / "val.json").read_bytes() == DATA
    assert [name for name in left(tmp_path) if "partial" in name] == []


def test_what_nobody_states_is_not_called_verified(server: Server, fetch: Fetch) -> None:
    item = fetch(WebFile(url=server.put("/val.json", DATA)))
    assert item.checked == "not verified" and item.sha256 == SHA256.removeprefix("sha256:")
    assert fetch(WebFile(url=server.put("/b.json", DATA), size=len(DATA))).checked == "size only"


def test_a_body_that_breaks_off_goes_on_where_it_stopped(server: Server, fetch: Fetch, tmp_path: Path, waits: Waits) -> None:
    file = WebFile(url=server.put("/val.json", DATA, breaks=[300_000, 300_000]), digest=SHA256)
    assert fetch(file).state == "fetched"
    assert (tmp_path / "val.json").read_bytes() == DATA
    ranges = server.ranges("/val.json")
    assert ranges[0] is None and all(one and one.startswith("bytes=") for one in ranges[1:]) and len(ranges) == 3
    assert server.asked[1][1]["if-range"] == '"one"'
    assert len(waits) == 2 and "ended after" in waits.said[0]


def test_a_server_without_ranges_is_asked_for_all_of_it_again(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    assert fetch(WebFile(url=server.put("/val.json", DATA, breaks=[300_000], ranges=False))).state == "fetched"
    assert (tmp_path / "val.json").read_bytes() == DATA


def test_a_version_that_changed_meanwhile_is_begun_anew(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    url = server.put("/val.json", DATA, breaks=[300_000])
    with pytest.raises(DatasetError, match="the same command goes on"):
        fetch(WebFile(url=url), backoff=Backoff(retries=0))
    new = DATA[::-1]
    server.put("/val.json", new, etag='"two"')
    assert fetch(WebFile(url=url)).state == "fetched"
    assert server.ranges("/val.json")[-1] is not None, "it asked to go on"
    assert (tmp_path / "val.json").read_bytes() == new


@pytest.mark.parametrize("versions", [{"etag": 'W/"weak"'}, {"etag": None}])
def test_without_a_version_or_a_checksum_nothing_is_resumed(
    server: Server, fetch: Fetch, versions: dict[str, str | None]
) -> None:
    fetch(WebFile(url=server.put("/val.json", DATA, breaks=[300_000], **versions)))
    assert server.ranges("/val.json") == [None, None]


def test_without_a_version_a_checksum_tells_whether_resuming_was_right(
    server: Server, fetch: Fetch, tmp_path: Path, waits: Waits
) -> None:
    url = server.put("/val.json", DATA[::-1], etag=None, breaks=[300_000])
    with pytest.raises(DatasetError):
        fetch(WebFile(url=url, digest=SHA256), backoff=Backoff(retries=0))
    server.put("/val.json", DATA, etag=None)
    assert fetch(WebFile(url=url, digest=SHA256)).checked == "sha256"
    assert (tmp_path / "val.json").read_bytes() == DATA
    assert any("fetching it anew" in said for said in waits.said)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"size": 5}, "the file has 1024000 bytes, declared are 5"),
        ({"digest": f"sha256:{'0' * 64}"}, r"checksum \(sha256\) is [0-9a-f]{64} instead of 0{64}"),
        ({"digest": f"md5:{'0' * 32}"}, r"checksum \(md5\)"),
        ({"digest": f"git:{'0' * 40}"}, r"checksum \(git\)"),
    ],
)
def test_another_file_than_was_declared_is_not_kept(
    server: Server, fetch: Fetch, tmp_path: Path, declared: dict[str, object], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        fetch(WebFile(url=server.put("/val.json", DATA), **declared))  # type: ignore[arg-type]
    assert left(tmp_path) == []


def test_a_wrong_size_is_seen_where_the_server_tells_none(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="ended after"):
        fetch(WebFile(url=server.put("/val.json", b"short", length=False, etag=None), size=9))
    assert fetch(WebFile(url=server.put("/b.json", DATA, length=False))).size == len(DATA)


def test_a_busy_server_is_asked_when_it_says(server: Server, fetch: Fetch, waits: Waits) -> None:
    later = [(429, {"Retry-After": "17"}), (500, {}), (503, {"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"})]
    assert fetch(WebFile(url=server.put("/val.json", DATA, statuses=later))).state == "fetched"
    assert waits[0] == 17 and waits[1] < 17 and waits[2] == Backoff().patience_s
    assert "the server answers 429; asking again in 17 s" in waits.said[0]


def test_a_server_that_stays_busy_is_given_up(server: Server, fetch: Fetch) -> None:
    url = server.put("/val.json", DATA, statuses=[(503, {})] * 9)
    with pytest.raises(DatasetError, match="answers 503; gave up after 4 attempts"):
        fetch(WebFile(url=url))


def test_a_server_that_falls_silent_is_left_and_asked_again(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    assert fetch(WebFile(url=server.put("/val.json", DATA, stalls=[1000])), timeout_s=0.2).state == "fetched"
    assert (tmp_path / "val.json").read_bytes() == DATA


def test_a_slow_body_is_waited_for(server: Server, fetch: Fetch) -> None:
    url = server.put("/val.json", DATA[:5000], pace=(1000, 0.05))
    assert fetch(WebFile(url=url), timeout_s=0.2).size == 5000
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "message"), [(404, "no such file"), (403, "access is refused"), (410, "gone"), (418, "not give it")]
)
def test_what_a_server_refuses_is_said_at_once(server: Server, fetch: Fetch, waits: Waits, status: int, message: str) -> None:
    url = server.put("/val.json", DATA, statuses=[(status, {})])
    with pytest.raises(DatasetError, match=rf"{message} \({status}\); ask the authors"):
        fetch(WebFile(url=url, advice="ask the authors"))
    assert not waits


def test_a_page_to_log_in_is_no_file(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    url = server.put("/val.json", b"<html>", headers={"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(DatasetError, match=r"gives a page instead of val\.json, perhaps to log in"):
        fetch(WebFile(url=url))
    assert left(tmp_path) == []


def test_the_token_is_the_hubs_alone(
    server: Server, fetch: Fetch, tmp_path: Path, waits: Waits, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = "hf_do_not_tell"
    monkeypatch.setenv("HF_TOKEN", secret)
    with serving() as other:
        url = other.put("/cdn/val.json", DATA, breaks=[300_000])
        back = other.put("/back", b"", statuses=[(302, {"Location": f"{server.url}/hub.json"})])
        server.put("/hub.json", DATA)
        server.put("/val.json", b"", statuses=[(302, {"Location": f"{url}?signature=s3cret"})] * 2)
        server.put("/there-and-back.json", b"", statuses=[(307, {"Location": back})])
        server.put("/inside.json", b"", statuses=[(308, {"Location": "/hub.json"})])
        assert fetch(WebFile(url=f"{server.url}/val.json")).state == "fetched"
        fetch(WebFile(url=f"{server.url}/there-and-back.json"))
        fetch(WebFile(url=f"{server.url}/inside.json"))
        with pytest.raises(DatasetError) as caught:
            fetch(WebFile(url=f"{other.url}/none.json"))
        assert all("authorization" not in headers for _, headers in other.asked)
    sent = [(path, headers.get("authorization")) for path, headers in server.asked]
    assert sent == [
        ("/val.json", f"Bearer {secret}"),
        ("/val.json", f"Bearer {secret}"),
        ("/there-and-back.json", f"Bearer {secret}"),
        ("/hub.json", None),
        ("/inside.json", f"Bearer {secret}"),
        ("/hub.json", f"Bearer {secret}"),
    ]
    kept = "".join(path.read_text(errors="replace") for path in (tmp_path / ".fetched").iterdir())
    told = "".join([*waits.said, str(caught.value), kept, *capfd.readouterr()])
    assert secret not in told and "s3cret" not in told


def test_a_token_that_cannot_be_sent_is_not_shown(server: Server, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_ab\ncd")
    with pytest.raises(ConfigError, match="HF_TOKEN: holds") as caught:
        fetch(WebFile(url=server.put("/val.json", DATA)))
    assert "hf_ab" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://example.org/a.json", "file:///etc/passwd", "ftp://127.0.0.1/a", "data:text/plain,a"])
def test_only_https_is_asked_and_followed(server: Server, fetch: Fetch, url: str) -> None:
    with pytest.raises(DatasetError, match="is not asked, since only https"):
        fetch(WebFile(url=url, path="a"))
    with pytest.raises(DatasetError, match="is not asked, since only https"):
        fetch(WebFile(url=server.put("/a.json", b"", statuses=[(302, {"Location": url})])))


def test_redirects_end(server: Server, fetch: Fetch) -> None:
    url = server.put("/a.json", b"", statuses=[(302, {"Location": "/a.json"})] * 20)
    with pytest.raises(DatasetError, match="over 10 redirects"):
        fetch(WebFile(url=url))


def test_files_of_the_users_own_are_never_replaced(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "val.json").write_bytes(b"mine")
    assert fetch(WebFile(url=server.put("/val.json", DATA))).checked == "not verified", "nobody says what it should be"
    with pytest.raises(DatasetError, match="is another file than the source declares; move it away"):
        fetch(WebFile(url=server.put("/val.json", DATA), digest=SHA256))
    assert (tmp_path / "val.json").read_bytes() == b"mine"
    (tmp_path / "val.json").write_bytes(DATA)
    assert fetch(WebFile(url=server.put("/val.json", DATA), digest=SHA256)).state == "there" and not server.asked


def test_a_fetched_file_that_was_damaged_is_fetched_again(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    file = WebFile(url=server.put("/val.json", DATA))
    fetch(file)
    (tmp_path / "val.json").write_bytes(DATA[:10])
    assert fetch(file).state == "fetched" and (tmp_path / "val.json").read_bytes() == DATA


def test_a_whole_file_that_was_not_yet_named_is_not_fetched_again(server: Server, fetch: Fetch, tmp_path: Path) -> None:
    file = WebFile(url=server.put("/val.json", DATA))
    partial = partial_of(file, tmp_path)
    partial.parent.mkdir()
    partial.write_bytes(DATA)
    partial.with_name(f"{partial.name}.json").write_text(json.dumps({"url": file.url, "version": '"one"'}))
    assert fetch(file).state == "fetched"
    assert server.ranges("/val.json") == [f"bytes={len(DATA)}-"]
    assert (tmp_path / "val.json").read_bytes() == DATA


def test_the_hub_states_files_sizes_and_checksums(server: Server, tmp_path: Path, waits: Waits) -> None:
    files = {f"data/validation-{number}.parquet": DATA + bytes([number]) for number in range(3)}
    server.hub("lab/set", {**files, "data/train-0.parquet": b"no", "data/info.json": b"{}"}, page=2)
    offer = Offer(layout="x", parts=(HubFiles(repo="lab/set", files=("**/validation-*.parquet", "data/info.json"), into="part"),))
    found = offers.files_of(offer, waits.patience())
    assert [item.state for item in offers.plan(found, tmp_path)] == ["missing"] * 4 and not left(tmp_path)
    items = offers.take_up(found, tmp_path, waits.patience(), Transfer())
    assert [(item.path, item.checked) for item in items] == [
        *((f"part/{name}", "sha256") for name in files),
        ("part/data/info.json", "git"),
    ]
    assert (tmp_path / "part/data/validation-2.parquet").read_bytes() == DATA + b"\2"
    assert all("/resolve/" + "c" * 40 + "/" in path for path, _ in server.asked if "resolve" in path), "pinned to one commit"


def test_what_the_hub_does_not_have_is_named_with_what_it_has(server: Server, waits: Waits) -> None:
    server.hub("lab/set", {"data/test.parquet": DATA})
    with pytest.raises(DatasetError, match=r"no file is called val-\*; there are data/test\.parquet"):
        offers.files_of(Offer(layout="x", parts=(HubFiles(repo="lab/set", files=("val-*",)),)), waits.patience())
    with pytest.raises(DatasetError, match=r"\(404\); see whether \S+/datasets/lab/none is there and asks to accept its terms"):
        offers.files_of(Offer(layout="x", parts=(HubFiles(repo="lab/none", files=("*",)),)), waits.patience())


@pytest.mark.parametrize("path", ["../out.parquet", "/etc/out.parquet", "a/../../out", "C:/out"])
def test_a_listing_cannot_name_files_outside(server: Server, tmp_path: Path, waits: Waits, path: str) -> None:
    server.hub("lab/set", {path: DATA})
    with pytest.raises(DatasetError, match=r"leaves the folder|absolute path"):
        offers.files_of(Offer(layout="x", parts=(HubFiles(repo="lab/set", files=("*",)),)), waits.patience())


@pytest.mark.parametrize("answer", [b"[]", b"{}", b"nonsense", b'{"sha": "main"}', b'{"sha": 7}', b"null"])
def test_a_listing_that_is_none_is_an_error(server: Server, waits: Waits, answer: bytes) -> None:
    server.put("/api/datasets/lab/set/revision/main", answer)
    with pytest.raises(DatasetError, match="lab/set"):
        offers.files_of(Offer(layout="x", parts=(HubFiles(repo="lab/set", files=("*",)),)), waits.patience())


def test_a_listing_that_goes_on_elsewhere_is_not_followed(server: Server, waits: Waits) -> None:
    server.put("/api/datasets/lab/set/revision/main", b"{}", headers={"Link": '<https://example.org/next>; rel="next"'})
    with pytest.raises(DatasetError, match="goes on elsewhere"):
        offers.files_of(Offer(layout="x", parts=(HubFiles(repo="lab/set", files=("*",)),)), waits.patience())


def test_progress_is_told_in_bytes() -> None:
    now = iter(range(100))
    progress = Transfer(title="t", phase="a.zip", clock=lambda: float(next(now)))
    progress.at(1_000_000, 4_000_000)
    assert progress.line() == "t: a.zip of 4.0 MB, going on from 1.0 MB"
    progress.moved(1_000_000)
    assert progress.line().startswith("t: a.zip 2.0 MB of 4.0 MB, ") and progress.line().endswith(" left")
    assert [in_bytes(count) for count in (0, 999, 1500, 2_500_000_000, 3 * 10**15)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "2.5 GB",
        "3000.0 TB",
    ]


def test_a_checksum_of_an_unknown_kind_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="of no known kind"):
        WebFile(url="https://example.org/a", digest="crc:1")
