"""Every refusal is a problem, with its request id, whatever refuses it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from backend.api.errors import all_problems
from backend.domain.accounts import Identity
from backend.domain.errors import ConfigurationError, DatabaseUnavailable
from backend.infrastructure.database import Database
from tests.api.conftest import Person, Site, assert_problem


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nothing", "/api/me/", "/auth", "/auth/v2/x", "/auth/v1", "/ws/rooms"]
)
async def test_unknown_path_is_404_even_for_a_browser(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers={"Accept": "text/html"})
    assert assert_problem(answer, 404, "no_such_path")["instance"] == path


async def test_wrong_method_is_405_with_allow(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/me")
    assert_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, PATCH"
    assert_problem(await client.request("TRACE", "/api/config"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("asked", "pointer", "said"),
    [
        ("/api/backtests?symbl=SPY", "/query/symbl", "There is no parameter 'symbl'. Did you mean 'symbol'?"),
        ("/api/data/series?limit=5&q~/=x", "/query/q~0~1", "There is no parameter 'q~/'. There are: "),
        ("/api/me?fields=email", "/query/fields", "There is no parameter 'fields'. There are none here."),
    ],
)
async def test_a_query_that_nobody_knows_is_refused(
    client: httpx.AsyncClient, ada: Person, asked: str, pointer: str, said: str
) -> None:
    body = assert_problem(await client.get(asked, headers=ada.headers), 422, "invalid_input")
    assert [one["pointer"] for one in body["errors"]] == [pointer]
    assert body["errors"][0]["detail"].startswith(said)
    assert_problem(await client.get(asked), 401, "not_signed_in")


@pytest.mark.parametrize("path", ["/healthz", "/api/config"])
async def test_head_is_get_without_its_body(client: httpx.AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_body_that_says_it_is_too_large(client: httpx.AsyncClient, ada: Person) -> None:
    headers = {**ada.headers, "If-Match": "*"}
    answer = await client.patch("/api/me", headers=headers, json={"display_name": "x" * 1024 * 1024})
    assert_problem(answer, 413, "body_too_large")


async def test_body_that_turns_out_to_be_too_large(client: httpx.AsyncClient, ada: Person) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 65536
            yield b" " * 65536

    headers = {**ada.headers, "If-Match": "*", "Content-Type": "application/json"}
    assert_problem(await client.patch("/api/me", headers=headers, content=endless()), 413, "body_too_large")
    assert read < 2 * 1024 * 1024


class Broken:
    """A verifier that fails as nobody expected, with a secret in its words."""

    async def verify(self, token: str) -> Identity:
        raise RuntimeError(f"internal secret, token {token}")


async def test_unexpected_error_is_500_and_tells_nothing(
    site: Site, ada: Person, capsys: pytest.CaptureFixture[str]
) -> None:
    async with site.client(verifier=Broken()) as client:
        answer = await client.get("/api/me", headers=ada.headers)
    body = assert_problem(answer, 500, "internal_error")
    assert "internal secret" not in answer.text
    assert body["detail"].endswith("request id.")


class Misconfigured:
    """A verifier whose failure has a name, but is nobody's fault who asks."""

    async def verify(self, token: str) -> Identity:
        raise ConfigurationError("The settings at /etc/tidemark are wrong.")


async def test_named_error_of_ours_tells_as_little(site: Site, ada: Person) -> None:
    async with site.client(verifier=Misconfigured()) as client:
        answer = await client.get("/api/me", headers=ada.headers)
    assert_problem(answer, 500, "internal_error")
    assert "/etc" not in answer.text


@pytest.mark.parametrize("offered", ["trace-0123456789", "0af7651916cd43dd8448eb211c80319c"])
async def test_sane_request_id_is_kept(client: httpx.AsyncClient, offered: str) -> None:
    assert (await client.get("/healthz", headers={"X-Request-ID": offered})).headers["x-request-id"] == offered


@pytest.mark.parametrize("offered", ["", "short", "x" * 129, "a b c d e f", '{"a":1}aaaa', "../../etc", "aaaaaaaa\tb"])
async def test_odd_request_id_is_replaced(client: httpx.AsyncClient, offered: str) -> None:
    given = (await client.get("/healthz", headers={"X-Request-ID": offered})).headers["x-request-id"]
    assert given != offered
    assert len(given) == 32


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:8000"]
)
async def test_foreign_host_name_is_refused(client: httpx.AsyncClient, host: str) -> None:
    assert_problem(await client.get("/healthz", headers={"Host": host}), 421, "unknown_host")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "LOCALHOST.", "127.0.0.1", "[::1]:80", "a.localhost", "10.0.0.7"]
)
async def test_own_names_and_addresses_are_answered(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/healthz", headers={"Host": host})).status_code == 200


async def test_public_name_is_answered(site: Site) -> None:
    settings = site.house.settings.model_copy(update={"public_url": "https://tidemark.example.com"})
    async with site.client(settings=settings) as client:
        answer = await client.get("/healthz", headers={"Host": "tidemark.example.com"})
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_security_headers_are_on_every_answer(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/api/config", "/api/nothing", "/", "/api/me"):
        headers = (await client.get(path, headers={"Accept": "text/html"})).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "camera=()" in headers["permissions-policy"]
        assert "strict-transport-security" not in headers


@pytest.mark.parametrize("code", [kind.code for kind in all_problems()])
async def test_type_leads_to_a_page(client: httpx.AsyncClient, code: str) -> None:
    answer = await client.get(f"/problems/{code}")
    assert answer.status_code == 200
    assert code in answer.text
    assert f"/problems/{code}" in (await client.get("/problems")).text


async def test_cross_origin_only_for_those_that_were_named(site: Site) -> None:
    settings = site.house.settings.model_copy(update={"cors_origins": ("https://app.example",)})
    async with site.client(settings=settings) as client:
        asks = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
        friend = await client.options("/api/me", headers={"Origin": "https://app.example", **asks})
        assert (friend.status_code, friend.headers["access-control-allow-origin"]) == (204, "https://app.example")
        assert "Authorization" in friend.headers["access-control-allow-headers"]
        stranger = await client.options("/api/me", headers={"Origin": "https://evil.example", **asks})
        assert "access-control-allow-origin" not in stranger.headers
        refused = await client.get("/api/me", headers={"Origin": "https://app.example"})
        assert refused.headers["access-control-allow-origin"] == "https://app.example"
        assert "X-Request-ID" in refused.headers["access-control-expose-headers"]
        assert refused.headers["vary"] == "Origin"
        assert "access-control-allow-origin" not in (await client.get("/api/me", headers={"Origin": "null"})).headers


async def test_large_answers_are_compressed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/openapi.json", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert json.loads(answer.text)["openapi"].startswith("3.1")


class FailsAtCommit:
    """A database that does everything that it is asked, and then cannot commit."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def acting_as(self, identity: Identity | None, **how: Any) -> AsyncIterator[object]:
        async with self._database.acting_as(identity, **how) as connection:
            yield connection
            raise DatabaseUnavailable


async def test_what_is_told_was_committed(site: Site, client: httpx.AsyncClient, ada: Person) -> None:
    headers = {**ada.headers, "If-Match": "*"}
    async with site.client(database=FailsAtCommit(site.house.database)) as failing:
        answer = await failing.patch("/api/me", headers=headers, json={"display_name": "Lost"})
    assert_problem(answer, 503, "database_unavailable")
    assert (await client.get("/api/me", headers=ada.headers)).json()["display_name"] != "Lost"
