"""The built web app: caching, compression, fallback, and what is shown when it is missing."""

import os
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import Site, assert_problem

PAGE = "<!doctype html><title>Tidemark</title>"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
async def browser(site: Site, web_app: Path) -> httpx.AsyncClient:
    return site.client(web_app=web_app)


async def test_page_is_asked_after_each_time(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/", headers=BROWSER)
    assert (answer.text, answer.headers["content-type"]) == (PAGE, "text/html; charset=utf-8")
    assert answer.headers["cache-control"] == "no-cache"
    assert "script-src 'self';" in answer.headers["content-security-policy"]
    assert "unsafe-inline" not in answer.headers["content-security-policy"].split("style-src-attr")[0]
    again = await browser.get("/", headers={**BROWSER, "If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])


async def test_hashed_files_are_kept_for_ever(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/assets/index-DMp7cu6z.js", headers={"Accept-Encoding": "identity"})
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert (await browser.get("/favicon.svg")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.5", "gzip"), ("identity", None), ("", None)],
)
async def test_compressed_twin_is_sent_to_who_can_read_it(
    browser: httpx.AsyncClient, accepted: str, encoding: str | None
) -> None:
    path, headers = "/assets/index-DMp7cu6z.js", {"Accept-Encoding": accepted}
    async with browser.stream("GET", path, headers=headers) as answer:
        content = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert content == {"br": b"brotli", "gzip": b"gzip", None: b"console.log(1)"}[encoding]
    head = await browser.head(path, headers=headers)
    assert (head.headers["content-length"], head.headers["etag"]) == (str(len(content)), answer.headers["etag"])


@pytest.mark.parametrize("path", ["/settings", "/backtests/7/trades", "/a.b", "/apiary", "/authors"])
async def test_routes_of_the_app_lead_to_its_page(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path, headers=BROWSER)
    assert (answer.status_code, answer.text) == (200, PAGE)
    assert_problem(await browser.get(path, headers={"Accept": "application/json"}), 404, "no_such_path")


@pytest.mark.parametrize(
    "path",
    [
        "/api/x",
        "/auth/v1/x",
        "/assets/gone-12345678.js",
        "/.vite/manifest.json",
        "/../secrets",
        "/assets/index-DMp7cu6z.js.br",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/a\\b",
        "//etc/passwd",
    ],
)
async def test_nothing_else_is_reached(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path, headers={"Accept": "*/*"})
    assert_problem(answer, 404, "no_such_path")
    if path.startswith(("/api", "/auth", "/assets")):
        assert_problem(await browser.get(path, headers=BROWSER), 404, "no_such_path")


async def test_only_reading(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/")
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, HEAD"


async def test_new_build_is_picked_up(browser: httpx.AsyncClient, web_app: Path) -> None:
    await browser.get("/")
    (web_app / "index.html").write_text("new")
    os.utime(web_app / "index.html", ns=(1, 1))
    assert (await browser.get("/")).text == "new"


async def test_missing_build_says_what_to_do(client: httpx.AsyncClient) -> None:
    answer = await client.get("/", headers=BROWSER)
    assert answer.status_code == 503
    assert "npm run build" in answer.text


async def test_policy_lets_the_app_reach_a_hosted_project(site: Site, web_app: Path) -> None:
    project = type(site.house.project)(
        mode="supabase", url="https://abc.supabase.co", publishable_key="sb_publishable_x"
    )
    async with site.client(project=project, web_app=web_app) as browser:
        answer = await browser.get("/", headers=BROWSER)
        assert "connect-src 'self' https://abc.supabase.co;" in answer.headers["content-security-policy"]
        assert (await browser.get("/api/config")).json()["supabase_url"] == "https://abc.supabase.co"
