"""Fetching from a server on this machine: whole, cut, resumed, wrong, hostile, absent."""

import hashlib
import importlib.util
import io
import re
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from asr import progress
from asr.errors import AsrError
from asr.prepare import download
from asr.prepare.download import fetch, fetch_librispeech
from asr.prepare.librispeech import prepare_librispeech

DATA = np.random.default_rng(0).bytes(3_000_000)
DIGEST = hashlib.sha256(DATA).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `data` under every address; keeps the Range headers it was asked with."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.data = DATA
        self.ranges: list[str | None] = []
        self.honours_range = True
        self.says_length = True
        self.length: str | None = None  # a wrong one
        self.redirects = False
        self.cuts: list[int] = []  # bytes after which the next answers break off
        self.status: int | None = None
        self.url = f"http://127.0.0.1:{self.server_port}/x.tar.gz"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) \
            if wanted and self.server.honours_range else 0
        body = self.server.data[start:]
        if self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.path)
            self.end_headers()
            return
        if self.server.status or (start and not body):
            self.send_error(self.server.status or 416)
            return
        self.send_response(206 if start else 200)
        if self.server.says_length:
            self.send_header("Content-Length", self.server.length or str(len(body)))
        self.end_headers()
        self.wfile.write(body[:self.server.cuts.pop(0)] if self.server.cuts else body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_whole(server, tmp_path):
    path = tmp_path / "new" / "x"
    fetch(server.url, path, DIGEST)
    assert path.read_bytes() == DATA
    assert names(path.parent) == ["x"]
    assert server.ranges == [None]


def test_without_a_length(server, tmp_path):
    server.says_length = False
    fetch(server.url, tmp_path / "x", DIGEST)
    assert (tmp_path / "x").read_bytes() == DATA


def test_earlier_transfer_is_continued(server, tmp_path):
    (tmp_path / "x.partial").write_bytes(DATA[:1_234_567])
    fetch(server.url, tmp_path / "x", DIGEST)
    assert (tmp_path / "x").read_bytes() == DATA
    assert server.ranges == ["bytes=1234567-"]
    assert names(tmp_path) == ["x"]


def test_cut_transfers_are_continued_while_bytes_come(server, tmp_path):
    server.cuts = [1_000_000, 700_000, 5]
    fetch(server.url, tmp_path / "x", DIGEST)
    assert (tmp_path / "x").read_bytes() == DATA
    assert server.ranges == [None, "bytes=1000000-", "bytes=1700000-", "bytes=1700005-"]


def test_cut_without_progress_keeps_what_is_there(server, tmp_path):
    server.cuts = [1_000_000, 0]
    with pytest.raises(AsrError, match=r"cut off at 1,000,000 of 3,000,000 bytes.*by hand"):
        fetch(server.url, tmp_path / "x", DIGEST)
    assert names(tmp_path) == ["x.partial"]
    fetch(server.url, tmp_path / "x", DIGEST)
    assert (tmp_path / "x").read_bytes() == DATA


def test_server_that_ignores_range_starts_anew(server, tmp_path):
    server.honours_range = False
    (tmp_path / "x.partial").write_bytes(b"something else" * 1000)
    fetch(server.url, tmp_path / "x", DIGEST)
    assert (tmp_path / "x").read_bytes() == DATA
    assert server.ranges == ["bytes=14000-"]


@pytest.mark.parametrize("says_length", [False, True])
def test_another_answer_leaves_what_is_there(server, tmp_path, says_length):
    """As of a network that wants one to log in."""
    (tmp_path / "x.partial").write_bytes(DATA[:1_234_567])
    server.honours_range, server.says_length = False, says_length
    server.data = b"<html>Log in first</html>"
    with pytest.raises(AsrError, match="25 bytes anew, not the rest after 1,234,567") as caught:
        fetch(server.url, tmp_path / "x", DIGEST)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == ["x.partial"]
    server.honours_range, server.data = True, DATA
    fetch(server.url, tmp_path / "x", DIGEST)
    assert (tmp_path / "x").read_bytes() == DATA
    assert server.ranges == ["bytes=1234567-"] * 2


def test_beginning_anew_leaves_what_is_there_until_it_is_longer(server, tmp_path):
    server.honours_range = False
    server.cuts = [1000]
    (tmp_path / "x.partial").write_bytes(DATA[:14_000])
    with pytest.raises(AsrError, match="cut off at 1,000"):
        fetch(server.url, tmp_path / "x", DIGEST)
    assert names(tmp_path) == ["x.partial"]
    assert (tmp_path / "x.partial").read_bytes() == DATA[:14_000]
    server.cuts = [2_000_000, 2_500_000]
    fetch(server.url, tmp_path / "x", DIGEST)
    assert (tmp_path / "x").read_bytes() == DATA
    assert names(tmp_path) == ["x"]


def test_server_that_ignores_range_and_always_cuts_ends(server, tmp_path):
    server.honours_range = False
    server.cuts = [1000] * 9
    with pytest.raises(AsrError, match="cut off at 1,000"):
        fetch(server.url, tmp_path / "x", DIGEST)
    assert len(server.ranges) == 2


def test_complete_partial_needs_only_its_checksum(server, tmp_path):
    (tmp_path / "x.partial").write_bytes(DATA)
    fetch(server.url, tmp_path / "x", DIGEST)
    assert (tmp_path / "x").read_bytes() == DATA


def test_wrong_checksum_keeps_the_file_aside(server, tmp_path):
    (tmp_path / "x.partial").write_bytes(b"not the beginning of it")
    with pytest.raises(AsrError, match=r"not the published file.*kept as .*x\.wrong, run again"):
        fetch(server.url, tmp_path / "x", DIGEST)
    assert names(tmp_path) == ["x.wrong"]
    fetch(server.url, tmp_path / "x", DIGEST)
    assert (tmp_path / "x").read_bytes() == DATA


def test_file_that_is_there_is_only_checked(server, tmp_path):
    (tmp_path / "x").write_bytes(DATA)
    fetch(server.url, tmp_path / "x", DIGEST)
    (tmp_path / "x").write_bytes(DATA[:-1])
    with pytest.raises(AsrError, match=r"x: not the published file .*move it away"):
        fetch(server.url, tmp_path / "x", DIGEST)
    assert (tmp_path / "x").read_bytes() == DATA[:-1]
    assert server.ranges == []


def test_a_folder_in_its_place(server, tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(AsrError, match="x: Is a directory"):
        fetch(server.url, tmp_path / "x", DIGEST)


@pytest.mark.parametrize("length", ["many", "-5"])
def test_a_length_that_is_none(server, tmp_path, length):
    server.length = length
    fetch(server.url, tmp_path / "x", DIGEST)
    assert (tmp_path / "x").read_bytes() == DATA


def test_lines_where_there_is_no_terminal(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(progress, "_LINE_EVERY", -1)
    fetch(server.url, tmp_path / "x", DIGEST)
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == "x: 3 of 3 MB"
    assert len(said) > 1


@pytest.mark.parametrize("status", [404, 500])
def test_server_errors(server, tmp_path, status):
    server.status = status
    with pytest.raises(AsrError, match=f"cannot fetch {server.url} \\(HTTP Error {status}: "):
        fetch(server.url, tmp_path / "x", DIGEST)


def test_a_redirection_without_end(server, tmp_path):
    server.redirects = True
    with pytest.raises(AsrError, match=r"infinite loop.*put it at ") as caught:
        fetch(server.url, tmp_path / "x", DIGEST)
    assert "\n" not in str(caught.value)


def test_no_network_says_what_to_do_by_hand(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(AsrError) as caught:
        fetch_librispeech(tmp_path, "dev-clean-2", server.url)
    message = str(caught.value)
    assert f"cannot fetch {server.url}/31/dev-clean-2.tar.gz (" in message
    assert f"download it by hand and put it at {tmp_path}/dev-clean-2.tar.gz" in message
    assert "\n" not in message
    assert names(tmp_path) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_disk_is_not_blamed_on_the_network(server, tmp_path):
    (tmp_path / "x.partial").symlink_to("/dev/full")
    with pytest.raises(AsrError, match=r"cannot write .*x: No space left on device"):
        fetch(server.url, tmp_path / "x", DIGEST)


def archive(*members: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in members:
            data = {".txt": b"1-2-0 HI\n", ".TXT": b"1 | F |\n"}.get(name[-4:], b"no audio")
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


@pytest.fixture
def published(server, monkeypatch):
    """Let the server hold an archive as the published one of dev-clean."""
    def publish(*members):
        server.data = archive(*members)
        monkeypatch.setitem(download.ARCHIVES, "dev-clean",
                            (12, hashlib.sha256(server.data).hexdigest()))
    return publish


MEMBERS = ("LibriSpeech/SPEAKERS.TXT", "LibriSpeech/LICENSE.TXT",
           "LibriSpeech/dev-clean/1/2/1-2.trans.txt", "LibriSpeech/dev-clean/1/2/1-2-0.flac")


@pytest.mark.parametrize("root", [".", "LibriSpeech"])
def test_subset_is_unpacked_where_prepare_finds_it(server, published, tmp_path, record, root):
    published(*MEMBERS)
    (tmp_path / root).mkdir(exist_ok=True)
    (tmp_path / root / "LICENSE.TXT").write_text("own")
    fetch_librispeech(tmp_path, "dev-clean", server.url)
    assert names(tmp_path / root) == ["LICENSE.TXT", "SPEAKERS.TXT", "dev-clean",
                                      "dev-clean.tar.gz"]
    assert (tmp_path / root / "LICENSE.TXT").read_text() == "own"
    record(tmp_path / root / "dev-clean/1/2/1-2-0.flac")
    [utterance] = prepare_librispeech(tmp_path, "dev-clean")
    assert (utterance.text, utterance.extra) == ("hi", {"gender": "F", "chapter": "2"})
    fetch_librispeech(tmp_path, "dev-clean", server.url)
    assert len(server.ranges) == 1


def test_archive_put_there_by_hand(server, published, tmp_path):
    published(*MEMBERS)
    (tmp_path / "dev-clean.tar.gz").write_bytes(server.data)
    fetch_librispeech(tmp_path, "dev-clean", server.url)
    assert (tmp_path / "dev-clean/1/2/1-2-0.flac").is_file()
    assert server.ranges == []


@pytest.mark.parametrize(("members", "message"), [
    ((*MEMBERS, "../../evil"), "unsafe archive"),
    ((*MEMBERS, "LibriSpeech/dev-clean/../../../evil"), "unsafe archive"),
    (("LibriSpeech/dev-other/1/2/1-2.trans.txt",), "no LibriSpeech/dev-clean/ in it"),
])
def test_hostile_or_wrong_archive_leaves_no_folder(server, published, tmp_path, members, message):
    published(*members)
    corpus = tmp_path / "a" / "corpus"
    with pytest.raises(AsrError, match=message):
        fetch_librispeech(corpus, "dev-clean", server.url)
    assert names(corpus) == ["dev-clean.tar.gz"]
    assert names(tmp_path) == ["a"]
    assert names(tmp_path / "a") == ["corpus"]


def test_unknown_subset(tmp_path):
    with pytest.raises(AsrError, match="no archive is known for my-own; known: train-clean-5, "):
        fetch_librispeech(tmp_path, "my-own")


def test_checksums_agree_with_torchaudio():
    """Read from its source: importing it takes seconds."""
    package = Path(importlib.util.find_spec("torchaudio").origin).parent
    source = (package / "datasets" / "librispeech.py").read_text()
    digests = dict(re.findall(r'resources/12/(\S+)\.tar\.gz": "([0-9a-f]{64})"', source))
    assert digests == {subset: digest for subset, (resource, digest) in download.ARCHIVES.items()
                       if resource == 12}
