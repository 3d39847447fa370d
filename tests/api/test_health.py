"""Liveness, readiness, metrics, and what the web app starts from."""

from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.api.conftest import Person, Site, assert_problem


async def test_alive(client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert answer.json()["status"] == "alive"
    assert answer.headers["cache-control"] == "no-store"


async def test_ready_names_its_checks(client: httpx.AsyncClient) -> None:
    body = (await client.get("/readyz")).json()
    assert body["status"] == "ready"
    assert {check["name"]: check["ok"] for check in body["checks"]} == {
        "database": True,
        "migrations": True,
        "disk": True,
    }


async def test_not_ready_while_migrations_wait(site: Site) -> None:
    await site.execute("delete from supabase_migrations.schema_migrations", role="postgres")
    async with site.client() as client:
        body = assert_problem(await client.get("/readyz"), 503, "not_ready")
    assert {check["name"] for check in body["checks"] if not check["ok"]} == {"migrations"}


async def test_not_ready_while_the_disk_of_the_database_is_full(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.api.routers.health.LEAST_FREE_BYTES", 2**62)
    body = assert_problem(await client.get("/readyz"), 503, "not_ready")
    assert {check["name"] for check in body["checks"] if not check["ok"]} == {"disk"}
    assert "free on the disk of the database, which needs" in body["detail"]


async def test_the_disk_of_a_hosted_database_is_not_ours_to_judge(site: Site) -> None:
    hosted = {"database_url": SecretStr("postgresql://nobody@nowhere/postgres")}
    async with site.client(settings=site.house.settings.model_copy(update=hosted)) as client:
        body = (await client.get("/readyz")).json()
    assert "disk" not in {check["name"] for check in body["checks"]}


async def test_config(client: httpx.AsyncClient, site: Site) -> None:
    answer = await client.get("/api/config")
    assert answer.json() == {
        "mode": "embedded",
        "supabase_url": "",
        "publishable_key": site.keys.publishable_key,
        "version": "0.1.0",
        "environment": "DEMO",
        "mailbox_url": None,
    }
    again = await client.get("/api/config", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_metrics_count_routes_not_people(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    await client.get("/api/me", headers=ada.headers)
    await client.delete(f"/api/me/sessions/{ada.session_id}", headers=ada.headers)
    await client.get("/api/made-up-path")
    text = (await client.get("/metrics")).text
    assert 'tidemark_http_requests_total{method="GET",route="/api/me",status="200"}' in text
    assert 'route="/api/me/sessions/{session_id}",status="204"' in text
    assert 'route="unmatched",status="404"' in text
    assert "tidemark_http_request_duration_seconds_bucket" in text
    assert str(ada.session_id) not in text
    assert "made-up-path" not in text
    names = {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and not line.startswith("#")}
    assert all(name.startswith("tidemark_") for name in names)


@pytest.mark.parametrize(
    ("settings", "headers", "is_allowed"),
    [
        ({}, {}, True),
        ({}, {"X-Forwarded-For": "192.0.2.1"}, False),
        ({"trusted_proxies": ("127.0.0.1",)}, {}, False),
        (
            {"trusted_proxies": ("127.0.0.1",), "metrics_token": SecretStr("s3cret")},
            {"Authorization": "Bearer s3cret"},
            True,
        ),
        (
            {"trusted_proxies": ("127.0.0.1",), "metrics_token": SecretStr("s3cret")},
            {"Authorization": "Bearer x"},
            False,
        ),
        ({"trusted_proxies": ("127.0.0.1",)}, {"Authorization": "Bearer "}, False),
    ],
)
async def test_metrics_are_for_this_machine_or_a_token(
    site: Site, settings: dict[str, Any], headers: dict[str, str], is_allowed: bool
) -> None:
    async with site.client(settings=site.house.settings.model_copy(update=settings)) as client:
        answer = await client.get("/metrics", headers=headers)
    if is_allowed:
        assert answer.status_code == 200
    else:
        assert_problem(answer, 403, "not_allowed")


async def test_lost_connections_are_made_up_for(site: Site, ada: Person) -> None:
    async with site.client() as client:
        assert (await client.get("/api/me", headers=ada.headers)).status_code == 200
        await site.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = 'app_api' and datname = current_database()",
            role="supabase_admin",
        )
        answers = [await client.get("/api/me", headers=ada.headers) for _ in range(12)]
        for answer in answers:
            if answer.status_code != 200:
                assert_problem(answer, 503, "database_unavailable")
                assert int(answer.headers["retry-after"]) > 0
        assert answers[-1].status_code == 200
