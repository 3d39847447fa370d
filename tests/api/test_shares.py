"""Links to results over HTTP: what a visitor sees, what nobody sees, and how a link ends."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from loguru import logger

from backend.domain.shares import make_link
from backend.infrastructure.rate_limits import MemoryRateLimiter
from backend.infrastructure.redaction import redact
from tests.api.conftest import Person, Site, assert_problem
from tests.finished_backtests import FIGURES, finished_backtest

PATH = "/api/shares"
UNLISTED = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow", "referrer-policy": "no-referrer"}


async def has_run(site: Site, who: Person, **facts: Any) -> UUID:
    return await finished_backtest(site.database.dsn("postgres"), who.user_id, **facts)


async def share(client: httpx.AsyncClient, who: Person, backtest_id: UUID, **changes: Any) -> dict[str, Any]:
    wanted = {"backtest_id": str(backtest_id), "title": "Slow cross", "expires_in_days": 30, **changes}
    answer = await client.post(PATH, json=wanted, headers=who.headers)
    assert answer.status_code == 201, answer.text
    assert {name: answer.headers[name] for name in UNLISTED} == UNLISTED
    made: dict[str, Any] = answer.json()
    return made


async def test_a_visitor_sees_the_run_and_nothing_of_whose_it_is(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    backtest_id = await has_run(site, ada)
    made = await share(client, ada, backtest_id)
    assert made["url"].endswith(f"/shared/{made['token']}")
    seen = ""
    for path in ("", "/trades", "/equity"):
        answer = await client.get(f"{PATH}/{made['token']}{path}")
        assert answer.status_code == 200, answer.text
        assert {name: answer.headers[name] for name in UNLISTED} == UNLISTED
        seen += answer.text
    run = (await client.get(f"{PATH}/{made['token']}")).json()
    assert (run["title"], run["strategy"], run["symbols"]) == ("Slow cross", "sma_cross", ["BTC/USDT"])
    assert run["currency"] == "USDT"
    assert (run["figures"], run["trade_rows"], run["config"]["parameters"]) == (FIGURES, 3, {"fast": 20})
    for private in (ada.user_id, backtest_id, ada.email, "private", "secret", 'notes"', made["id"]):
        assert str(private) not in seen.replace('"notes": []', "").replace('"notes":[]', ""), private


async def test_trades_come_by_range_and_equity_thinned(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    made = await share(client, ada, await has_run(site, ada, rows=100))
    trades = (await client.get(f"{PATH}/{made['token']}/trades", params={"first": 97, "limit": 10})).json()
    assert (trades["total"], trades["first"], trades["columns"]["pnl"]) == (100, 97, [97.0, 98.0, 99.0])
    beyond = (await client.get(f"{PATH}/{made['token']}/trades", params={"first": 500})).json()
    assert [values for values in beyond["columns"].values() if values] == []
    equity = (await client.get(f"{PATH}/{made['token']}/equity", params={"points": 10})).json()
    assert equity["total"] == 100
    assert 2 <= len(equity["columns"]["equity"]) <= 12


async def test_a_link_that_ended_answers_as_one_that_never_was(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    ended = []
    for change in (
        "update public.shares set revoked_at = now() where id = $1",
        "update public.shares set created_at = now() - interval '2 days', expires_at = now() - interval '1 s'"
        " where id = $1",
        "update public.backtests set deleted_at = now()"
        " where id = (select backtest_id from public.shares where id = $1)",
    ):
        made = await share(client, ada, await has_run(site, ada))
        assert (await client.get(f"{PATH}/{made['token']}")).status_code == 200
        await site.execute(change, made["id"], role="postgres")
        ended.append(made["token"])
    for link in (*ended, make_link(), "x", f"{ended[0]}x"):
        for path in ("", "/trades", "/equity"):
            body = assert_problem(await client.get(f"{PATH}/{link}{path}"), 404, "share_not_found")
            assert body["detail"] == "This link does not exist, has expired or was revoked."


async def test_the_link_of_somebody_suspended_shows_nothing(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    made = await share(client, ada, await has_run(site, ada))
    await site.execute("update auth.users set banned_until = now() + interval '1 hour' where id = $1", ada.user_id)
    assert_problem(await client.get(f"{PATH}/{made['token']}"), 404, "share_not_found")
    await site.execute("delete from auth.users where id = $1", ada.user_id)
    assert_problem(await client.get(f"{PATH}/{made['token']}"), 404, "share_not_found")


async def test_ones_own_are_listed_narrowed_and_revoked(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    first, second = await has_run(site, ada), await has_run(site, ada)
    made = [await share(client, ada, run) for run in (first, second)]
    listed = (await client.get(PATH, headers=ada.headers)).json()["items"]
    assert [one["id"] for one in listed] == [made[1]["id"], made[0]["id"]]
    assert not {"token", "url", "digest"} & set(listed[0])
    only = (await client.get(PATH, params={"backtest_id": str(first)}, headers=ada.headers)).json()["items"]
    assert [one["id"] for one in only] == [made[0]["id"]]
    gone = await client.delete(f"{PATH}/{made[0]['id']}", headers=ada.headers)
    assert (gone.status_code, gone.content) == (204, b"")
    assert_problem(await client.get(f"{PATH}/{made[0]['token']}"), 404, "share_not_found")
    assert_problem(await client.delete(f"{PATH}/{made[0]['id']}", headers=ada.headers), 404, "share_not_found")
    [revoked] = (await client.get(PATH, params={"backtest_id": str(first)}, headers=ada.headers)).json()["items"]
    assert revoked["state"] == "revoked"


async def test_nobody_shares_sees_or_revokes_anothers(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    backtest_id, eve = await has_run(site, ada), await site.person()
    wanted = {"backtest_id": str(backtest_id), "expires_in_days": 30}
    assert_problem(await client.post(PATH, json=wanted, headers=eve.headers), 404, "backtest_not_found")
    made = await share(client, ada, backtest_id)
    assert (await client.get(PATH, headers=eve.headers)).json()["items"] == []
    assert_problem(await client.delete(f"{PATH}/{made['id']}", headers=eve.headers), 404, "share_not_found")
    assert (await client.get(f"{PATH}/{made['token']}")).status_code == 200


async def test_what_cannot_be_shared_says_why(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    running, study = await has_run(site, ada, figures=False), await has_run(site, ada, kind="sweep")
    good = await has_run(site, ada)
    for backtest_id, change, status, code in (
        (running, {}, 409, "backtest_not_finished"),
        (study, {}, 422, "invalid_input"),
        (uuid4(), {}, 404, "backtest_not_found"),
        (good, {"expires_in_days": 366}, 422, "invalid_input"),
        (good, {"expires_in_days": 0}, 422, "invalid_input"),
        (good, {"title": " "}, 422, "invalid_input"),
    ):
        wanted = {"backtest_id": str(backtest_id), "expires_in_days": 30, **change}
        assert_problem(await client.post(PATH, json=wanted, headers=ada.headers), status, code)
    assert (await share(client, ada, good, title=None))["title"] == "My private name"


async def test_openings_are_counted_apart_from_the_visits(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    made = await share(client, ada, await has_run(site, ada))
    for path in ("", "", "/trades"):
        await client.get(f"{PATH}/{made['token']}{path}")
    await site.house.openings.write()
    [listed] = (await client.get(PATH, headers=ada.headers)).json()["items"]
    assert (listed["opened"], listed["last_opened_at"] is not None) == (2, True)


async def test_no_address_tries_links_without_end(site: Site) -> None:
    async with site.client(limiter=MemoryRateLimiter()) as client:
        answers = [await client.get(f"{PATH}/{make_link()}") for _ in range(125)]
    assert {answer.status_code for answer in answers[:110]} == {404}
    assert_problem(answers[-1], 429, "rate_limited")


async def test_a_link_is_in_no_log(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(redact(f"{line} {line.record['extra']}")), level="DEBUG")
    try:
        made = await share(client, ada, await has_run(site, ada))
        await client.get(f"{PATH}/{made['token']}/trades")
        await client.get(f"/shared/{made['token']}", headers={"Accept": "text/html"})
        await client.get(f"/shared/{made['token']}x")
    finally:
        logger.remove(sink)
    assert any("A result was shared" in line and made["id"] in line for line in lines)
    assert any("/api/shares/[hidden]/trades" in line for line in lines)
    assert made["token"] not in "".join(lines)


@pytest.mark.parametrize("path", ["/shared/abc", "/settings"])
async def test_only_shared_pages_are_kept_from_search_engines(site: Site, web_app: Any, path: str) -> None:
    async with site.client(web_app=web_app) as client:
        answer = await client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert (answer.headers.get("x-robots-tag") == "noindex, nofollow") == path.startswith("/shared/")
    assert answer.headers["referrer-policy"] == "no-referrer"
