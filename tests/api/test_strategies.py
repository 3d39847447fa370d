"""Strategies over HTTP: listed, saved in versions, checked, looked at on bars, and nobody else's."""

from typing import Any

import httpx
import pytest

from backend.domain.strategies.rules.examples import BREAKOUT_ON_VOLUME, DIP_IN_A_RISING_MARKET
from tests.api.conftest import Person, Site, assert_problem

PATH = "/api/strategies"
WANTED = {"name": "Dip", "about": "Buys dips.", "rules": DIP_IN_A_RISING_MARKET, "note": "first"}


@pytest.fixture(scope="module")
async def client(site: Site) -> Any:
    async with site.client() as client:
        yield client


async def save(client: httpx.AsyncClient, who: Person, **changes: Any) -> httpx.Response:
    answer = await client.post(PATH, json={**WANTED, **changes}, headers=who.headers)
    assert answer.status_code == 201, answer.text
    return answer


async def put(client: httpx.AsyncClient, who: Person, saved: httpx.Response, **changes: Any) -> httpx.Response:
    headers = {**who.headers, "If-Match": saved.headers["ETag"]}
    return await client.put(f"{PATH}/{saved.json()['name']}", json={**WANTED, **changes}, headers=headers)


async def test_the_list_holds_installed_ones_beside_ones_own(client: httpx.AsyncClient, site: Site) -> None:
    me, other = await site.person(), await site.person()
    saved = (await save(client, me)).json()
    listed = await client.get(PATH, headers=me.headers)
    items = {one["name"]: one for one in listed.json()["items"]}
    assert items["sma_cross"]["kind"] == "built_in"
    assert "Fails in sideways markets" in items["sma_cross"]["description"]
    assert items[saved["name"]]["title"] == "Dip"
    assert listed.json()["broken"] == []
    again = await client.get(PATH, headers={**me.headers, "If-None-Match": listed.headers["ETag"]})
    assert again.status_code == 304
    theirs = await client.get(PATH, headers=other.headers)
    assert saved["name"] not in {one["name"] for one in theirs.json()["items"]}
    assert_problem(await client.get(f"{PATH}/{saved['name']}", headers=other.headers), 404, "unknown_strategy")


async def test_an_installed_one_tells_its_parameters_and_is_nobodys_to_change(
    client: httpx.AsyncClient, site: Site
) -> None:
    me = await site.person()
    found = (await client.get(f"{PATH}/sma_cross", headers=me.headers)).json()
    assert found["parameters"]["properties"]["fast"]["maximum"] == 1_000
    assert found["parameters"]["properties"]["fast"]["unit"] == "bars"
    assert [plot["parameters"] for plot in found["plots"]] == [{"period": 20}, {"period": 50}]
    assert found["run"] == {"strategy": "sma_cross", "parameters": {}}
    assert len(found["source_hash"]) == 64
    body = assert_problem(await client.get(f"{PATH}/smacross", headers=me.headers), 404, "unknown_strategy")
    assert "Did you mean 'sma_cross'?" in body["detail"]
    assert_problem(await client.delete(f"{PATH}/sma_cross", headers=me.headers), 403, "not_allowed")
    assert_problem(await client.delete(f"{PATH}/nothing", headers=me.headers), 404, "unknown_strategy")


