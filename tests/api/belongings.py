"""What people own, made fresh for whoever is to be robbed: one maker for each kind of thing that a path names."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from backend.domain.shares import make_link
from backend.domain.strategies.rules.examples import DIP_IN_A_RISING_MARKET
from tests.api.conftest import Person, Site
from tests.api.talking import Runner
from tests.api.test_backtests import finished as engine_finished
from tests.finished_backtests import finished_backtest
from tests.integration.rows_of_tables import ROWS

Maker = Callable[[Site, httpx.AsyncClient, Person], Awaitable[str]]


async def _asked(client: httpx.AsyncClient, who: Person, path: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    answer = await client.post(path, json=wanted, headers=who.headers)
    assert answer.status_code in (200, 201, 202), answer.text
    made: dict[str, Any] = answer.json()
    return made


async def session(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    """Another one than that which speaks."""
    return str(await site.session_of(who.user_id))


async def token(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    wanted = {"name": "Script", "scopes": ["read"], "expires_in_days": 30}
    return str((await _asked(client, who, "/api/me/tokens", wanted))["id"])


async def key(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    wanted = {"provider": "crypto:binance", "label": "Research", "key": f"key-of-{who.user_id}", "secret": "s" * 40}
    return str((await _asked(client, who, "/api/keys/", wanted))["id"])


async def backtest(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    return str(await finished_backtest(site.database.dsn("postgres"), who.user_id))


async def whole_backtest(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    """With everything that the engine leaves."""
    return await engine_finished(client, site, who)


async def preset(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    return str((await _asked(client, who, "/api/backtests/presets", {"name": "Mine", "form": {"cash": 1}}))["id"])


async def task(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    """It waits in the queue."""
    return str((await Runner(person=who).submit()).id)


async def cancelled_task(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    runner = Runner(person=who)
    job = await runner.submit()
    await runner.cancel(job)
    return str(job.id)


async def share(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    return str((await _shared(site, client, who))["id"])


async def link(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    return str((await _shared(site, client, who))["token"])


async def _shared(site: Site, client: httpx.AsyncClient, who: Person) -> dict[str, Any]:
    wanted = {"backtest_id": await backtest(site, client, who), "title": "A run", "expires_in_days": 30}
    return await _asked(client, who, "/api/shares", wanted)


async def series(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    """One that was imported: nobody else's, and without bars."""
    return await _row(site, "series", who)


async def upload(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    content = b"Date,Open,High,Low,Close,Volume\n2025-01-02,1,2,0.5,1.5,10\n2025-01-03,1,2,0.5,1.5,10\n"
    answer = await client.post("/api/data/uploads", params={"name": "a.csv"}, content=content, headers=who.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["upload_id"])


async def model(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    """Its training waits in the queue."""
    await _row(site, "tasks", who)
    return await _row(site, "models", who)


async def prediction(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    await model(site, client, who)
    return await _row(site, "predictions", who)


async def strategy(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    wanted = {"name": "Dip", "about": "Buys dips.", "rules": DIP_IN_A_RISING_MARKET, "note": "first"}
    return str((await _asked(client, who, "/api/strategies", wanted))["name"])


async def deleted_strategy(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    name = await strategy(site, client, who)
    answer = await client.delete(f"/api/strategies/{name}", headers=who.headers)
    assert answer.status_code == 204, answer.text
    return name


async def person(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    """For what administrators may look at."""
    return str((await site.person()).user_id)


async def plan(site: Site, client: httpx.AsyncClient, who: Person) -> str:
    name = f"plan-{uuid4().hex[:8]}"
    wanted = {"most_queued": 1, "most_running": 1, "most_backtests": 1, "most_models": 1, "reason": "For a test."}
    answer = await client.put(f"/api/admin/plans/{name}", json=wanted, headers=who.headers)
    assert answer.status_code == 200, answer.text
    return name


async def _row(site: Site, table: str, who: Person) -> str:
    row = ROWS[table](who.user_id)
    marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    connection = await asyncpg.connect(site.database.dsn("supabase_admin"))
    try:
        await connection.execute(
            f"insert into public.{table} ({', '.join(row)}) values ({marks}) on conflict do nothing", *row.values()
        )
    finally:
        await connection.close()
    return str(row["id"])


# By the word that a row of routes.toml has after `thing`.
MAKERS: Mapping[str, Maker] = {
    maker.__name__: maker
    for maker in (
        session,
        token,
        key,
        backtest,
        whole_backtest,
        preset,
        task,
        cancelled_task,
        share,
        link,
        series,
        upload,
        model,
        prediction,
        strategy,
        deleted_strategy,
        person,
        plan,
    )
}


def nobodys(thing: str) -> str:
    """An id of the right form that names nothing."""
    match thing:
        case "link":
            return make_link()
        case "plan":
            return f"plan-{uuid4().hex[:8]}"
        case _:
            return str(uuid4())


def malformed(thing: str) -> tuple[str, ...]:
    """What is no id of it, wherever it stands. A plan's is a word."""
    return ("Not a plan" if thing == "plan" else "not-an-id", "%00", "' or '1'='1")
