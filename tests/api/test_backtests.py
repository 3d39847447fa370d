"""Backtests over HTTP: run once, refused with a pointer, read, edited, kept from everybody else."""

import io
import json
import zipfile
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import pandas as pd
import pytest

from backend.bootstrap_market import open_bench
from backend.domain.jobs import Outcome
from backend.services.backtest_runs import run_backtest
from backend.services.study_runs import study
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


async def started(client: httpx.AsyncClient, who: Person, path: str = "run", **changes: Any) -> str:
    answer = await client.post(f"{PATH}/{path}", json={**WANTED, **changes}, headers=who.headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def finished(client: httpx.AsyncClient, site: Site, who: Person, path: str = "run", **changes: Any) -> str:
    """As the runner would end it, with what the engine makes of it."""
    backtest = await started(client, who, path, **changes)
    (lease,) = await site.house.queue.claim("tests", ROOM, job_ids=[UUID(backtest)])
    bench = open_bench(str(site.house.settings.cache_dir), None)
    work = run_backtest if path == "run" else partial(study, kind=lease.job.kind)
    came = work(lease.job.payload, who.user_id, bench, lambda *_, **__: None, lambda: False)
    assert await site.house.queue.finish([(lease, Outcome.completed(came))])
    return backtest


async def files(client: httpx.AsyncClient, who: Person, backtest: str, kind: str) -> dict[str, bytes]:
    """Those of an export that is a zip."""
    answer = await client.get(f"{PATH}/{backtest}/export", params={"format": kind}, headers=who.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == f'attachment; filename="backtest-{backtest}.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


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


async def test_tables_are_exported_and_read_again_as_they_were(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    backtest = await finished(client, site, ada, name="=1+1")
    shown = (await client.get(f"{PATH}/{backtest}/trades", headers=ada.headers)).json()["columns"]
    texts, tables = await files(client, ada, backtest, "csv"), await files(client, ada, backtest, "parquet")
    assert set(texts) == {"backtest.json", "backtest-trades.csv", "backtest-equity.csv"}
    assert set(tables) == {"backtest.json", "backtest-trades.parquet", "backtest-equity.parquet"}
    for trades in (
        pd.read_csv(io.BytesIO(texts["backtest-trades.csv"])),
        pd.read_parquet(io.BytesIO(tables["backtest-trades.parquet"])),
    ):
        assert trades["pnl"].tolist() == shown["pnl"]
        assert list(trades) == list(shown)
    assert len(pd.read_parquet(io.BytesIO(tables["backtest-equity.parquet"]))) == 181
    assert json.loads(texts["backtest.json"]) == json.loads(tables["backtest.json"])


async def test_a_run_that_never_traded_is_exported_in_every_form(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    backtest = await finished(client, site, ada, parameters={"fast": 5, "slow": 180})
    page = await client.get(f"{PATH}/{backtest}/export?format=html", headers=ada.headers)
    assert page.status_code == 200, page.text
    assert (await client.get(f"{PATH}/{backtest}/export", headers=ada.headers)).json()["trades"] == []
    text = (await files(client, ada, backtest, "csv"))["backtest-trades.csv"].decode()
    traded = await files(client, ada, await finished(client, site, ada), "csv")
    assert text == traded["backtest-trades.csv"].decode().partition("\n")[0] + "\n"
    assert "backtest-trades.parquet" in await files(client, ada, backtest, "parquet")


async def test_a_study_is_exported_with_its_trials_and_is_no_run(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    space = {"fast": [3, 4], "slow": [10, 20]}
    backtest = await finished(client, site, ada, "sweep", space=space, name="<script>x</script>")
    document = (await client.get(f"{PATH}/{backtest}/export", headers=ada.headers)).json()
    assert (document["kind"], len(document["trials"]), document["study"]["kind"]) == ("sweep", 4, "sweep")
    trials = (await files(client, ada, backtest, "parquet"))["backtest-trials.parquet"]
    assert len(pd.read_parquet(io.BytesIO(trials))) == 4
    assert "parameter.fast" in (await files(client, ada, backtest, "csv"))["backtest-trials.csv"].decode()
    page = await client.get(f"{PATH}/{backtest}/export?format=html", headers=ada.headers)
    assert page.text.startswith("<!doctype html>")
    assert "<script>x" not in page.text
    for place in ("replay", "guard"):
        answer = await client.post(f"{PATH}/{backtest}/{place}", headers=ada.headers)
        body = assert_problem(answer, 422, "invalid_input")
        assert "is a sweep, not one run" in body["errors"][0]["detail"]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_moments_that_no_calendar_has_are_refused(client: httpx.AsyncClient, ada: Person, moment: str) -> None:
    one = f"{PATH}/{await started(client, ada)}"
    for place in ("equity", "chart"):
        answer = await client.get(f"{one}/{place}", params={"start": moment}, headers=ada.headers)
        assert assert_problem(answer, 422, "invalid_input")["errors"][0]["pointer"] == "/query/start"
    run = await client.post(f"{PATH}/run", json={**WANTED, "start": moment}, headers=ada.headers)
    assert assert_problem(run, 422, "invalid_input")["errors"][0]["pointer"] == "/start"


async def test_a_list_is_narrowed_as_it_is_asked(client: httpx.AsyncClient, ada: Person) -> None:
    starred = await started(client, ada, name="Starred", tags=["a", "b"])
    away, gone = await started(client, ada, name="Away", tags=["a"]), await started(client, ada, name="Gone")
    child = await started(client, ada, name="Child", parent_id=starred)
    study = await started(client, ada, "sweep", name="Sweep", space={"fast": [3, 4]})
    every = {**ada.headers, "If-Match": "*"}
    await client.patch(f"{PATH}/{starred}", json={"is_starred": True, "notes": "Above 50 %"}, headers=every)
    await client.patch(f"{PATH}/{away}", json={"is_archived": True}, headers=every)
    await client.delete(f"{PATH}/{gone}", headers=ada.headers)

    async def found(query: str) -> set[str]:
        answer = await client.get(f"{PATH}?{query}", headers=ada.headers)
        assert answer.status_code == 200, answer.text
        return {one["id"] for one in answer.json()["items"]}

    everything = {starred, child, study}
    for query, wanted in (
        ("", everything),
        ("state=queued", everything),
        ("state=running&state=failed", set()),
        ("kind=sweep", {study}),
        ("kind=sweep&kind=backtest", everything),
        ("tag=a", {starred}),
        ("tag=a&tag=b", {starred}),
        ("tag=a&tag=c", set()),
        ("tag=a&archived=true", {away}),
        ("starred=true", {starred}),
        ("starred=false", {child, study}),
        ("archived=true", {away}),
        ("deleted=true", {gone}),
        ("search=50 %25", {starred}),
        ("search=SWEEP", {study}),
        ("search=eth", set()),
        (f"parent={starred}", {child}),
        (f"parent={uuid4()}", set()),
        ("symbol=BTC/USDT&strategy=sma_cross", everything),
        ("symbol=ETH/USDT", set()),
    ):
        assert await found(query) == wanted, query


async def test_presets_are_a_hundred_and_each_can_be_replaced(client: httpx.AsyncClient, ada: Person) -> None:
    async def kept(name: str, form: dict[str, Any]) -> httpx.Response:
        return await client.post(f"{PATH}/presets", json={"name": name, "form": form}, headers=ada.headers)

    for number in range(100):
        assert (await kept(f"P {number}", {})).status_code == 200
    assert_problem(await kept("One more", {}), 429, "quota_reached")
    assert (await kept(" P  7 ", {"fast": 1})).json()["form"] == {"fast": 1}
    listed = (await client.get(f"{PATH}/presets", headers=ada.headers)).json()["items"]
    assert len(listed) == 100
    assert (await client.delete(f"{PATH}/presets/{listed[0]['id']}", headers=ada.headers)).status_code == 204
    assert (await kept("One more", {})).status_code == 200


async def test_nothing_of_anothers_can_be_changed(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    eve = await site.person()
    backtest = await finished(client, site, ada)
    form = {"name": "Mine", "form": {}}
    preset = (await client.post(f"{PATH}/presets", json=form, headers=ada.headers)).json()["id"]
    one, theirs = f"{PATH}/{backtest}", {**eve.headers, "If-Match": "*"}
    before = (await client.get(one, headers=ada.headers)).json()
    for answer, code in (
        (await client.patch(one, json={"name": "Theirs"}, headers=theirs), "backtest_not_found"),
        (await client.delete(one, headers=theirs), "backtest_not_found"),
        (await client.post(f"{one}/restore", headers=theirs), "backtest_not_found"),
        (await client.post(f"{one}/replay", headers=theirs), "backtest_not_found"),
        (await client.post(f"{one}/guard", headers=theirs), "backtest_not_found"),
        (
            await client.post(f"{PATH}/run", json={**WANTED, "parent_id": backtest}, headers=theirs),
            "backtest_not_found",
        ),
        (
            await client.post(f"{PATH}/compare", json={"ids": [backtest, str(uuid4())]}, headers=theirs),
            "backtest_not_found",
        ),
        (await client.post(f"/api/system/tasks/{backtest}/cancel", headers=theirs), "job_not_found"),
        (await client.post(f"/api/system/tasks/{backtest}/retry", headers=theirs), "job_not_found"),
        (await client.delete(f"{PATH}/presets/{preset}", headers=theirs), "not_found"),
    ):
        assert_problem(answer, 404, code)
    assert (await client.get(one, headers=ada.headers)).json() == before
    assert (await client.get(PATH, headers=eve.headers)).json()["items"] == []
    assert (await client.get(f"{PATH}/presets", headers=eve.headers)).json()["items"] == []
