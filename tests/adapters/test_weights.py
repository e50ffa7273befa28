"""Weights from real servers: whole or not at all, gone on with, verified, shared, bounded."""

import asyncio
import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinesphere.adapters.weights import documents
from kinesphere.adapters.weights.cache import NoRoom, WeightCache
from kinesphere.adapters.weights.sources import SourceFailed, opened
from kinesphere.adapters.weights.transfer import DigestMismatch, Pace
from kinesphere.core.weights import Manifest, ManifestInvalid, WeightFile, is_path, pickled
from tests.waiting import wait_until

BRISK = Pace(part=4_096, at_a_time=4, tries=3, pause=0.01)
FILES = {
    "config.json": b'{"layers": 27}',
    "shape/model.fp16.safetensors": bytes(range(256)) * 250 + b"end",
    "empty.txt": b"",
}


class Web:
    """A web server of a folder that can be told to misbehave, a path at a time."""

    def __init__(self) -> None:
        self.files = dict(FILES)
        self.asked: list[tuple[str, str]] = []
        self.manners: dict[str, list[str]] = {}
        self.lock = threading.Lock()
        self.hold = threading.Event()
        self.url = ""

    def manner(self, path: str) -> str:
        with self.lock:
            queue = self.manners.get(path, [])
            if not queue:
                return ""
            return queue[0] if queue[0].endswith("!") else queue.pop(0)


