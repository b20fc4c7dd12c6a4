"""Downloads from a server on this machine: wrong bytes, no file, cut-off bodies, no server."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from convscope.data import download
from convscope.data.download import RemoteFile, cache_dir, fetch
from convscope.errors import WorkError

BODY = b"0123456789" * 50_000
MD5 = hashlib.md5(BODY).hexdigest()  # noqa: S324  the publishers' choice
SHA256 = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Answers by path; `asked` lists what was."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        self.server.asked.append(self.path)
        kind = self.path.strip("/").partition("/")[0]
        if kind == "absent" or (kind == "late" and len(self.server.asked) < 3):
            self.send_error(404)
            return
        body = {"wrong": b"<html>moved</html>", "cut": BODY[:100_000]}.get(kind, BODY)
        self.send_response(200)
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        if kind != "endless":
            self.send_header("Content-Length", str(len(BODY if kind == "cut" else body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object):
        return


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSES", (0.0, 0.01, 0.01))
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join(timeout=5)
    server.server_close()


def remote(*urls: str, md5: str | None = MD5, sha256: str | None = None) -> RemoteFile:
    return RemoteFile("data.gz", md5, urls, sha256=sha256)


def test_a_file_is_fetched_once(server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    seen: list[tuple[str, int, int | None]] = []
    wanted = remote(server.url("ok"))
    folder = tmp_path / "new" / "cache"
    path = fetch(wanted, folder, on_progress=lambda *tick: seen.append(tick))
    assert path == folder / "data.gz"
    assert path.read_bytes() == BODY
    assert seen[-1] == ("data.gz", len(BODY), len(BODY))
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert fetch(wanted, folder) == path
    assert server.asked == ["/ok"]
    assert capfd.readouterr() == ("", "")


def test_the_next_mirror_is_asked_when_one_fails(server: Server, tmp_path: Path):
    urls = [server.url(kind) for kind in ("absent", "wrong", "cut", "ok")]
    assert fetch(remote(*urls), tmp_path).read_bytes() == BODY
    assert server.asked == ["/absent", "/wrong", "/cut", "/ok"]


def test_a_server_that_comes_back_is_asked_again(server: Server, tmp_path: Path):
    assert fetch(remote(server.url("late")), tmp_path).read_bytes() == BODY
    assert len(server.asked) == 3


def test_a_length_left_unsaid_and_a_gzip_claimed_do_no_harm(server: Server, tmp_path: Path):
    assert fetch(remote(server.url("endless")), tmp_path / "a").read_bytes() == BODY
    assert fetch(remote(server.url("gzip")), tmp_path / "b").read_bytes() == BODY


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("absent", "status 404"),
        ("wrong", "wrong checksum"),
        ("cut", "more expected|cut|Incomplete|400000"),
    ],
)
def test_a_failure_says_why_and_leaves_nothing(
    server: Server, tmp_path: Path, kind: str, reason: str
):
    with pytest.raises(WorkError, match=reason) as caught:
        fetch(remote(server.url(kind)), tmp_path)
    message = str(caught.value)
    assert message.startswith("Could not download data.gz")
    assert f"Download it by hand from {server.url(kind)} into {tmp_path}" in message
    assert "pass `data_dir`" in message
    assert len(server.asked) == 3
    assert list(tmp_path.iterdir()) == []


def test_no_network_says_so(server: Server, tmp_path: Path):
    url = server.url("ok")
    server.shutdown()
    server.server_close()
    with pytest.raises(WorkError, match="Connection refused"):
        fetch(remote(url), tmp_path)
    with pytest.raises(WorkError, match=r"Could not download data\.gz"):
        fetch(remote("http://no.such.host.invalid/data.gz"), tmp_path)


def test_a_damaged_file_is_fetched_again(server: Server, tmp_path: Path):
    (tmp_path / "data.gz").write_bytes(BODY[:-1])
    assert fetch(remote(server.url("ok")), tmp_path).read_bytes() == BODY
    assert len(server.asked) == 1


def test_a_damaged_file_stays_where_no_better_is_to_be_had(server: Server, tmp_path: Path):
    (tmp_path / "data.gz").write_bytes(b"mine")
    with pytest.raises(WorkError):
        fetch(remote(server.url("wrong")), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["data.gz"]
    assert (tmp_path / "data.gz").read_bytes() == b"mine"


def test_more_than_the_limit_is_not_taken(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(download, "MAX_BYTES", 300_000)
    with pytest.raises(WorkError, match="more than 300,000 bytes were sent"):
        fetch(remote(server.url("ok")), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_at_once(server: Server, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(WorkError, match=r"Could not write data\.gz to .*file: "):
        fetch(remote(server.url("ok")), tmp_path / "file")
    assert server.asked == []


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CONVSCOPE_DATA", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("CONVSCOPE_DATA")
    assert cache_dir().name == "convscope"


@pytest.mark.parametrize("digits", [8, 64])
def test_a_sha256_or_its_beginning_is_a_check(server: Server, tmp_path: Path, digits: int):
    known = {"md5": None, "sha256": SHA256[:digits]}
    assert fetch(remote(server.url("ok"), **known), tmp_path).read_bytes() == BODY
    assert fetch(remote(server.url("ok"), **known), tmp_path).read_bytes() == BODY
    assert server.asked == ["/ok"]
    with pytest.raises(WorkError, match="wrong checksum"):
        fetch(remote(server.url("wrong"), **known), tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []


def test_both_digests_must_be_right(server: Server, tmp_path: Path):
    for wrong in ({"md5": "0" * 32}, {"sha256": "0" * 8}):
        known = {"md5": MD5, "sha256": SHA256, **wrong}
        with pytest.raises(WorkError, match="wrong checksum"):
            fetch(remote(server.url("ok"), **known), tmp_path)


def test_a_file_that_nobody_vouches_for_is_fetched_once_and_later_damage_is_seen(
    server: Server, tmp_path: Path
):
    unknown = remote(server.url("ok"), md5=None)
    path = fetch(unknown, tmp_path)
    assert (tmp_path / "data.gz.sha256").read_text() == f"{SHA256}\n"
    assert fetch(unknown, tmp_path).read_bytes() == BODY
    assert server.asked == ["/ok"]
    path.write_bytes(BODY[:-1])
    assert fetch(unknown, tmp_path).read_bytes() == BODY
    assert server.asked == ["/ok", "/ok"]


def test_a_cut_connection_leaves_the_file_as_it_was(server: Server, tmp_path: Path):
    path = fetch(remote(server.url("ok"), md5=None), tmp_path)
    path.write_bytes(b"damaged")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(WorkError, match="Could not download"):
        fetch(remote(server.url("cut"), md5=None), tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    assert path.read_bytes() == b"damaged"


def test_a_file_put_there_by_hand_is_taken(server: Server, tmp_path: Path):
    (tmp_path / "data.gz").write_bytes(b"mine")
    assert fetch(remote(server.url("ok"), md5=None), tmp_path).read_bytes() == b"mine"
    assert server.asked == []


def test_the_advice_is_the_callers(server: Server, tmp_path: Path):
    with pytest.raises(WorkError, match="or sing a song"):
        fetch(remote(server.url("absent")), tmp_path, otherwise="sing a song")