async def test_rules_that_differ_are_a_new_version_and_the_same_ones_are_none(
    client: httpx.AsyncClient, site: Site
) -> None:
    me = await site.person()
    first = await save(client, me)
    assert first.headers["Location"] == f"{PATH}/{first.json()['name']}"
    assert first.json()["version"] == 1
    assert first.json()["words"][0].startswith("Enter long: the close price > SMA (50) on 1d and")
    assert first.json()["run"]["strategy"] == "rules"
    same = await put(client, me, first)
    assert (same.json()["version"], same.headers["ETag"]) == (1, first.headers["ETag"])
    renamed = await put(client, me, same, name="Deep dip")
    assert (renamed.json()["version"], renamed.json()["title"]) == (1, "Deep dip")
    second = await put(client, me, renamed, name="Deep dip", rules=BREAKOUT_ON_VOLUME, note="second")
    assert second.json()["version"] == 2
    late = await put(client, me, renamed, name="Late")
    assert_problem(late, 412, "version_conflict")
    bare = await client.put(f"{PATH}/{first.json()['name']}", json=WANTED, headers=me.headers)
    assert_problem(bare, 428, "version_required")
    at = f"{PATH}/{first.json()['name']}/versions"
    page = (await client.get(at, params={"limit": 1}, headers=me.headers)).json()
    rest = (await client.get(at, params={"cursor": page["next_cursor"]}, headers=me.headers)).json()
    assert [(one["version"], one["note"]) for one in (*page["items"], *rest["items"])] == [(2, "second"), (1, "first")]
    old = (await client.get(f"{at}/1", headers=me.headers)).json()
    assert old["rules"] == first.json()["rules"]
    missing = assert_problem(await client.get(f"{at}/3", headers=me.headers), 404, "unknown_strategy_version")
    assert missing["detail"] == "There is no version 3; the newest is 2."


async def test_what_is_deleted_can_be_restored(client: httpx.AsyncClient, site: Site) -> None:
    me = await site.person()
    saved = await save(client, me)
    at = f"{PATH}/{saved.json()['name']}"
    assert (await client.delete(at, headers=me.headers)).status_code == 204
    assert_problem(await client.delete(at, headers=me.headers), 404, "unknown_strategy")
    deleted = (await client.get(PATH, params={"deleted": "true"}, headers=me.headers)).json()["items"]
    assert [one["title"] for one in deleted] == ["Dip"]
    assert_problem(await put(client, me, saved), 403, "not_allowed")
    back = await client.post(f"{at}/restore", headers=me.headers)
    assert (back.json()["deleted_at"], back.json()["version"]) == (None, 1)
    assert (await client.post(f"{at}/restore", headers=me.headers)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "code", "pointer"),
    [
        ({"name": " "}, 422, "invalid_input", "/name"),
        ({"name": "a\x00b"}, 422, "invalid_input", "/name"),
        ({"name": "x" * 81}, 422, "invalid_input", "/name"),
        ({"about": "a\u202eb"}, 422, "invalid_input", "/about"),
        ({"name": "SMA_cross"}, 409, "strategy_name_taken", None),
        ({"rules": {"long": {}}}, 422, "invalid_rules", "/rules/long"),
        ({"rules": "{"}, 422, "invalid_rules", "/rules"),
        ({"rules": None}, 422, "invalid_rules", "/rules"),
        ({"owner": "me"}, 422, "invalid_input", "/owner"),
    ],
)
async def test_what_cannot_be_saved_is_pointed_at(
    client: httpx.AsyncClient, site: Site, changes: dict[str, Any], status: int, code: str, pointer: str | None
) -> None:
    me = await site.person()
    body = assert_problem(await client.post(PATH, json={**WANTED, **changes}, headers=me.headers), status, code)
    assert [one["pointer"] for one in body["errors"]] == ([pointer] if pointer else [])
    assert "\x00" not in str(body)
    assert "\u202e" not in str(body)
    assert len((await client.get(PATH, params={"deleted": "true"}, headers=me.headers)).json()["items"]) == 0


