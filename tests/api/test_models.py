"""Models and predictions over HTTP: trained, asked, compared, and kept from everybody else."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from backend.bootstrap_models import open_model_desk, open_school
from backend.data.storage.quotas import FolderQuotas
from backend.domain.jobs import Outcome
from backend.domain.market import IMPORT, Series, Span, Timeframe
from backend.domain.market_errors import DataTooLarge
from backend.domain.market_ports import FetchedPage
from backend.services.model_training import train_model
from tests.api.conftest import Person, Site, assert_problem
from tests.job_tables import ROOM
from tests.market_bars import walk

PATH = "/api/models"
SERIES = {"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1d"}
SPEC = {"horizon": 10, "folds": 2, "rounds": 10, "patience": 5, "least_in_leaf": 20}
WANTED: dict[str, Any] = {"series": SERIES, "spec": SPEC, "start": "2021-01-01T00:00:00Z"}


async def started(client: httpx.AsyncClient, who: Person, **changes: Any) -> str:
    answer = await client.post(f"{PATH}/train", json={**WANTED, **changes}, headers=who.headers)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def finished(site: Site, who: Person, model_id: str, **card: Any) -> None:
    """As the runner would end it, with what a child makes of it; parts of the card can be said otherwise."""
    (lease,) = await site.house.queue.claim("tests", ROOM, job_ids=[UUID(model_id)])
    school = open_school(str(site.house.settings.cache_dir), site.house.settings.user_disk_bytes)
    payload = {**lease.job.payload, "task_id": model_id}
    came = await asyncio.to_thread(train_model, payload, who.user_id, school, lambda *_, **__: None, lambda: False)
    came["card"] |= card
    assert await site.house.queue.finish([(lease, Outcome.completed(came))])


async def trained(client: httpx.AsyncClient, site: Site, who: Person, **changes: Any) -> str:
    model_id = await started(client, who, **changes)
    await finished(site, who, model_id)
    return model_id


@pytest.fixture(scope="module")
async def seer(client: httpx.AsyncClient, site: Site) -> tuple[Person, str]:
    """Somebody with a champion, which nobody may take away."""
    who = await site.person()
    return who, await trained(client, site, who, name="Seer")


async def test_a_training_is_accepted_once_under_a_key(client: httpx.AsyncClient, ada: Person) -> None:
    headers = {**ada.headers, "Idempotency-Key": "train-1"}
    first, again = [await client.post(f"{PATH}/train", json=WANTED, headers=headers) for _ in range(2)]
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert first.headers["location"] == f"{PATH}/{first.json()['id']}"
    (row,) = (await client.get(PATH, headers=ada.headers)).json()["items"]
    assert (row["state"], row["task_state"], row["question"]) == ("training", "queued", "direction:10")
    assert row["name"] == "BTC/USDT 1d, direction in 10 bars"
    assert (row["auc"], row["is_trusted"], row["size_bytes"]) == (None, None, 0)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"series": {**SERIES, "symbol": "NOPE/USDT"}}, "/series"),
        ({"series": {**SERIES, "provider": "nobody"}}, "/series"),
        ({"series": {"provider": IMPORT, "symbol": "MINE", "timeframe": "1d"}}, "/series"),
        ({"end": "2020-01-01T00:00:00Z"}, "/end"),
        ({"start": "2199-01-01T00:00:00Z"}, "/start"),
        ({"spec": {"horizon": 0}}, "/spec/horizon"),
        ({"spec": {"horizon": 12, "embargo": 3}}, "/spec"),
        ({"spec": {"horizon": 2000}}, "/series"),
        ({"name": "   "}, "/name"),
        ({"threads": 0}, "/threads"),
    ],
)
async def test_what_is_wrong_is_named_by_its_field(
    client: httpx.AsyncClient, ada: Person, changes: dict[str, Any], pointer: str
) -> None:
    answer = await client.post(f"{PATH}/train", json={**WANTED, **changes}, headers=ada.headers)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_too_little_history_says_how_much_is_needed(client: httpx.AsyncClient, ada: Person) -> None:
    short = {**WANTED, "start": "2024-01-01T00:00:00Z", "end": "2024-06-01T00:00:00Z"}
    refused = await client.post(f"{PATH}/train", json=short, headers=ada.headers)
    problem = assert_problem(refused, 422, "too_few_bars")
    estimate = (await client.post(f"{PATH}/estimate", json=short, headers=ada.headers)).json()
    assert (estimate["bars"], estimate["is_enough"]) == (152, False)
    assert f"at least {estimate['needed']:,}" in problem["detail"]


async def test_an_estimate_tells_time_and_memory(client: httpx.AsyncClient, ada: Person) -> None:
    answer = await client.post(f"{PATH}/estimate", json={**WANTED, "threads": 2}, headers=ada.headers)
    estimate = answer.json()
    assert estimate["is_enough"]
    assert estimate["cores"] == 2
    assert estimate["seconds"] > 0
    assert estimate["memory_bytes"] > 768 * 1024**2
    assert estimate["notes"] == ["BTC/USDT is simulated."]


async def test_more_threads_than_the_machine_has_are_refused(client: httpx.AsyncClient, ada: Person) -> None:
    answer = await client.post(f"{PATH}/train", json={**WANTED, "threads": 64}, headers=ada.headers)
    assert_problem(answer, 422, "job_too_large")


async def test_the_form_is_a_schema_with_defaults(client: httpx.AsyncClient, ada: Person) -> None:
    form = (await client.get(f"{PATH}/form", headers=ada.headers)).json()
    assert form["form"]["properties"]["horizon"]["unit"] == "bars"
    assert form["defaults"]["horizon"] == 12


async def test_a_trained_model_has_its_card(client: httpx.AsyncClient, seer: tuple[Person, str]) -> None:
    who, model_id = seer
    answer = await client.get(f"{PATH}/{model_id}", headers=who.headers)
    model = answer.json()
    assert (model["state"], model["task_state"]) == ("champion", "completed")
    assert model["auc"] == model["card"]["pooled"]["auc"]
    assert model["headline"] == model["card"]["verdict"]["headline"]
    assert model["card"]["file"]["bytes"] == model["size_bytes"]
    assert model["card"]["data"]["is_simulated"]
    same = await client.get(f"{PATH}/{model_id}", headers={**who.headers, "If-None-Match": answer.headers["etag"]})
    assert same.status_code == 304


async def test_a_name_is_changed_for_the_version_that_was_read(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    path = f"{PATH}/{await started(client, ada)}"
    assert_problem(await client.patch(path, json={"name": "New"}, headers=ada.headers), 428, "version_required")
    etag = (await client.get(path, headers=ada.headers)).headers["etag"]
    renamed = await client.patch(path, json={"name": " New  name "}, headers={**ada.headers, "If-Match": etag})
    assert renamed.json()["name"] == "New name"
    again = await client.patch(path, json={"name": "Newer"}, headers={**ada.headers, "If-Match": etag})
    assert_problem(again, 412, "version_conflict")
    edited = await client.patch(path, json={"card": {}}, headers={**ada.headers, "If-Match": "*"})
    assert_problem(edited, 422, "invalid_input")


async def test_a_fresh_champion_answers_at_once_and_says_the_same_again(
    client: httpx.AsyncClient, seer: tuple[Person, str]
) -> None:
    who, model_id = seer
    asked = {"series": SERIES, "horizon": 10}
    first, again = [await client.post("/api/predictions", json=asked, headers=who.headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 200), first.text
    said = first.json()
    assert said == again.json()
    assert (said["model_id"], said["model_name"], said["horizon"]) == (model_id, "Seer", 10)
    assert 0 < said["probability_up"] < 1
    assert said["low"] < said["expected_return"] < said["high"]
    made, entry, due = (datetime.fromisoformat(said[name]) for name in ("made_at", "entry_at", "due_at"))
    assert entry <= made < due == entry + timedelta(days=10)
    assert said["reasons"]
    assert len(said["contributions"]) == 8
    assert said["waiting"] == f"It is measured at {due:%Y-%m-%d %H:%M} UTC."
    read = await client.get(f"/api/predictions/{said['id']}", headers=who.headers)
    assert read.json() == said
    listed = (await client.get(f"/api/predictions?model_id={model_id}", headers=who.headers)).json()
    assert listed == {"items": [said], "next_cursor": None}
    record = (await client.get(f"{PATH}/{model_id}/track-record", headers=who.headers)).json()
    assert (record["predictions"], record["open"], record["scored"]) == (1, 1, 0)
    assert record["text"] == "None of its predictions has been measured yet."
    assert record["items"] == [said]


@pytest.mark.parametrize("odd", [{"provider": "de\0mo"}, {"symbol": "BTC\n"}, {"provider": "no such/"}])
async def test_a_series_that_cannot_be_is_named(client: httpx.AsyncClient, seer: tuple[Person, str], odd: Any) -> None:
    refused = await client.post("/api/predictions", json={"series": {**SERIES, **odd}}, headers=seer[0].headers)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == f"/series/{next(iter(odd))}"


async def test_a_prediction_is_made_once_under_a_key(client: httpx.AsyncClient, seer: tuple[Person, str]) -> None:
    who, model_id = seer
    headers = {**who.headers, "Idempotency-Key": "predict-1"}
    first, again = [
        await client.post("/api/predictions", json={"model_id": model_id}, headers=headers) for _ in range(2)
    ]
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = await client.post("/api/predictions", json={"series": SERIES, "horizon": 10}, headers=headers)
    assert_problem(other, 422, "idempotency_key_reused")


async def test_a_model_that_is_named_answers(client: httpx.AsyncClient, seer: tuple[Person, str]) -> None:
    who, model_id = seer
    said = await client.post("/api/predictions", json={"model_id": model_id}, headers=who.headers)
    assert said.json()["model_id"] == model_id
    both = {"model_id": model_id, "series": SERIES}
    assert_problem(await client.post("/api/predictions", json=both, headers=who.headers), 422, "invalid_input")
    unknown = await client.post("/api/predictions", json={"model_id": str(uuid4())}, headers=who.headers)
    assert_problem(unknown, 404, "model_not_found")


async def test_drift_tells_how_far_the_market_moved_away(client: httpx.AsyncClient, seer: tuple[Person, str]) -> None:
    who, model_id = seer
    drift = (await client.get(f"{PATH}/{model_id}/drift", headers=who.headers)).json()
    assert drift["level"] in {"none", "some", "strong"}
    assert drift["bars"] == 400
    assert drift["freshness"]["is_fresh"] or drift["freshness"]["reason"]


async def test_without_a_champion_all_who_ask_wait_for_one_training(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    asked = {"series": SERIES, "spec": SPEC}
    answers = await asyncio.gather(
        *(client.post("/api/predictions", json=asked, headers=ada.headers) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {202}
    (task,) = {answer.json()["id"] for answer in answers}
    assert answers[0].headers["location"] == f"/api/system/tasks/{task}"
    assert answers[0].json()["why"] == "There is no champion for this question yet."
    await finished(site, ada, task)
    (said,) = (await client.get("/api/predictions", headers=ada.headers)).json()["items"]
    assert said["model_id"] == task
    result = (await client.get(f"/api/system/tasks/{task}", headers=ada.headers)).json()["result"]
    assert result["prediction_id"] == said["id"]
    now = await client.post("/api/predictions", json=asked, headers=ada.headers)
    assert now.status_code == 200
    assert now.json() == said


async def test_a_stale_champion_is_challenged_and_answers_when_it_survives(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    old = await trained(client, site, ada, start="2017-01-01T00:00:00Z", end="2023-01-01T00:00:00Z")
    asked = {"series": SERIES, "horizon": 10}
    answer = await client.post("/api/predictions", json=asked, headers=ada.headers)
    assert answer.status_code == 202, answer.text
    assert "Its lessons ended" in answer.json()["why"]
    challenger = answer.json()["id"]
    card = {"contest": {"champion_id": old, "gain": 0.0, "is_won": False, "why": "It was luck."}}
    await finished(site, ada, challenger, **card)
    model = (await client.get(f"{PATH}/{challenger}", headers=ada.headers)).json()
    assert (model["state"], model["state_reason"]) == ("candidate", "It was luck.")
    assert model["spec"]["rounds"] == SPEC["rounds"]
    now = await client.post("/api/predictions", json=asked, headers=ada.headers)
    assert now.status_code == 200, now.text


async def test_old_bars_are_not_predicted_from(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    series = Series(provider=IMPORT, symbol="MINE", timeframe=Timeframe.H1, owner=ada.user_id)
    instrument = await site.house.market.markets.fetcher("demo").instrument("BTC/USDT")
    bars = walk(1_500, start="2026-01-05")
    first = datetime(2026, 1, 5, tzinfo=UTC)
    page = FetchedPage(bars=bars, covered=Span(start=first, end=first + timedelta(hours=1_500)))
    site.house.market.store.write(instrument, series, page, source="a file")
    mine = {"provider": IMPORT, "symbol": "MINE", "timeframe": "1h"}
    model_id = await trained(client, site, ada, series=mine, start=None)
    problem = assert_problem(
        await client.post("/api/predictions", json={"model_id": model_id}, headers=ada.headers), 409, "bars_too_old"
    )
    assert "closed at 2026-03-08 12:00 UTC, and 10 bars after it have passed" in problem["detail"]
    assert (await client.get("/api/predictions", headers=ada.headers)).json()["items"] == []


async def test_a_damaged_file_is_said_and_a_prediction_trains_anew(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    model_id = await trained(client, site, ada)
    sha256 = (await client.get(f"{PATH}/{model_id}", headers=ada.headers)).json()["card"]["file"]["sha256"]
    site.house.models.files.forget(ada.user_id, sha256)
    answer = await client.post("/api/predictions", json={"model_id": model_id}, headers=ada.headers)
    assert_problem(answer, 409, "model_damaged")
    answer = await client.post("/api/predictions", json={"series": SERIES, "horizon": 10}, headers=ada.headers)
    assert answer.status_code == 202
    assert "gone" in answer.json()["why"]
    await finished(site, ada, answer.json()["id"])
    assert (await client.get(f"{PATH}/{answer.json()['id']}", headers=ada.headers)).json()["state"] == "champion"


async def test_who_answers_is_chosen_and_taken_back(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    first, second = [await trained(client, site, ada, name=name) for name in ("First", "Second")]
    assert_problem(await client.post(f"{PATH}/{first}/rollback", headers=ada.headers), 409, "model_not_usable")
    promoted = await client.post(f"{PATH}/{second}/promote", headers=ada.headers)
    assert (promoted.json()["id"], promoted.json()["state"]) == (second, "champion")
    states = {one["name"]: one["state"] for one in (await client.get(PATH, headers=ada.headers)).json()["items"]}
    assert states == {"First": "retired", "Second": "champion"}
    back = await client.post(f"{PATH}/{second}/rollback", headers=ada.headers)
    assert (back.json()["id"], back.json()["state"]) == (first, "champion")
    only = await client.get(f"{PATH}?state=champion&question=direction:10&symbol=BTC/USDT", headers=ada.headers)
    assert [one["id"] for one in only.json()["items"]] == [first]
    untrained = await started(client, ada)
    assert_problem(await client.post(f"{PATH}/{untrained}/promote", headers=ada.headers), 409, "model_not_usable")
    asked = await client.post("/api/predictions", json={"model_id": second}, headers=ada.headers)
    assert "Promote it first" in assert_problem(asked, 409, "model_not_usable")["detail"]


async def test_what_a_deleted_model_said_stays(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    model_id = await trained(client, site, ada)
    said = (await client.post("/api/predictions", json={"model_id": model_id}, headers=ada.headers)).json()
    assert (await client.delete(f"{PATH}/{model_id}", headers=ada.headers)).status_code == 204
    assert (await client.get(PATH, headers=ada.headers)).json()["items"] == []
    assert (await client.get(f"/api/predictions/{said['id']}", headers=ada.headers)).json() == said
    record = await client.get(f"{PATH}/{model_id}/track-record", headers=ada.headers)
    assert record.json()["predictions"] == 1
    assert_problem(await client.delete(f"{PATH}/{model_id}", headers=ada.headers), 404, "model_not_found")
    asked = await client.post("/api/predictions", json={"model_id": model_id}, headers=ada.headers)
    assert_problem(asked, 409, "model_not_usable")


async def test_a_training_that_is_deleted_is_cancelled(client: httpx.AsyncClient, ada: Person) -> None:
    model_id = await started(client, ada)
    assert (await client.delete(f"{PATH}/{model_id}", headers=ada.headers)).status_code == 204
    task = (await client.get(f"/api/system/tasks/{model_id}", headers=ada.headers)).json()
    assert task["state"] == "cancelled"


async def test_nobody_else_has_a_part_in_it(client: httpx.AsyncClient, ada: Person, seer: tuple[Person, str]) -> None:
    who, model_id = seer
    said = (await client.post("/api/predictions", json={"model_id": model_id}, headers=who.headers)).json()
    asked: list[tuple[str, str, Any]] = [
        ("GET", f"{PATH}/{model_id}", None),
        ("GET", f"{PATH}/{model_id}/track-record", None),
        ("GET", f"{PATH}/{model_id}/drift", None),
        ("PATCH", f"{PATH}/{model_id}", {"name": "Mine"}),
        ("DELETE", f"{PATH}/{model_id}", None),
        ("POST", f"{PATH}/{model_id}/promote", None),
        ("POST", f"{PATH}/{model_id}/rollback", None),
        ("POST", "/api/predictions", {"model_id": model_id}),
        ("GET", f"/api/predictions?model_id={model_id}", None),
        ("GET", f"/api/predictions/{said['id']}", None),
    ]
    for method, path, body in asked:
        answer = await client.request(method, path, json=body, headers={**ada.headers, "If-Match": "*"})
        assert answer.status_code == 404, (method, path, answer.text)


async def test_models_count_in_the_quota_of_the_disk(site: Site, client: httpx.AsyncClient) -> None:
    who = await site.person()
    model_id = await started(client, who)
    (lease,) = await site.house.queue.claim("tests", ROOM, job_ids=[UUID(model_id)])
    cache = site.house.settings.cache_dir
    payload, small = {**lease.job.payload, "task_id": model_id}, open_school(str(cache), 1_000)
    with pytest.raises(DataTooLarge, match="by models"):
        await asyncio.to_thread(train_model, payload, who.user_id, small, lambda *_, **__: None, lambda: False)
    assert not list(cache.glob(f"models/{who.user_id}/**/*.model")), "nothing is kept of what was refused"
    market = replace(site.house.market, quotas=FolderQuotas(cache, 1_000))
    desk = open_model_desk(
        site.house.settings, market, site.house.foresight.forecasts, site.house.clock, site.house.worker_database
    )
    async with site.client(market=market, models=desk) as tight:
        for path, wanted in ((f"{PATH}/train", WANTED), ("/api/predictions", {"series": SERIES, "spec": SPEC})):
            refused = await tight.post(path, json=wanted, headers=who.headers)
            assert "by models" in assert_problem(refused, 413, "data_too_large")["detail"]
