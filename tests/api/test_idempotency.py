"""Idempotency-Key: done once, answered the same, kept a day, one user's own."""

import asyncio
from uuid import uuid4

import asyncpg
import httpx
import pytest

from tests.api.conftest import Person, Site, assert_problem


async def change(client: httpx.AsyncClient, who: Person, key: str, name: str, **headers: str) -> httpx.Response:
    headers = {"If-Match": "*", **who.headers, "Idempotency-Key": key, **headers}
    return await client.patch("/api/me", headers=headers, json={"display_name": name})


async def version(client: httpx.AsyncClient, who: Person) -> int:
    return int((await client.get("/api/me", headers=who.headers)).json()["version"])


async def test_second_request_gets_the_first_answer(client: httpx.AsyncClient, ada: Person) -> None:
    before, key = await version(client, ada), str(uuid4())
    first = await change(client, ada, key, "Ada")
    second = await change(client, ada, key, "Ada")
    assert (second.status_code, second.content, second.headers["etag"]) == (200, first.content, first.headers["etag"])
    assert second.headers["content-type"] == "application/json"
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert await version(client, ada) == before + 1


async def test_replay_comes_before_the_version_check(client: httpx.AsyncClient, ada: Person) -> None:
    etag, key = (await client.get("/api/me", headers=ada.headers)).headers["etag"], str(uuid4())
    first = await change(client, ada, key, "Ada", **{"If-Match": etag})
    second = await change(client, ada, key, "Ada", **{"If-Match": etag})
    assert (first.status_code, second.status_code) == (200, 200)


async def test_another_body_under_the_key_is_refused(client: httpx.AsyncClient, ada: Person) -> None:
    key = str(uuid4())
    await change(client, ada, key, "Ada")
    assert_problem(await change(client, ada, key, "Eve"), 422, "idempotency_key_reused")


async def test_twins_at_once_are_done_once(client: httpx.AsyncClient, ada: Person) -> None:
    before, key = await version(client, ada), str(uuid4())
    answers = await asyncio.gather(*(change(client, ada, key, "Ada") for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert await version(client, ada) == before + 1


async def test_failure_is_not_kept(client: httpx.AsyncClient, ada: Person) -> None:
    key = str(uuid4())
    assert (await change(client, ada, key, "Ada", **{"If-Match": '"99.0123456789abcdef"'})).status_code == 412
    assert (await change(client, ada, key, "Ada")).status_code == 200


async def test_key_is_free_again_after_a_day(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    key = str(uuid4())
    await change(client, ada, key, "Ada")
    await site.execute(
        "update public.idempotency_keys set created_at = now() - interval '25 hours' where user_id = $1",
        ada.user_id,
        role="postgres",
    )
    answer = await change(client, ada, key, "Eve")
    assert (answer.status_code, answer.json()["display_name"]) == (200, "Eve")


async def test_keys_of_two_users_do_not_meet(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    key, eve = str(uuid4()), await site.person()
    await change(client, ada, key, "Ada")
    answer = await change(client, eve, key, "Eve")
    assert (answer.status_code, answer.json()["display_name"]) == (200, "Eve")


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "a\tb", "a/b"])
async def test_key_has_a_form(client: httpx.AsyncClient, ada: Person, key: str) -> None:
    assert_problem(await change(client, ada, key, "Ada"), 422, "idempotency_key_invalid")


async def test_twin_of_a_request_still_at_work_is_told_so(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    key = str(uuid4())
    working = await asyncpg.connect(site.database.dsn("postgres"))
    async with working.transaction():
        await working.execute(
            "insert into public.idempotency_keys (user_id, key, method, path, body_hash) values ($1, $2, '', '', '')",
            ada.user_id,
            key,
        )
        assert_problem(await change(client, ada, key, "Ada"), 409, "request_in_progress")
    await working.close()
