"""Backtests over HTTP: run once, refused with a pointer, read, edited, kept from everybody else."""

from typing import Any

import httpx
import pytest

from backend.bootstrap_market import open_bench
from backend.domain.jobs import Outcome
from backend.services.backtest_runs import run_backtest
from tests.api.conftest import Person, Site, assert_problem
from tests.job_tables import ROOM

PATH = "/api/backtests"
WANTED: dict[str, Any] = {
    "strategy": "sma_cross",
    "parameters": {"fast": 5, "slow": 10},
    "series": [{"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1d"}],
    "start": "2023-01-01T00:00:00Z",
    "end": "2023-07-01T00:00:00Z",
}


async def started(client: httpx.AsyncClient, who: Person, **changes: Any) -> str:
    answer = await client.post(f"{PATH}/run", json={**WANTED, **changes}, headers=who.headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def finished(client: httpx.AsyncClient, site: Site, who: Person, **changes: Any) -> str:
    """As the runner would end it, with what the engine makes of it."""
    backtest = await started(client, who, **changes)
    (lease,) = [one for one in await site.house.queue.claim("tests", ROOM) if str(one.job.id) == backtest]
    bench = open_bench(str(site.house.settings.cache_dir), None)
    came = run_backtest(lease.job.payload, who.user_id, bench, lambda *_, **__: None, lambda: False)
    assert await site.house.queue.finish([(lease, Outcome.completed(came))])
    return backtest


async def test_a_run_is_accepted_once_under_a_key(client: httpx.AsyncClient, ada: Person) -> None:
    headers = {**ada.headers, "Idempotency-Key": "once-1"}
    first, again = [await client.post(f"{PATH}/run", json=WANTED, headers=headers) for _ in range(2)]
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert first.headers["location"].endswith(first.json()["id"])
    assert again.headers["idempotency-replayed"] == "true"
    assert len((await client.get(PATH, headers=ada.headers)).json()["items"]) == 1


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"strategy": "smacross"}, "/strategy"),
        ({"parameters": {"fast": 1}}, "/parameters/fast"),
        ({"end": "2022-01-01T00:00:00Z"}, "/end"),
        ({"trading": {"cash": "NaN"}}, "/trading/cash"),
        ({"series": [{"provider": "yahoo", "symbol": "AAPL", "timeframe": "1d"}]}, "/series/0"),
    ],
)
async def test_what_is_wrong_is_named_by_its_field(
    client: httpx.AsyncClient, ada: Person, changes: dict[str, Any], pointer: str
) -> None:
    answer = await client.post(f"{PATH}/run", json={**WANTED, **changes}, headers=ada.headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_pages_go_on_in_their_own_order_alone(client: httpx.AsyncClient, ada: Person) -> None:
    ids = {await started(client, ada, name="Same") for _ in range(3)}
    for sort in ("name", "total_return"):
        seen: list[str] = []
        path = f"{PATH}?sort={sort}&limit=1"
        while path:
            answer = await client.get(path, headers=ada.headers)
            seen += [one["id"] for one in answer.json()["items"]]
            path = answer.links.get("next", {}).get("url", "")
        assert (len(seen), set(seen)) == (3, ids)
    cursor = (await client.get(f"{PATH}?sort=name&limit=1", headers=ada.headers)).json()["next_cursor"]
    other = await client.get(f"{PATH}?sort=trades&cursor={cursor}", headers=ada.headers)
    assert other.json()["code"] == "invalid_cursor"


async def test_edits_need_the_version_and_deleting_is_undone(client: httpx.AsyncClient, ada: Person) -> None:
    one = f"{PATH}/{await started(client, ada)}"
    tag = (await client.get(one, headers=ada.headers)).headers["etag"]
    assert_problem(await client.patch(one, json={"name": "B"}, headers=ada.headers), 428, "version_required")
    known = {**ada.headers, "If-Match": tag}
    assert (await client.patch(one, json={"name": "B"}, headers=known)).json()["name"] == "B"
    assert_problem(await client.patch(one, json={"name": "C"}, headers=known), 412, "version_conflict")
    assert_problem(await client.get(f"{one}/trades", headers=ada.headers), 409, "backtest_not_finished")
    assert (await client.delete(one, headers=ada.headers)).status_code == 204
    assert (await client.get(PATH, headers=ada.headers)).json()["items"] == []
    assert (await client.post(f"{one}/restore", headers=ada.headers)).json()["deleted_at"] is None


async def test_a_result_is_read_and_exported_and_nobody_elses(client: httpx.AsyncClient, site: Site) -> None:
    ada, eve = await site.person(), await site.person()
    await site.execute("delete from public.tasks", role="postgres")
    one = f"{PATH}/{await finished(client, site, ada, name='<script>x</script>')}"
    trades = (await client.get(f"{one}/trades?first=1&limit=1", headers=ada.headers)).json()
    assert (trades["first"], len(trades["columns"]["pnl"])) == (1, 1)
    document = (await client.get(f"{one}/export", headers=ada.headers)).json()
    assert document["trades"][1]["pnl"] == trades["columns"]["pnl"][0]
    page = await client.get(f"{one}/export?format=html", headers=ada.headers)
    assert page.headers["content-security-policy"].startswith("sandbox;")
    assert "attachment" in page.headers["content-disposition"]
    assert "<script>x" not in page.text
    for place in ("", "/trades", "/equity", "/export"):
        assert_problem(await client.get(one + place, headers=eve.headers), 404, "backtest_not_found")
