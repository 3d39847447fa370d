"""One's own sessions over HTTP: the list, its pages, and ending one."""

from dataclasses import replace
from uuid import uuid4

import httpx
import pytest

from tests.api.conftest import Person, Site, assert_problem
from tests.api.served import listening, served
from tests.api.talking import talking

SUBMIT = (
    "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
    " values ($1, 'train', '{}', 1, 1, 1, 1)"
)


async def test_list_marks_the_current_session(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    other = await site.session_of(ada.user_id)
    await site.person()
    body = (await client.get("/api/me/sessions", headers=ada.headers)).json()
    assert {(item["id"], item["is_current"]) for item in body["items"]} == {
        (str(ada.session_id), True),
        (str(other), False),
    }
    assert body["next_cursor"] is None
    assert (body["items"][0]["ip"], body["items"][0]["user_agent"]) == ("192.0.2.7", "tests")


async def test_pages_hold_every_session_once(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    # Made in one instant, so that only the id tells them apart.
    await site.execute(
        "insert into auth.sessions (id, user_id, created_at, updated_at)"
        " select gen_random_uuid(), $1, '2026-11-01', '2026-11-01' from generate_series(1, 6)",
        ada.user_id,
    )
    seen, path = [], "/api/me/sessions?limit=2"
    while path:
        answer = await client.get(path, headers=ada.headers)
        body = answer.json()
        assert len(body["items"]) <= 2
        seen += [item["id"] for item in body["items"]]
        link = answer.links.get("next", {}).get("url", "")
        assert ("cursor=" in link) == (body["next_cursor"] is not None)
        path = link
    assert len(seen) == len(set(seen)) == 7
    assert seen[0] == str(ada.session_id)


@pytest.mark.parametrize("cursor", ["x", "", "%00", "AAAA", "é", "A" * 38, "A" * 200])
async def test_made_up_cursor_is_refused(client: httpx.AsyncClient, ada: Person, cursor: str) -> None:
    answer = await client.get("/api/me/sessions", headers=ada.headers, params={"cursor": cursor})
    assert_problem(answer, 422, "invalid_cursor")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.5", "99999999999999999999"])
async def test_limit_is_from_1_to_200(client: httpx.AsyncClient, ada: Person, limit: str) -> None:
    answer = await client.get("/api/me/sessions", headers=ada.headers, params={"limit": limit})
    assert assert_problem(answer, 422, "invalid_input")["errors"][0]["pointer"] == "/query/limit"


async def test_ending_a_session(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    other = await site.session_of(ada.user_id)
    answer = await client.delete(f"/api/me/sessions/{other}", headers=ada.headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert_problem(await client.delete(f"/api/me/sessions/{other}", headers=ada.headers), 404, "session_not_found")


async def test_nobody_ends_another_ones_session(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    eve = await site.person()
    answer = await client.delete(f"/api/me/sessions/{ada.session_id}", headers=eve.headers)
    assert_problem(answer, 404, "session_not_found")
    assert len((await client.get("/api/me/sessions", headers=ada.headers)).json()["items"]) == 1


async def test_signed_out_session_cannot_end_others(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    other = await site.session_of(ada.user_id)
    assert (await client.delete(f"/api/me/sessions/{ada.session_id}", headers=ada.headers)).status_code == 204
    answer = await client.delete(f"/api/me/sessions/{other}", headers=ada.headers)
    assert_problem(answer, 401, "session_ended")


async def test_token_without_a_session_cannot_end_one(client: httpx.AsyncClient, site: Site) -> None:
    person = await site.person(session_id=None)
    answer = await client.delete(f"/api/me/sessions/{uuid4()}", headers=person.headers)
    assert_problem(answer, 401, "session_ended")


async def test_id_must_be_one(client: httpx.AsyncClient, ada: Person) -> None:
    body = assert_problem(await client.delete("/api/me/sessions/mine", headers=ada.headers), 422, "invalid_input")
    assert body["errors"][0]["pointer"] == "/path/session_id"


async def test_all_others_end(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    for _ in range(3):
        await site.session_of(ada.user_id)
    eve = await site.person()
    answer = await client.delete("/api/me/sessions", headers=ada.headers, params={"others": True})
    assert (answer.status_code, answer.content) == (204, b"")
    for who in (ada, eve):
        body = (await client.get("/api/me/sessions", headers=who.headers)).json()
        assert [item["id"] for item in body["items"]] == [str(who.session_id)]


async def test_all_end_and_the_one_that_asked_with_them(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    other = await site.session_of(ada.user_id)
    assert (await client.delete("/api/me/sessions", headers=ada.headers)).status_code == 204
    for path in ("/api/me/sessions", f"/api/me/sessions/{other}"):
        assert_problem(await client.delete(path, headers=ada.headers), 401, "session_ended")


async def test_a_session_without_a_life_ends_no_others(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    await site.session_of(ada.user_id)
    gone = await site.person(session_id=str(uuid4()))
    for who in (gone, await site.person(session_id=None)):
        answer = await client.delete("/api/me/sessions", headers=who.headers, params={"others": True})
        assert_problem(answer, 401, "session_ended")


async def test_streams_of_an_ended_session_end_and_those_of_others_go_on(site: Site, ada: Person) -> None:
    other = replace(ada, session_id=await site.session_of(ada.user_id))
    async with (
        served(site.house) as url,
        listening(url, ada.headers) as here,
        listening(url, other.headers) as there,
        talking(url, other) as socket,
        httpx.AsyncClient(base_url=url) as client,
    ):
        await client.delete("/api/me/sessions", headers=ada.headers, params={"others": True})
        (*_, last) = await there.until_the_end()
        assert last.comments == ["ended, signed_out"]
        code, reason = await socket.parting()
        assert (code, reason.partition(".")[0]) == (4401, "This session was signed out")
        await site.execute(SUBMIT, ada.user_id, role="supabase_admin")
        assert (await here.event()).type == "task_queued"


async def test_a_signed_out_session_opens_no_stream(site: Site, ada: Person) -> None:
    await site.execute("delete from auth.sessions where id = $1", ada.session_id)
    async with served(site.house) as url:
        async with listening(url, ada.headers) as listener:
            assert_problem(listener.answer, 401, "session_ended")
        async with talking(url) as socket:
            await socket.say("authenticate", token=ada.token)
            assert (await socket.error())["code"] == "session_ended"
            assert (await socket.parting())[0] == 4401