@contextmanager
def web() -> Iterator[Web]:
    site = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, asked = self.path.removeprefix("/model/"), self.headers.get("Range", "")
            site.asked.append((path, asked))
            manner = site.manner(path).removesuffix("!")
            data = site.files.get(path)
            if manner == "waits":
                site.hold.wait(20)
            if data is None or manner == "lost":
                self.answer(404, b"no such file")
                return
            if manner == "busy":
                self.answer(503, b"later")
                return
            if manner == "elsewhere":
                self.send_response(302)
                self.send_header("Location", "http://192.0.2.1/x")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last) + 1, len(data))
            piece, span = data[start:end], f"bytes {start}-{end - 1}/{len(data)}"
            if manner == "corrupt":
                piece = piece[:-1] + bytes([piece[-1] ^ 1])
            if manner == "shifted":
                span = f"bytes {start + 1}-{end}/{len(data)}"
            if manner == "no ranges":
                self.answer(200, data)
                return
            if manner == "truncated":
                self.send_response(206)
                self.send_header("Content-Range", span)
                self.send_header("Content-Length", str(len(piece)))
                self.end_headers()
                self.wfile.write(piece[: len(piece) // 2])
                self.close_connection = True
                return
            self.answer(206, piece, {"Content-Range": span})

        def answer(self, status: int, data: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Clients that leave in the middle are part of these tests."""

    server = Server(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_port}/model"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site() -> Iterator[Web]:
    with web() as running:
        yield running


def manifest(*sources: str, files: dict[str, bytes] | None = None, **changes: Any) -> Manifest:
    listed = tuple(
        WeightFile(path, len(data), hashlib.sha256(data).hexdigest())
        for path, data in (files or FILES).items()
    )
    return replace(Manifest("shape", listed, sources), **changes)


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder.resolve()).as_posix(): path.read_bytes()
        for path in folder.resolve().rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }


BIG = "shape/model.fp16.safetensors"


async def test_a_pull_fetches_parts_and_verifies_them(site: Web, tmp_path: Path) -> None:
    cache, heard = WeightCache(tmp_path, pace=BRISK), list[int]()
    wanted = manifest(site.url)
    where = await cache.pull(wanted, heard.append)
    assert where == tmp_path / "shape"
    assert content(where) == FILES
    assert sum(heard) == wanted.size
    ranges = [asked for path, asked in site.asked if path == BIG]
    assert len(ranges) == len(set(ranges)) == -(-len(FILES[BIG]) // BRISK.part)
    site.asked.clear()
    await cache.pull(wanted)
    assert site.asked == [], "what is there is not fetched again"
    (cached,) = cache.cached()
    assert (cached.whole, cached.current, cached.have) == (True, True, wanted.size)


@pytest.mark.parametrize("manner", ["busy", "truncated", "shifted"])
async def test_a_part_that_fails_is_asked_for_again(site: Web, tmp_path: Path, manner: str) -> None:
    site.manners[BIG] = [manner, manner]
    where = await WeightCache(tmp_path, pace=BRISK).pull(manifest(site.url))
    assert content(where) == FILES


async def test_wrong_bytes_are_never_used(site: Web, tmp_path: Path) -> None:
    cache = WeightCache(tmp_path, pace=BRISK)
    site.manners[BIG] = ["corrupt"]
    assert content(await cache.pull(manifest(site.url))) == FILES, "fetched anew"
    site.files[BIG] = FILES[BIG][:-1] + b"!"
    other = WeightCache(tmp_path / "other", pace=BRISK)
    with pytest.raises(DigestMismatch, match=BIG):
        await other.pull(manifest(site.url))
    assert not other.path("shape").exists()
    (left,) = other.cached()
    assert not left.whole


async def test_a_stopped_pull_is_gone_on_with(site: Web, tmp_path: Path) -> None:
    cache = WeightCache(tmp_path, pace=BRISK)
    site.manners[BIG] = ["", "", "", "", "", "", "busy!"]
    with pytest.raises(SourceFailed, match="answers 503"):
        await cache.pull(manifest(site.url))
    (left,) = cache.cached()
    assert 0 < left.have < left.manifest.size
    kept = {asked for path, asked in site.asked if path == BIG}
    site.manners.clear()
    site.asked.clear()
    heard = list[int]()
    where = await cache.pull(manifest(site.url), heard.append)
    assert content(where) == FILES
    assert sum(heard) == left.manifest.size
    again = [asked for path, asked in site.asked if path == BIG]
    assert len(again) < -(-len(FILES[BIG]) // BRISK.part)
    # As many as failed, and as many as had begun in their places.
    assert len(set(again) & kept) <= 2 * BRISK.at_a_time, "only what was in flight"


async def test_the_next_source_is_asked_where_one_has_it_not(site: Web, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    (mirror / "shape").mkdir(parents=True)
    (mirror / BIG).write_bytes(FILES[BIG])
    site.manners[BIG] = ["lost!"]
    where = await WeightCache(tmp_path / "w", pace=BRISK).pull(manifest(site.url, str(mirror)))
    assert content(where) == FILES
    with pytest.raises(SourceFailed, match=r"answers 404; .*is not there"):
        await WeightCache(tmp_path / "x", pace=BRISK).pull(
            manifest(site.url, (tmp_path / "none").as_uri())
        )


async def test_a_server_without_ranges_serves_small_files_only(site: Web, tmp_path: Path) -> None:
    site.manners = {"config.json": ["no ranges"], BIG: ["no ranges!"]}
    with pytest.raises(SourceFailed, match="answers no ranges"):
        await WeightCache(tmp_path, pace=BRISK).pull(manifest(site.url))


async def test_no_redirect_leads_to_plain_http(site: Web, tmp_path: Path) -> None:
    site.manners["config.json"] = ["elsewhere!"]
    with pytest.raises(ManifestInvalid, match="http:// is no source"):
        await WeightCache(tmp_path, pace=BRISK).pull(manifest(site.url))


async def test_two_that_pull_the_same_fetch_it_once(site: Web, tmp_path: Path) -> None:
    pulls = [WeightCache(tmp_path, pace=BRISK).pull(manifest(site.url)) for _ in range(3)]
    first, *others = await asyncio.gather(*pulls)
    assert others == [first, first]
    assert len(site.asked) == len(set(site.asked))


async def test_a_new_version_takes_the_place_of_the_old_in_one_step(
    site: Web, tmp_path: Path
) -> None:
    cache = WeightCache(tmp_path, pace=BRISK)
    where = await cache.pull(manifest(site.url))
    with (where / "config.json").open("rb") as held:
        site.files["config.json"] = b'{"layers": 28}'
        await cache.pull(manifest(site.url, files=site.files))
        assert (where / "config.json").read_bytes() == b'{"layers": 28}'
        assert held.read() == FILES["config.json"], "whoever has it open keeps it"
    assert len(cache.cached()) == 1, "the old one is gone"


async def test_verify_finds_what_changed_and_pull_mends_it(site: Web, tmp_path: Path) -> None:
    cache = WeightCache(tmp_path, pace=BRISK)
    where = await cache.pull(manifest(site.url))
    assert await cache.verify("shape") == []
    path = where.resolve() / "config.json"
    path.write_bytes(b'{"layers": 99}')
    (where.resolve() / "empty.txt").unlink()
    wrong = await cache.verify("shape")
    assert sorted(line.split(" ", 1)[0] for line in wrong) == ["config.json", "empty.txt"]
    assert not where.exists(), "not in use any more"
    site.asked.clear()
    assert content(await cache.pull(manifest(site.url))) == FILES
    assert {path for path, _ in site.asked} <= {"config.json", "empty.txt"}
    with pytest.raises(KeyError):
        await cache.verify("texture")


async def test_the_disk_is_bounded(site: Web, tmp_path: Path) -> None:
    cache = WeightCache(tmp_path, limit=70_000, pace=BRISK)
    await cache.pull(manifest(site.url))
    with pytest.raises(NoRoom, match="weights_limit_bytes"):
        await cache.pull(manifest(site.url, name="texture"))
    huge = WeightFile("model.safetensors", 10**18, "0" * 64)
    with pytest.raises(NoRoom, match="are free"):
        await cache.pull(Manifest("huge", (huge,), (site.url,)))


async def test_pickles_are_refused_by_name_and_by_content(site: Web, tmp_path: Path) -> None:
    cache = WeightCache(tmp_path, pace=BRISK)
    with pytest.raises(ManifestInvalid, match="can run code"):
        await cache.pull(manifest(site.url, files={"model.ckpt": b"x"}))
    disguised = {"model.safetensors": b"\x80\x04\x95" + bytes(100)}
    site.files |= disguised
    with pytest.raises(ManifestInvalid, match="can run code"):
        await cache.pull(manifest(site.url, files=disguised))
    assert not cache.path("shape").exists()
    where = await cache.pull(manifest(site.url, files=disguised, pickles=True))
    assert content(where) == disguised


async def test_a_process_that_is_killed_leaves_what_another_goes_on_with(
    site: Web, tmp_path: Path
) -> None:
    """And its lock ends with it."""
    site.manners[BIG] = ["", "", "", "", "waits!"]
    file = tmp_path / "shape.json"
    file.write_bytes(documents.write(manifest(site.url)))
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from kinesphere.adapters.weights import cache, documents, transfer\n"
        f"pace = transfer.Pace(part={BRISK.part}, at_a_time=2)\n"
        "made = cache.WeightCache(Path(sys.argv[2]), pace=pace)\n"
        "asyncio.run(made.pull(documents.parse(Path(sys.argv[1]).read_bytes())))\n"
    )
    folder = tmp_path / "weights"
    process = subprocess.Popen([sys.executable, "-c", code, file, folder])
    cache = WeightCache(folder, pace=BRISK)
    await wait_until(
        lambda: any(each.have > BRISK.part for each in cache.cached()), "two parts came"
    )
    process.kill()
    process.wait()
    site.manners.clear()
    site.hold.set()
    site.asked.clear()
    assert content(await cache.pull(manifest(site.url))) == FILES
    assert len([a for p, a in site.asked if p == BIG]) < -(-len(FILES[BIG]) // BRISK.part)


@pytest.mark.slow
async def test_from_an_s3_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    obstore = pytest.importorskip("obstore")
    from deploy.onebox.s3_server import CREDENTIALS, s3_server

    from kinesphere.adapters.artifacts_s3 import Patience, open_store
    from kinesphere.adapters.s3_location import Location

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS.secret)
    with s3_server() as server:
        bucket, _, query = server.url("weights").partition("?")
        location = Location.parse(server.url("weights"))
        store = open_store(location, CREDENTIALS, Patience())
        with pytest.raises(Exception):  # noqa: B017 - its answer has no ETag
            await obstore.put_async(store, "", b"")
        for path, data in FILES.items():
            await obstore.put_async(store, f"models/shape/{path}", data)
        source = f"{bucket}/models/shape?{query}"
        where = await WeightCache(tmp_path, pace=BRISK).pull(manifest(source))
        assert content(where) == FILES
        with pytest.raises(SourceFailed, match="is not in weights"):
            await opened(source).read("none", 0, 1)


def test_a_manifest_of_a_folder(tmp_path: Path) -> None:
    for path, data in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("x")
    made = documents.manifest_of(tmp_path, "shape", ["https://a.example/x"], pickles=False)
    assert {f.path: f.sha256 for f in made.files} == {f.path: f.sha256 for f in manifest().files}
    assert documents.parse(documents.write(made)) == made
    (tmp_path / "w.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ManifestInvalid, match="can run code"):
        documents.manifest_of(tmp_path, "shape", [], pickles=False)
    with pytest.raises(ManifestInvalid, match="Git LFS pointer"):
        documents.manifest_of(tmp_path, "shape", [], pickles=True)
    (tmp_path / "w.bin").unlink()
    (tmp_path / "away.txt").symlink_to("/etc/hostname")
    with pytest.raises(ManifestInvalid, match="leads out"):
        documents.manifest_of(tmp_path, "shape", [], pickles=False)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "../x"}, "is no name"),
        ({"files": ()}, "0 files"),
        ({"files": (WeightFile("a", 1, "0" * 64), WeightFile("A", 1, "0" * 64))}, "twice"),
        ({"files": (WeightFile("a", 1, "0" * 64), WeightFile("a/b", 1, "0" * 64))}, "both"),
        ({"files": (WeightFile("a", -1, "0" * 64),)}, "-1 bytes"),
        ({"files": (WeightFile("a", 1, "xyz"),)}, "64 hexadecimal"),
        ({"sources": ("ftp://a/b",)}, "ftp:// is no source"),
        ({"sources": ("http://a.example/b",)}, "http:// is no source"),
        ({"sources": ("https://u:p@a.example/b",)}, "password"),
    ],
)
def test_manifests_that_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ManifestInvalid, match=problem):
        replace(manifest(), **changes).check()


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        "a/./b",
        "a\\b",
        "a\0b",
        "C:/a",
        ".git/x",
        "a.",
        "a ",
    ],
)
def test_paths_that_lead_elsewhere(path: str) -> None:
    assert not is_path(path)


@given(st.lists(st.from_regex(r"[a-z0-9_][a-z0-9_-]{0,8}", fullmatch=True), min_size=1, max_size=4))
def test_plain_paths_stay_below_their_folder(segments: list[str]) -> None:
    path = "/".join(segments)
    assert is_path(path)
    assert Path("/folder") in (Path("/folder") / path).resolve().parents


def test_what_begins_like_a_pickle() -> None:
    assert pickled(b"\x80\x04")
    assert pickled(b"PK\x03\x04")
    assert not pickled(b"{}")
    assert not pickled(b"\x80")
    assert not pickled(b"")
