"""Personal access tokens over HTTP: made, used for what their scopes say and nothing else, and gone when they end."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from loguru import logger

from backend.api import streams
from backend.api.app import describe_api
from backend.api.routers import accounts
from backend.api.scopes import MARK, Reach
from backend.domain.tokens import Scope, make_token
from tests.api.conftest import Person, Site, assert_problem
from tests.api.served import listening, served
from tests.api.talking import talking

PATH = "/api/me/tokens"


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, one)
        for path, found in describe_api().openapi()["paths"].items()
        for method, one in found.items()
    ]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def make(client: httpx.AsyncClient, person: Person, *scopes: str, days: int = 30) -> dict[str, Any]:
    wanted = {"name": "Script", "scopes": scopes or ("read",), "expires_in_days": days}
    answer = await client.post(PATH, json=wanted, headers=person.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_every_operation_declares_its_reach_and_says_so(path: str, method: str, operation: dict[str, Any]) -> None:
    assert MARK in operation, f"{method} {path} does not say what tokens may do: openapi_extra=needs(Reach....)"
    reach = Reach(operation[MARK])
    assert (reach is Reach.OPEN) == (not operation.get("security")), f"{method} {path}"
    if reach is Reach.OPEN:
        return
    examples = operation["responses"]["403"]["content"]["application/problem+json"]["examples"]
    if reach is Reach.ADMIN:
        assert "Administrators alone can do this" in operation["description"]
        assert {"session_needed", "admin_needed"} <= set(examples)
    elif reach is Reach.SESSION:
        assert "No personal access token can do this" in operation["description"]
        assert "session_needed" in examples
    else:
        assert f"needs the scope `{reach}`" in operation["description"]
        assert examples["scope_missing"]["value"]["scope"] == reach
    # What reads is `read`: a token made to look changes nothing.
    assert method != "get" or reach in (Reach.READ, Reach.SESSION, Reach.ADMIN)
    assert (reach is Reach.ADMIN) == path.startswith("/api/admin/"), f"{method} {path}"


@pytest.mark.parametrize("path", [PATH, "/api/me/sessions", "/api/keys"])
def test_what_is_most_dangerous_is_for_sessions_alone(path: str) -> None:
    for found, method, operation in operations():
        if found.startswith(path) or (found == "/api/me" and method != "get"):
            assert operation[MARK] == Reach.SESSION, f"{method} {found}"


@pytest.mark.parametrize("scope", list(Scope))
async def test_a_token_does_what_its_scope_says_and_is_told_which_one_is_missing(
    client: httpx.AsyncClient, ada: Person, scope: Scope
) -> None:
    """Every operation of the document, with a token of one scope: the check comes before whatever else is wrong."""
    token = (await make(client, ada, scope))["token"]
    refused = allowed = 0
    for path, method, operation in operations():
        reach = Reach(operation[MARK])
        if reach is Reach.OPEN or path == "/api/system/task-events":
            continue
        real = re.sub(r"\{\w+\}", str(uuid4()), path)
        answer = await client.request(method.upper(), real, headers=bearer(token))
        if reach in (Reach.SESSION, Reach.ADMIN):
            assert_problem(answer, 403, "session_needed")
        elif reach.value != scope:
            body = assert_problem(answer, 403, "scope_missing")
            assert body["scope"] == reach
            assert f"'{reach}'" in body["detail"]
            refused += 1
        else:
            assert answer.status_code not in (401, 403), f"{method} {path}: {answer.text}"
            allowed += 1
    assert refused > 0
    assert allowed > 0 or scope is Scope.SHARE


async def test_an_operation_that_declares_nothing_is_closed_to_tokens(
    client: httpx.AsyncClient, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = bearer((await make(client, ada, *Scope))["token"])
    assert (await client.get("/api/me", headers=headers)).status_code == 200
    monkeypatch.setattr(accounts.router.routes[0], "openapi_extra", None)
    assert_problem(await client.get("/api/me", headers=headers), 403, "session_needed")
    assert (await client.get("/api/me", headers=ada.headers)).status_code == 200


async def test_it_is_shown_once_and_listed_without_itself(client: httpx.AsyncClient, ada: Person) -> None:
    wanted = {"name": " Nightly  job ", "scopes": ["data", "read"], "expires_in_days": 90}
    answer = await client.post(PATH, json=wanted, headers=ada.headers)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    token = made.pop("token")
    assert (made["name"], made["scopes"], made["state"]) == ("Nightly job", ["read", "data"], "live")
    assert datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"]) == timedelta(days=90)
    listed = await client.get(PATH, headers=ada.headers)
    assert listed.json() == {"items": [made], "next_cursor": None}
    assert token not in listed.text
    assert made["hint"] == f"{token[:8]}...{token[-4:]}"


async def test_its_holder_is_its_user_and_no_administrator(client: httpx.AsyncClient, site: Site) -> None:
    operator = await site.administrator()
    token = (await make(client, operator))["token"]
    mine = (await client.get("/api/me", headers=operator.headers)).json()
    seen = (await client.get("/api/me", headers=bearer(token))).json()
    assert (mine["is_admin"], seen["is_admin"]) == (True, False)
    assert seen["user_id"] == str(operator.user_id)


async def test_revoked_it_is_refused_by_the_next_request(client: httpx.AsyncClient, ada: Person) -> None:
    made = await make(client, ada)
    headers = bearer(made["token"])
    assert (await client.get("/api/me", headers=headers)).status_code == 200
    answer = await client.delete(f"{PATH}/{made['id']}", headers=ada.headers)
    assert (answer.status_code, answer.content) == (204, b"")
    body = assert_problem(await client.get("/api/me", headers=headers), 401, "token_rejected")
    assert "it was revoked. Make another one" in body["detail"]
    assert_problem(await client.delete(f"{PATH}/{made['id']}", headers=ada.headers), 404, "token_not_found")
    [listed] = (await client.get(PATH, headers=ada.headers)).json()["items"]
    assert (listed["state"], listed["revoked_at"] is not None) == ("revoked", True)


async def test_expired_it_says_since_when(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    made = await make(client, ada)
    await site.execute(
        "update public.personal_access_tokens set created_at = now() - interval '9 days',"
        " expires_at = now() - interval '1 day' where id = $1",
        made["id"],
        role="postgres",
    )
    body = assert_problem(await client.get("/api/me", headers=bearer(made["token"])), 401, "token_rejected")
    assert "it expired on " in body["detail"]
    [listed] = (await client.get(PATH, headers=ada.headers)).json()["items"]
    assert listed["state"] == "expired"


SPOILT: dict[str, tuple[Callable[[str], str], str]] = {
    "typed wrong": (lambda token: token[:9] + ("a" if token[9] != "a" else "b") + token[10:], "checksum"),
    "cut": (lambda token: token[:-3], "not a whole"),
    "made up": (lambda token: make_token(), "no such token"),
}


@pytest.mark.parametrize("how", SPOILT)
async def test_what_is_no_token_of_ours_is_refused_in_words(client: httpx.AsyncClient, ada: Person, how: str) -> None:
    spoil, reason = SPOILT[how]
    token = spoil((await make(client, ada))["token"])
    answer = await client.get("/api/me", headers=bearer(token))
    assert reason in assert_problem(answer, 401, "token_rejected")["detail"]
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert token not in answer.text


async def test_a_suspension_holds_for_tokens_too(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    headers = bearer((await make(client, ada))["token"])
    assert (await client.get("/api/me", headers=headers)).status_code == 200
    await site.execute("update auth.users set banned_until = now() + interval '1 hour' where id = $1", ada.user_id)
    for path in ("/api/me", "/api/system/tasks", "/api/providers"):
        assert_problem(await client.get(path, headers=headers), 403, "account_suspended")


async def test_without_a_live_session_none_is_made_or_revoked(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    made = await make(client, ada)
    await site.execute("delete from auth.sessions where id = $1", ada.session_id)
    wanted = {"name": "Script", "scopes": ["read"], "expires_in_days": 1}
    assert_problem(await client.post(PATH, json=wanted, headers=ada.headers), 401, "session_ended")
    assert_problem(await client.delete(f"{PATH}/{made['id']}", headers=ada.headers), 401, "session_ended")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"expires_in_days": 366}, "/expires_in_days"),
        ({"expires_in_days": 0}, "/expires_in_days"),
        ({"name": " "}, "/name"),
        ({"never_expires": True}, "/never_expires"),
    ],
)
async def test_bad_wishes_are_refused_at_their_place(
    client: httpx.AsyncClient, ada: Person, change: dict[str, Any], pointer: str
) -> None:
    wanted = {"name": "Script", "scopes": ["read"], "expires_in_days": 30, **change}
    body = assert_problem(await client.post(PATH, json=wanted, headers=ada.headers), 422, "invalid_input")
    assert [error["pointer"] for error in body["errors"]] == [pointer]


async def test_nobody_sees_or_revokes_anothers(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    made, eve = await make(client, ada), await site.person()
    assert (await client.get(PATH, headers=eve.headers)).json()["items"] == []
    assert_problem(await client.delete(f"{PATH}/{made['id']}", headers=eve.headers), 404, "token_not_found")
    assert (await client.get("/api/me", headers=bearer(made["token"]))).status_code == 200


async def test_making_and_revoking_are_logged_and_the_token_is_not(client: httpx.AsyncClient, ada: Person) -> None:
    lines: list[str] = []
    sink = logger.add(lambda line: lines.append(str(line) + str(line.record["extra"])), level="DEBUG")
    try:
        made = await make(client, ada)
        await client.get("/api/me", headers=bearer(made["token"]))
        await client.delete(f"{PATH}/{made['id']}", headers=ada.headers)
    finally:
        logger.remove(sink)
    said = [line for line in lines if "personal access token was" in line]
    assert [made["id"] in line and str(ada.user_id) in line for line in said] == [True, True]
    assert made["token"][8:40] not in "".join(lines)


async def test_the_use_of_a_token_is_noted_with_its_address(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    made = await make(client, ada)
    await client.get("/api/me", headers=bearer(made["token"]))
    await site.house.verifier.write_notes()
    [listed] = (await client.get(PATH, headers=ada.headers)).json()["items"]
    assert (listed["last_used_at"] is not None, listed["last_used_address"]) == (True, "127.0.0.1")


@pytest.fixture
async def url(site: Site, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setattr(streams, "SUSPENSION_SECONDS", 0.05)
    async with served(site.house) as url:
        yield url


async def test_streams_and_sockets_end_when_it_is_revoked(client: httpx.AsyncClient, ada: Person, url: str) -> None:
    made = await make(client, ada)
    async with httpx.AsyncClient(base_url=url) as direct:
        ticket, unused = [
            (await direct.post("/api/system/stream-ticket", headers=bearer(made["token"]))).json()["ticket"]
            for _ in range(2)
        ]
    async with (
        listening(url, bearer(made["token"])) as stream,
        listening(url, ticket=ticket) as by_ticket,
        talking(url, ada) as by_session,
        talking(url) as talker,
    ):
        await talker.say("authenticate", token=made["token"])
        assert (await talker.hear())[0] == "authenticated"
        await client.delete(f"{PATH}/{made['id']}", headers=ada.headers)
        assert all(told.type is None for told in await stream.until_the_end())
        assert all(told.type is None for told in await by_ticket.until_the_end())
        assert await talker.parting() == (4401, "The access token was revoked. Connect again with another one.")
        await by_session.silence()
    async with listening(url, ticket=unused) as late:
        assert late.answer.status_code == 401


async def test_streams_and_sockets_need_the_scope_to_read(client: httpx.AsyncClient, ada: Person, url: str) -> None:
    token = (await make(client, ada, "run"))["token"]
    async with listening(url, bearer(token)) as stream:
        assert assert_problem(stream.answer, 403, "scope_missing")["scope"] == "read"
    async with talking(url) as talker:
        await talker.say("authenticate", token=token)
        assert (await talker.error())["code"] == "scope_missing"
        assert await talker.parting() == (4403, "The access token lacks the scope 'read'.")
