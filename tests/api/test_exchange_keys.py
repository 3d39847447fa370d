"""Exchange keys over HTTP: taken once, shown by their hint, judged by their provider, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from backend.bootstrap_keys import open_key_desk
from backend.domain.exchange_keys import MOST_KEYS, WITHDRAWAL_WORDS, Permission
from backend.domain.market_errors import VendorRefused, VendorUnavailable
from backend.infrastructure.key_manager import MasterKey
from backend.infrastructure.rate_limits import MemoryRateLimiter
from tests.api.conftest import Person, Site, assert_problem
from tests.fake_exchange_keys import FakeProber

PATH = "/api/keys/"
KEY, SECRET = "vmPU-key-of-the-tests-A65z", "secret-of-the-tests-0123456789"
WANTED = {"provider": "crypto:binance", "label": "Research", "key": KEY, "secret": SECRET}


@pytest.fixture
def prober() -> FakeProber:
    return FakeProber()


@pytest.fixture
async def client(site: Site, prober: FakeProber) -> AsyncIterator[httpx.AsyncClient]:
    masters = (MasterKey.generate(),)
    await site.execute("update private.api_key_locks set master = null", role="postgres")
    await site.execute("delete from public.api_keys", role="postgres")
    desk = await open_key_desk(site.house.worker_database, lambda: masters, print, prober)
    async with site.client(key_desk=desk) as client:
        yield client


async def add(client: httpx.AsyncClient, person: Person, **changes: Any) -> dict[str, Any]:
    answer = await client.post(PATH, json={**WANTED, **changes}, headers=person.headers)
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


async def actions(client: httpx.AsyncClient, person: Person) -> list[str]:
    events = (await client.get(f"{PATH}audit", headers=person.headers)).json()["items"]
    return [event["action"] for event in reversed(events)]


async def test_a_key_is_taken_once_and_shown_by_its_hint(client: httpx.AsyncClient, ada: Person) -> None:
    made = await add(client, ada)
    assert (made["hint"], made["provider"], made["title"], made["key_version"]) == (
        "vmPU...A65z",
        "crypto:binance",
        "Binance",
        1,
    )
    assert made["permissions"] == ["read", "trade"]
    assert made["health"]["state"] == "works"
    listed = await client.get(PATH, headers=ada.headers)
    assert listed.json()["items"] == [made]
    audit = await client.get(f"{PATH}audit", headers=ada.headers)
    for answer in (listed, audit):
        assert KEY not in answer.text
        assert SECRET not in answer.text
    assert await actions(client, ada) == ["create", "read"]
    [_, created] = audit.json()["items"]
    assert (created["key_id"], created["session_id"]) == (made["id"], str(ada.session_id))
    assert (created["actor"], created["hint"], created["address"]) == ("user", "vmPU...A65z", "127.0.0.1")


async def test_a_key_that_its_provider_refuses_is_not_stored(
    client: httpx.AsyncClient, ada: Person, prober: FakeProber
) -> None:
    prober.failures[KEY] = VendorRefused("Binance refused (HTTP 401).")
    answer = await client.post(PATH, json=WANTED, headers=ada.headers)
    body = assert_problem(answer, 422, "key_refused")
    assert "Nothing was stored" in body["detail"]
    prober.failures[KEY] = VendorUnavailable("Binance gave no whole answer within 10 s.")
    assert_problem(await client.post(PATH, json=WANTED, headers=ada.headers), 502, "vendor_unavailable")
    assert (await client.get(PATH, headers=ada.headers)).json()["items"] == []
    # The tries are on record, without the key.
    audit = (await client.get(f"{PATH}audit", headers=ada.headers)).json()["items"]
    assert [(event["action"], event["outcome"], event["actor"], event["hint"]) for event in audit] == [
        ("create", "unreachable", "user", None),
        ("create", "refused", "user", None),
    ]
    assert {event["provider"] for event in audit} == {"crypto:binance"}


async def test_a_key_that_can_withdraw_is_refused_unless_its_owner_says_so_in_words(
    client: httpx.AsyncClient, ada: Person, prober: FakeProber
) -> None:
    prober.permissions = frozenset(Permission)
    for said in (None, "yes", WITHDRAWAL_WORDS.lower()):
        answer = await client.post(PATH, json={**WANTED, "accept_withdrawals": said}, headers=ada.headers)
        body = assert_problem(answer, 422, "key_can_withdraw")
        assert WITHDRAWAL_WORDS in body["detail"]
    made = await add(client, ada, accept_withdrawals=WITHDRAWAL_WORDS)
    assert "withdraw" in made["permissions"]
    rotated = await client.post(f"{PATH}{made['id']}/rotate", json={"key": KEY, "secret": SECRET}, headers=ada.headers)
    assert_problem(rotated, 422, "key_can_withdraw")
    audit = (await client.get(f"{PATH}audit", headers=ada.headers)).json()["items"]
    assert [(event["action"], event["outcome"], event["hint"]) for event in audit] == [
        ("rotate", "can_withdraw", "vmPU...A65z"),
        ("create", "done", "vmPU...A65z"),
        ("create", "can_withdraw", None),
    ]
    assert "accepted in words" in audit[1]["reason"]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"key": "short"}, "/key"),
        ({"key": "with a space in it"}, "/key"),
        ({"secret": "short"}, "/secret"),
        ({"secret": "nul\x00in-the-secret"}, "/secret"),
        ({"passphrase": "of-no-use"}, "/passphrase"),
        ({"provider": "crypto:okx"}, "/passphrase"),
        ({"provider": "crypto:unknown"}, "/provider"),
        ({"label": "\u202edlrow"}, "/label"),
        ({"label": "  "}, "/label"),
        ({"more": 1}, "/more"),
    ],
)
async def test_what_is_no_key_is_refused_without_being_repeated(
    client: httpx.AsyncClient, ada: Person, prober: FakeProber, wrong: dict[str, Any], pointer: str
) -> None:
    answer = await client.post(PATH, json={**WANTED, **wrong}, headers=ada.headers)
    assert_problem(answer, 422, "invalid_input")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert SECRET not in answer.text
    assert KEY not in answer.text
    assert pointer == "/label" or not prober.asked


async def test_a_rotation_puts_the_new_secret_in_place_of_the_old_without_a_gap(
    client: httpx.AsyncClient, ada: Person, prober: FakeProber
) -> None:
    made = await add(client, ada)
    renewed = {"key": "NEWK-key-of-the-tests-0001", "secret": "another-secret-0123456789"}
    answer = await client.post(f"{PATH}{made['id']}/rotate", json=renewed, headers=ada.headers)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["hint"], answer.json()["key_version"]) == ("NEWK...0001", 2)
    assert answer.json()["rotated_at"] is not None
    await client.post(f"{PATH}{made['id']}/test", headers=ada.headers)
    assert (prober.asked[-1].key, prober.asked[-1].secret) == (renewed["key"], renewed["secret"])
    assert await actions(client, ada) == ["create", "rotate", "decrypt", "test"]


async def test_a_test_tells_what_became_of_a_key(client: httpx.AsyncClient, ada: Person, prober: FakeProber) -> None:
    made = await add(client, ada)
    prober.permissions = frozenset({Permission.READ})
    tested = (await client.post(f"{PATH}{made['id']}/test", headers=ada.headers)).json()
    assert (tested["permissions"], tested["health"]["state"]) == (["read"], "works")
    assert tested["tested_at"] > made["tested_at"]
    assert tested["last_used_at"] is None
    prober.failures[KEY] = VendorRefused("Binance refused (HTTP 401).")
    refused = (await client.post(f"{PATH}{made['id']}/test", headers=ada.headers)).json()
    assert (refused["permissions"], refused["health"]["state"]) == (["read"], "refused")
    assert refused["health"]["detail"] == "Binance refused (HTTP 401)."
    assert refused["failing_since"] == refused["tested_at"]


async def test_a_key_gets_another_label_and_is_deleted(client: httpx.AsyncClient, ada: Person) -> None:
    made = await add(client, ada)
    changed = await client.patch(f"{PATH}{made['id']}", json={"label": " Read  only "}, headers=ada.headers)
    assert changed.json() == {**made, "label": "Read only"}
    assert (await client.delete(f"{PATH}{made['id']}", headers=ada.headers)).status_code == 204
    for answer in (
        await client.delete(f"{PATH}{made['id']}", headers=ada.headers),
        await client.patch(f"{PATH}{made['id']}", json={"label": "Mine"}, headers=ada.headers),
        await client.post(f"{PATH}{made['id']}/test", headers=ada.headers),
        await client.post(f"{PATH}{made['id']}/rotate", json={"key": KEY, "secret": SECRET}, headers=ada.headers),
    ):
        assert_problem(answer, 404, "key_not_found")
    # Its line in the log stays.
    assert await actions(client, ada) == ["create", "label", "delete"]


async def test_another_user_neither_sees_nor_reaches_it(site: Site, client: httpx.AsyncClient, ada: Person) -> None:
    made, eve = await add(client, ada), await site.person()
    assert (await client.get(PATH, headers=eve.headers)).json()["items"] == []
    assert (await client.get(f"{PATH}audit", headers=eve.headers)).json()["items"] == []
    one = f"{PATH}{made['id']}"
    for answer in (
        await client.delete(one, headers=eve.headers),
        await client.patch(one, json={"label": "Mine"}, headers=eve.headers),
        await client.post(f"{one}/test", headers=eve.headers),
        await client.post(f"{one}/rotate", json={"key": KEY, "secret": SECRET}, headers=eve.headers),
    ):
        assert_problem(answer, 404, "key_not_found")
    assert (await client.get(PATH, headers=ada.headers)).json()["items"] == [made]


async def test_it_takes_a_live_session_and_an_account(
    site: Site, client: httpx.AsyncClient, ada: Person, prober: FakeProber
) -> None:
    made = await add(client, ada)
    await site.execute("delete from auth.sessions where id = $1", ada.session_id)
    one = f"{PATH}{made['id']}"
    for answer in (
        await client.post(PATH, json=WANTED, headers=ada.headers),
        await client.delete(one, headers=ada.headers),
        await client.patch(one, json={"label": "Mine"}, headers=ada.headers),
        await client.post(f"{one}/test", headers=ada.headers),
        await client.post(f"{one}/rotate", json={"key": KEY, "secret": SECRET}, headers=ada.headers),
    ):
        assert_problem(answer, 401, "session_ended")
    visitor = replace(await site.person(), claims={"is_anonymous": True})
    assert_problem(await client.post(PATH, json=WANTED, headers=visitor.headers), 403, "keys_need_account")
    assert len(prober.asked) == 1


async def test_so_many_keys_may_be_and_two_requests_at_once_do_not_pass_the_limit(
    client: httpx.AsyncClient, ada: Person
) -> None:
    for _ in range(MOST_KEYS - 1):
        await add(client, ada)
    answers = await asyncio.gather(*(client.post(PATH, json=WANTED, headers=ada.headers) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 429, 429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert "You have 20 exchange keys; at most 20 are allowed. Delete one first." in refused.json()["detail"]


async def test_changes_and_tests_are_limited_within_a_day_and_deleting_is_not(
    site: Site, client: httpx.AsyncClient, ada: Person
) -> None:
    made = await add(client, ada)
    await site.execute(
        "insert into public.api_key_audit_log (user_id, action, actor, reason)"
        " select $1, 'test', 'user', 'many' from generate_series(1, 999)",
        ada.user_id,
        role="postgres",
    )
    refused = await client.post(f"{PATH}{made['id']}/test", headers=ada.headers)
    assert "1,000 changes and tests of keys within a day" in assert_problem(refused, 429, "quota_reached")["detail"]
    assert (await client.delete(f"{PATH}{made['id']}", headers=ada.headers)).status_code == 204


async def test_refused_keys_count_too_so_that_nobody_tries_them_by_the_hundred(
    site: Site, ada: Person, prober: FakeProber, client: httpx.AsyncClient
) -> None:
    prober.failures[KEY] = VendorRefused("Binance refused (HTTP 401).")
    masters = (MasterKey.generate(),)
    await site.execute("update private.api_key_locks set master = null", role="postgres")
    desk = await open_key_desk(site.house.worker_database, lambda: masters, print, prober)
    async with site.client(key_desk=desk, limiter=MemoryRateLimiter()) as limited:
        statuses = [(await limited.post(PATH, json=WANTED, headers=ada.headers)).status_code for _ in range(32)]
    assert statuses == [422] * 30 + [429] * 2
    assert len(prober.asked) == 30


async def test_a_lost_master_key_is_an_error_that_says_what_to_do(
    site: Site, client: httpx.AsyncClient, ada: Person, prober: FakeProber
) -> None:
    made = await add(client, ada)
    said: list[str] = []
    others = (MasterKey.generate(),)
    desk = await open_key_desk(site.house.worker_database, lambda: others, said.append, prober)
    assert "which is not here. Put it back" in said[0]
    async with site.client(key_desk=desk) as astray:
        for answer in (
            await astray.post(PATH, json=WANTED, headers=ada.headers),
            await astray.post(f"{PATH}{made['id']}/test", headers=ada.headers),
        ):
            body = assert_problem(answer, 503, "master_key_missing")
            assert "The operator puts it back" in body["detail"]
        # What needs no secret goes on.
        assert (await astray.delete(f"{PATH}{made['id']}", headers=ada.headers)).status_code == 204


async def test_the_list_is_read_page_by_page_and_looking_again_is_one_line(
    client: httpx.AsyncClient, ada: Person
) -> None:
    made = [await add(client, ada, label=f"Key {number}") for number in range(3)]
    first = (await client.get(PATH, params={"limit": 2}, headers=ada.headers)).json()
    rest = (await client.get(PATH, params={"cursor": first["next_cursor"]}, headers=ada.headers)).json()
    assert [*first["items"], *rest["items"]] == made[::-1]
    assert (await actions(client, ada)).count("read") == 1
