"""Who may ask: the token attack table over HTTP, and a suspension that holds at once."""

import time
from collections.abc import Callable

import httpx
import jwt
import pytest

from backend.domain.errors import DatabaseUnavailable
from backend.infrastructure.database import Database
from tests.api.conftest import Person, Site, assert_problem

ATTACKS: dict[str, Callable[[Site, Person], str]] = {
    "no signature": lambda site, ada: jwt.encode(
        jwt.decode(ada.token, options={"verify_signature": False}), "", "none"
    ),
    "anon key": lambda site, ada: site.keys.anon_key,
    "service key": lambda site, ada: site.keys.service_role_key,
    "publishable key": lambda site, ada: site.keys.publishable_key,
    "secret key": lambda site, ada: site.keys.secret_key,
    "project's own HS256 secret": lambda site, ada: jwt.encode(
        jwt.decode(ada.token, options={"verify_signature": False}), site.keys.jwt_secret, "HS256"
    ),
    "expired": lambda site, ada: site.keys.sign(
        {**jwt.decode(ada.token, options={"verify_signature": False}), "exp": int(time.time()) - 60}
    ),
    "cut": lambda site, ada: ada.token[:-10],
    "nothing but dots": lambda site, ada: "..",
    "one word": lambda site, ada: "abracadabra",
}


async def test_no_token(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/me")
    assert_problem(answer, 401, "not_signed_in")
    assert answer.headers["www-authenticate"] == 'Bearer realm="tidemark"'


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Token x"])
async def test_other_authorization_is_none(client: httpx.AsyncClient, header: str) -> None:
    assert_problem(await client.get("/api/me", headers={"Authorization": header}), 401, "not_signed_in")


@pytest.mark.parametrize("attack", ATTACKS)
async def test_forged_token_is_refused(client: httpx.AsyncClient, site: Site, ada: Person, attack: str) -> None:
    token = ATTACKS[attack](site, ada)
    answer = await client.get("/api/me", headers={"Authorization": f"Bearer {token}"})
    body = assert_problem(answer, 401, "token_rejected")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert token not in answer.text
    assert body["detail"].startswith("The access token was refused: ")


async def test_token_in_the_address_is_not_looked_at(client: httpx.AsyncClient, ada: Person) -> None:
    assert_problem(await client.get("/api/me", params={"access_token": ada.token}), 401, "not_signed_in")


async def test_suspension_holds_at_once_though_the_token_is_cached(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    headers = ada.headers
    assert (await client.get("/api/me", headers=headers)).status_code == 200
    await site.execute("update auth.users set banned_until = now() + interval '1 hour' where id = $1", ada.user_id)
    for method, path in (
        ("GET", "/api/me"),
        ("GET", "/api/me/sessions"),
        ("DELETE", f"/api/me/sessions/{ada.session_id}"),
    ):
        assert_problem(await client.request(method, path, headers=headers), 403, "account_suspended")
    await site.execute("update auth.users set banned_until = null where id = $1", ada.user_id)
    assert (await client.get("/api/me", headers=headers)).status_code == 200


async def test_deleted_account_is_refused(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    headers = ada.headers
    await site.execute("delete from auth.users where id = $1", ada.user_id)
    assert_problem(await client.get("/api/me", headers=headers), 403, "account_suspended")


async def test_token_is_checked_before_the_body(client: httpx.AsyncClient) -> None:
    answer = await client.patch("/api/me", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 401)
    assert_problem(await client.patch("/api/me", json={"is_admin": True}), 401, "not_signed_in")


async def test_database_that_is_away_is_503_with_a_time_to_retry(site: Site, ada: Person) -> None:
    closed = Database(site.database.dsn("app_api"))
    with pytest.raises(DatabaseUnavailable):
        await closed.check()
    async with site.client(database=closed) as client:
        answer = await client.get("/api/me", headers=ada.headers)
        assert_problem(answer, 503, "database_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        ready = await client.get("/readyz")
        body = assert_problem(ready, 503, "not_ready")
        assert {check["name"]: check["ok"] for check in body["checks"]} == {
            "database": False,
            "migrations": True,
            "disk": True,
        }