async def test_a_save_that_is_sent_twice_is_done_once(client: httpx.AsyncClient, site: Site) -> None:
    me = await site.person()
    headers = {**me.headers, "Idempotency-Key": "save-1"}
    first = await client.post(PATH, json=WANTED, headers=headers)
    again = await client.post(PATH, json=WANTED, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["Idempotency-Replayed"] == "true"


async def test_rules_are_checked_node_by_node(client: httpx.AsyncClient, site: Site) -> None:
    me = await site.person()

    async def checked(rules: Any) -> dict[str, Any]:
        answer = await client.post(f"{PATH}/validate", json={"rules": rules}, headers=me.headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    good = await checked(BREAKOUT_ON_VOLUME)
    assert good["is_valid"]
    assert good["words"][0].startswith("Enter long: the close price crosses above DONCHIAN (20) upper 1 bar ago and")
    assert (good["indicators"], good["warmup"]) == (["donchian", "relative_volume"], 21)
    dip = await checked(DIP_IN_A_RISING_MARKET)
    assert (dip["warmup"], dip["longer_warmup"]) == (113, {"1d": 50})
    odd = {"long": {"enter": {"op": ">", "left": {"price": "cl\x00ose"}, "right": {"price": "low", "\x1b[2J": 1}}}}
    bad = await checked(odd)
    assert not bad["is_valid"]
    assert bad["errors"][0]["pointer"] == "/long/enter/left/price"
    assert all(text.isprintable() for one in bad["errors"] for text in one.values())
    crowd = {"long": {"enter": {"op": "and", "of": [{}] * 5_000}}}
    worst: list[Any] = [[], "[" * 60_000, {"long": [[[]]] * 9}, 7, crowd]
    for worse in worst:
        assert not (await checked(worse))["is_valid"]


async def test_the_grammar_offers_what_the_checks_accept(client: httpx.AsyncClient, site: Site) -> None:
    me = await site.person()
    grammar = (await client.get(f"{PATH}/rules/grammar", headers=me.headers)).json()
    assert "sma" in {one["name"] for one in grammar["indicators"]}
    assert grammar["rules_schema"]["title"] == "Rules"
    for example in grammar["examples"]:
        answer = await client.post(f"{PATH}/validate", json={"rules": example["rules"]}, headers=me.headers)
        assert answer.json()["is_valid"], example["title"]


async def test_a_preview_shows_lines_and_signals_of_the_last_bars(client: httpx.AsyncClient, site: Site) -> None:
    me, other = await site.person(), await site.person()
    saved = (await save(client, me, rules=BREAKOUT_ON_VOLUME)).json()

    async def preview(who: Person = me, **asked: Any) -> httpx.Response:
        series = {"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1d"}
        body = {"series": series, "end": "2025-01-01T00:00:00Z", "bars": 300, **asked}
        return await client.post(f"{PATH}/preview", json=body, headers=who.headers)

    shown = (await preview(strategy=saved["name"])).json()
    assert len(shown["bars"]["ts"]) == 300
    assert shown["bars"]["ts"][-1] == 1_735_603_200_000  # 2024-12-31
    assert [line["output"] for line in shown["lines"]] == ["upper", "middle", "lower", "relative"]
    assert all(len(line["values"]) == 300 for line in shown["lines"])
    signals = shown["signals"]
    assert set(signals["side"]) <= {"long", "short", "flat"}
    assert len(signals["ts"]) == len(signals["reason"]) > 0
    assert set(signals["ts"]) <= set(shown["bars"]["ts"])
    assert shown["reasons"][signals["reason"][0]].startswith("Enter ")
    assert shown["is_simulated"]
    same = (await preview(strategy="rules", parameters=saved["run"]["parameters"])).json()
    assert same == shown, "a saved strategy runs as rules with its document"

    hourly = {"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"}
    dip = (await preview(strategy="rules", parameters={"rules": DIP_IN_A_RISING_MARKET}, series=hourly)).json()
    assert dip["warmup"] == 50 * 24  # hours, until the daily average is there
    assert_problem(await preview(other, strategy=saved["name"]), 404, "unknown_strategy")
    wrong = assert_problem(await preview(strategy="sma_cross", parameters={"fast": 1}), 422, "invalid_parameters")
    assert wrong["errors"] == [{"pointer": "/parameters/fast", "detail": "fast is 1; at least 2 is needed."}]
    series = {"provider": "demo", "symbol": "BTCUSDT", "timeframe": "1d"}
    assert_problem(await preview(strategy="sma_cross", series=series), 404, "unknown_symbol")
    stored = {"provider": "yahoo", "symbol": "AAPL", "timeframe": "1d"}
    unknown = assert_problem(await preview(strategy="sma_cross", series=stored), 404, "no_bars")
    assert unknown["detail"] == "Nothing of yahoo AAPL 1d is stored here. Download it first."
    assert_problem(await preview(strategy="sma_cross", bars=2_001), 422, "invalid_input")
    assert_problem(await preview(strategy="sma_cross", start="2025-02-01T00:00:00Z"), 422, "invalid_input")
