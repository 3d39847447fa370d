"""The database goes away and comes back."""

import asyncpg
import httpx

from backend.infrastructure.supabase.auth_keys import AuthKeys
from backend.infrastructure.supabase.auth_server import AuthServerConfig, create_auth_app
from tests.cluster import FreshDatabase
from tests.integration.auth.running import in_own_loop, running_auth


def test_a_database_that_went_away_and_came_back_is_found_again(database: FreshDatabase) -> None:
    async def cut_all_connections() -> None:
        connection = await asyncpg.connect(database.dsn("supabase_admin"))
        try:
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where usename = 'supabase_auth_admin' and datname = current_database()"
            )
        finally:
            await connection.close()

    with running_auth(database) as auth:
        session = auth.sign_up()
        for _ in range(3):
            in_own_loop(cut_all_connections())
            answers = [auth.ask("GET", "/user", token=session["access_token"]) for _ in range(5)]
            assert {answer.status_code for answer in answers} <= {200, 503}
            assert all(answer.headers["retry-after"] for answer in answers if answer.status_code == 503)
            assert answers[-1].status_code == 200


def test_a_database_that_is_away_is_said(database: FreshDatabase) -> None:
    config = AuthServerConfig(dsn=database.dsn("supabase_auth_admin"), issuer="http://x/auth/v1", site_url="http://x")
    server = create_auth_app(config, AuthKeys.generate())  # never opened: it has no connection

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(server)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            headers = {"apikey": server.house.keys.publishable_key}
            return await client.post("/recover", json={"email": "a@b.co"}, headers=headers)

    answer: httpx.Response = in_own_loop(ask())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["error_code"] == "unexpected_failure"
