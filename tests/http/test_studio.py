"""The studio's files: what is not built, who may have them, and what its page may load."""

from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse

from kinesphere.http.studio import Studio
from kinesphere.settings import Settings
from kinesphere.wiring.parts import artifact_origins


def client(folder: Path, origins: tuple[str, ...] = ()) -> httpx.AsyncClient:
    app = Studio(PlainTextResponse("the API"), origins, folder)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")


async def test_a_server_without_it_says_how_it_is_built(tmp_path: Path) -> None:
    async with client(tmp_path) as asked:
        answer = await asked.get("/")
        assert answer.status_code == 404 and "make studio" in answer.text
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert (await asked.get("/v1/jobs")).text == "the API"


async def test_no_path_leads_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    folder = tmp_path / "studio"
    (folder / "assets" / "deep").mkdir(parents=True)
    (folder / "assets" / "deep" / "part.js").write_text("s")
    async with client(folder) as asked:
        for path in (
            *("/assets/../../secret", "/assets/%2e%2e/%2e%2e/secret", "/assets/..%2f..%2fsecret"),
            *("/assets//secret", "/assets/deep/part.js", "/assets/.x", "/assets/a%00b", "/secret"),
        ):
            # The path as it came, which httpx would tidy.
            url = httpx.URL("http://here").copy_with(raw_path=path.encode())
            assert (await asked.get(url)).text in ("the API", ""), path


async def test_what_is_packed_is_sent_so_to_those_who_can_read_it(tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    for ending, content in (("", b"plain"), (".gz", b"gz"), (".br", b"br")):
        (assets / f"part.js{ending}").write_bytes(content)
    async with client(tmp_path) as asked:
        tags = set()
        for accepted, wanted in (
            ("", None), ("identity", None), ("gzip, deflate", "gzip"), ("gzip, br", "br"),
            ("BR;q=0.5", "br"), ("br;q=0, gzip", "gzip"), ("br;q=0.0", None),
        ):  # fmt: skip
            request = asked.build_request("HEAD", "/assets/part.js")
            request.headers["Accept-Encoding"] = accepted
            answer = await asked.send(request)
            assert answer.headers.get("Content-Encoding") == wanted, accepted
            assert answer.headers["Vary"] == "Accept-Encoding"
            tags.add(answer.headers["ETag"])
        assert len(tags) == 3


@pytest.mark.parametrize(
    ("given", "origins"),
    [
        ({}, ()),
        ({"public_url": "https://motion.example.com/api"}, ("https://motion.example.com",)),
        (
            {"artifacts_url": "s3://bucket/x?endpoint=http://store:9000"},
            ("http://store:9000",),
        ),
        (
            {"artifacts_url": "s3://bucket/x?region=eu-west-1"},
            ("https://s3.eu-west-1.amazonaws.com",),
        ),
        (
            {"artifacts_url": "s3://bucket", "cdn_url": "https://cdn.example.com/files",
             "cdn_secret": "0123456789abcdef0123456789abcdef"},
            ("https://cdn.example.com",),
        ),
    ],
)  # fmt: skip
async def test_the_page_may_load_artifacts_from_where_their_links_lead(
    given: dict[str, str], origins: tuple[str, ...], tmp_path: Path
) -> None:
    found = artifact_origins(Settings.model_validate(given))
    assert found == origins
    (tmp_path / "index.html").write_text("<!doctype html>")
    async with client(tmp_path, found) as asked:
        policy = (await asked.get("/")).headers["Content-Security-Policy"]
    allowed = dict(part.split(" ", 1) for part in policy.split("; "))
    for kind in ("connect-src", "img-src", "media-src"):
        assert set(origins) <= set(allowed[kind].split())
    assert allowed["script-src"] == "'self'"
