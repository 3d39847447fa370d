"""What administrators see and do over the API, what that leaves in the audit log, and who is kept out."""

import csv
import io
import json
import re
from typing import Any
from uuid import UUID, uuid4

import httpx
import pyarrow.parquet as pq
import pytest

from backend.api.app import describe_api
from backend.api.scopes import MARK, Reach
from tests.api.conftest import Person, Site, assert_problem

WHY = {"reason": "Asked for by its owner."}
OPERATIONS = [
    (method.upper(), path)
    for path, operations in describe_api().openapi()["paths"].items()
    for method, operation in operations.items()
    if operation[MARK] == Reach.ADMIN
]


@pytest.fixture
async def grace(site: Site) -> Person:
    return await site.administrator()


async def lines(client: httpx.AsyncClient, admin: Person, **wanted: Any) -> list[dict[str, Any]]:
    answer = await client.get("/api/admin/audit", params=wanted, headers=admin.headers)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def task_of(site: Site, person: Person, state: str = "queued") -> UUID:
    task_id = uuid4()
    running = ", leased_until, started_at" if state == "running" else ""
    await site.execute(
        "insert into public.tasks (id, user_id, kind, state, payload, cores, memory_bytes, max_attempts,"
        f" wall_limit_seconds{running}) values ($1, $2, 'backtest', $3, '{{\"strategy\": \"mine\"}}', 1, 1, 1, 60"
        f"{', now() + interval ' + chr(39) + '1 hour' + chr(39) + ', now()' if running else ''})",
        task_id,
        person.user_id,
        state,
        role="supabase_admin",
    )
    return task_id


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_nobody_else_gets_anything(
    client: httpx.AsyncClient, site: Site, ada: Person, method: str, path: str
) -> None:
    real = re.sub(r"\{\w+\}", str(uuid4()), path)
    forged = await site.person(app_metadata={"role": "admin"}, user_metadata={"role": "admin"})
    stale = await site.administrator(app_metadata={"role": "admin"})
    await site.execute("update auth.users set raw_app_meta_data = '{}' where id = $1", stale.user_id)
    for person in (ada, forged, stale):
        assert_problem(await client.request(method, real, headers=person.headers), 403, "admin_needed")
    assert_problem(await client.request(method, real), 401, "not_signed_in")


async def test_an_administrator_without_a_live_session_gets_nothing(
    client: httpx.AsyncClient, site: Site, grace: Person
) -> None:
    made = await client.post(
        "/api/me/tokens", json={"name": "All", "scopes": ["read", "run"], "expires_in_days": 1}, headers=grace.headers
    )
    token = {"Authorization": f"Bearer {made.json()['token']}"}
    assert_problem(await client.get("/api/admin/users", headers=token), 403, "session_needed")
    await site.execute("delete from auth.sessions where user_id = $1", grace.user_id)
    assert_problem(await client.get("/api/admin/users", headers=grace.headers), 401, "session_ended")


async def test_users_are_found_by_what_one_knows_of_them(client: httpx.AsyncClient, site: Site, grace: Person) -> None:
    ada = await site.person("ada.lovelace@example.com")
    await site.execute("update auth.users set email_confirmed_at = now() where id = $1", ada.user_id)
    for wanted in (
        {"search": "LOVELACE"},
        {"search": str(ada.user_id)},
        {"search": "ada.lovelace", "role": "user", "state": "active", "plan": "standard"},
    ):
        answer = await client.get("/api/admin/users", params=wanted, headers=grace.headers)
        assert [user["id"] for user in answer.json()["items"]] == [str(ada.user_id)], wanted
    for other in ({"role": "admin"}, {"state": "demo"}, {"plan": "large"}, {"search": "%"}):
        answer = await client.get("/api/admin/users", params=other, headers=grace.headers)
        assert str(ada.user_id) not in answer.text, other
    [last, *_] = await lines(client, grace, actor_id=str(grace.user_id), action="user.list")
    assert (last["details"], last["actor_email"], last["subject_id"]) == ({"search": "%"}, grace.email, None)


async def test_users_come_a_page_at_a_time(client: httpx.AsyncClient, site: Site, grace: Person) -> None:
    made = {str((await site.person(f"page-{number}@example.com")).user_id) for number in range(3)}
    seen: list[str] = []
    path = "/api/admin/users?search=page-&limit=2"
    while path:
        answer = await client.get(path, headers=grace.headers)
        seen += [user["id"] for user in answer.json()["items"]]
        found = re.search(r"<(.+)>", answer.headers.get("link", ""))
        path = found[1] if found else ""
    assert len(seen) == 3
    assert set(seen) == made


async def test_one_user_is_shown_with_what_it_uses_and_never_with_a_secret(
    client: httpx.AsyncClient, site: Site, grace: Person, ada: Person
) -> None:
    await task_of(site, ada)
    answer = await client.get(f"/api/admin/users/{ada.user_id}", headers=grace.headers)
    body = answer.json()
    assert (body["email"], body["sessions"], body["usage"]["queued"]) == (ada.email, 1, 1)
    assert body["quotas"]["most_running"] == 16
    assert body["quotas"]["most_disk_bytes"] == 5 * 1024**3
    assert "password" not in answer.text
    [line] = await lines(client, grace, subject_id=str(ada.user_id))
    assert (line["action"], line["actor"], line["actor_id"]) == ("user.read", "admin", str(grace.user_id))
    assert (line["subject_email"], line["session_id"], line["address"]) == (
        ada.email,
        str(grace.session_id),
        "127.0.0.1",
    )
    assert_problem(await client.get(f"/api/admin/users/{uuid4()}", headers=grace.headers), 404, "user_not_found")


async def test_a_role_is_given_and_taken_at_once(
    client: httpx.AsyncClient, site: Site, grace: Person, ada: Person
) -> None:
    path = f"/api/admin/users/{ada.user_id}"
    answer = await client.patch(path, json={"role": "admin", **WHY}, headers=grace.headers)
    assert answer.json()["role"] == "admin", answer.text
    assert (await client.get("/api/admin/plans", headers=ada.headers)).status_code == 200
    await client.patch(path, json={"role": "user", **WHY}, headers=grace.headers)
    assert_problem(await client.get("/api/admin/plans", headers=ada.headers), 403, "admin_needed")
    found = await lines(client, grace, subject_id=str(ada.user_id))
    assert [(line["action"], line["reason"]) for line in found] == [
        ("user.demote", WHY["reason"]),
        ("user.promote", WHY["reason"]),
    ]
    own = f"/api/admin/users/{grace.user_id}"
    refused = await client.patch(own, json={"role": "user", **WHY}, headers=grace.headers)
    assert_problem(refused, 409, "not_oneself")
    assert_problem(await client.post(f"{own}/suspend", json=WHY, headers=grace.headers), 409, "not_oneself")


async def test_a_plan_is_given_and_counts(client: httpx.AsyncClient, grace: Person, ada: Person) -> None:
    path = f"/api/admin/users/{ada.user_id}"
    answer = await client.patch(path, json={"plan": "large", **WHY}, headers=grace.headers)
    assert (answer.json()["plan"], answer.json()["quotas"]["most_running"]) == ("large", 64)
    unknown = await client.patch(path, json={"plan": "huge", **WHY}, headers=grace.headers)
    assert_problem(unknown, 404, "plan_not_found")
    [line] = await lines(client, grace, subject_id=str(ada.user_id), action="user.plan")
    assert line["details"] == {"plan": "large", "before": "standard"}


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201, "a\u0000b", "\ud800", "right\u202eleft"])
async def test_a_change_needs_a_reason_that_can_be_read(
    client: httpx.AsyncClient, grace: Person, ada: Person, reason: str
) -> None:
    content = json.dumps({"plan": "large", "reason": reason})
    answer = await client.patch(
        f"/api/admin/users/{ada.user_id}",
        content=content,
        headers={**grace.headers, "Content-Type": "application/json"},
    )
    assert_problem(answer, 422, "invalid_input")
    assert not await lines(client, grace, subject_id=str(ada.user_id))


async def test_a_suspension_holds_at_once_and_ends_what_waits_and_runs(
    client: httpx.AsyncClient, site: Site, grace: Person, ada: Person
) -> None:
    waiting, running = await task_of(site, ada), await task_of(site, ada, "running")
    path = f"/api/admin/users/{ada.user_id}"
    answer = await client.post(f"{path}/suspend", json={"hours": 24, **WHY}, headers=grace.headers)
    assert (answer.json()["state"], answer.json()["usage"]["queued"]) == ("suspended", 0), answer.text
    assert answer.json()["suspended_until"]
    assert_problem(await client.get("/api/me", headers=ada.headers), 403, "account_suspended")
    states = {
        task["id"]: (task["state"], task["cancel_requested_at"] is not None)
        for task in (
            await client.get("/api/admin/tasks", params={"user_id": str(ada.user_id)}, headers=grace.headers)
        ).json()["items"]
    }
    assert states == {str(waiting): ("cancelled", True), str(running): ("running", True)}
    answer = await client.post(f"{path}/restore", json=WHY, headers=grace.headers)
    assert (answer.json()["state"], answer.json()["suspended_until"]) == ("unconfirmed", None)
    assert (await client.get("/api/me", headers=ada.headers)).status_code == 200
    found = await lines(client, grace, subject_id=str(ada.user_id))
    assert [line["action"] for line in found] == ["user.restore", "task.list", "user.suspend"]


async def test_sessions_are_ended(client: httpx.AsyncClient, grace: Person, ada: Person) -> None:
    answer = await client.post(f"/api/admin/users/{ada.user_id}/end-sessions", json=WHY, headers=grace.headers)
    assert answer.status_code == 204
    gone = await client.delete(f"/api/me/sessions/{ada.session_id}", headers=ada.headers)
    assert_problem(gone, 401, "session_ended")
    [line] = await lines(client, grace, subject_id=str(ada.user_id))
    assert (line["action"], line["details"]) == ("user.sessions_end", {"sessions": 1})


async def test_anybodys_task_is_read_and_cancelled(
    client: httpx.AsyncClient, site: Site, grace: Person, ada: Person
) -> None:
    task_id = await task_of(site, ada)
    body = (await client.get(f"/api/admin/tasks/{task_id}", headers=grace.headers)).json()
    assert (body["user_id"], body["email"], body["payload"]) == (str(ada.user_id), ada.email, {"strategy": "mine"})
    for _ in range(2):
        answer = await client.post(f"/api/admin/tasks/{task_id}/cancel", json=WHY, headers=grace.headers)
        assert answer.json()["state"] == "cancelled"
    seen = await client.get(f"/api/system/tasks/{task_id}", headers=ada.headers)
    assert seen.json()["state"] == "cancelled", "its owner sees it as well"
    found = await lines(client, grace, subject_id=str(ada.user_id))
    assert [line["action"] for line in found] == ["task.cancel", "task.read"], "the second time changed nothing"
    assert found[0]["object"] == f"task {task_id}"
    missing = await client.post(f"/api/admin/tasks/{uuid4()}/cancel", json=WHY, headers=grace.headers)
    assert_problem(missing, 404, "task_not_found")


async def test_plans_are_made_changed_and_deleted(client: httpx.AsyncClient, grace: Person, ada: Person) -> None:
    numbers = {"most_queued": 5, "most_running": 1, "most_backtests": 10, "most_models": 2}
    made = await client.put("/api/admin/plans/tiny", json={**numbers, **WHY}, headers=grace.headers)
    assert made.json() == {"name": "tiny", "users": 0, **numbers}
    await client.patch(f"/api/admin/users/{ada.user_id}", json={"plan": "tiny", **WHY}, headers=grace.headers)
    kept = await client.delete("/api/admin/plans/tiny", params=WHY, headers=grace.headers)
    assert "1 account has" in assert_problem(kept, 409, "plan_kept")["detail"]
    changed = await client.put(
        "/api/admin/plans/tiny", json={**numbers, "most_queued": 6, **WHY}, headers=grace.headers
    )
    assert changed.json()["users"] == 1
    resources = await client.get("/api/system/resources", headers=ada.headers)
    assert resources.json()["quota"]["queued"]["limit"] == 6
    await client.patch(f"/api/admin/users/{ada.user_id}", json={"plan": "standard", **WHY}, headers=grace.headers)
    gone = await client.delete("/api/admin/plans/tiny", params=WHY, headers=grace.headers)
    assert gone.status_code == 204
    again = await client.delete("/api/admin/plans/tiny", params=WHY, headers=grace.headers)
    assert_problem(again, 404, "plan_not_found")
    standard = await client.delete("/api/admin/plans/standard", params=WHY, headers=grace.headers)
    assert_problem(standard, 409, "plan_kept")
    found = [line for line in await lines(client, grace) if line["object"] == "plan tiny"]
    assert [line["action"] for line in found] == ["plan.delete", "plan.change", "plan.create"]
    assert found[1]["details"]["before"]["most_queued"] == 5
    assert found[1]["details"]["after"]["most_queued"] == 6


async def test_limits_are_told_without_a_secret(client: httpx.AsyncClient, grace: Person) -> None:
    answer = await client.get("/api/admin/limits", headers=grace.headers)
    told = {limit["name"]: limit for group in answer.json()["groups"] for limit in group["limits"]}
    assert told["user_disk"]["setting"] == "TIDEMARK_USER_DISK_GIB"
    assert told["user_reads"]["value"] == "off", "no limiter here"
    assert told["exchange_keys"]["value"] == 20
    assert [group["name"] for group in answer.json()["groups"]][:3] == ["Plan small", "Plan standard", "Plan large"]
    [line, *_] = await lines(client, grace, actor_id=str(grace.user_id))
    assert line["action"] == "limits.read"


async def test_the_log_is_narrowed_and_read_page_by_page(client: httpx.AsyncClient, grace: Person, ada: Person) -> None:
    for _ in range(3):
        await client.get(f"/api/admin/users/{ada.user_id}", headers=grace.headers)
    wanted = {"subject_id": str(ada.user_id), "action": "user.read"}
    first = await client.get("/api/admin/audit", params={**wanted, "limit": 2}, headers=grace.headers)
    cursor = first.json()["next_cursor"]
    rest = await client.get("/api/admin/audit", params={**wanted, "limit": 2, "cursor": cursor}, headers=grace.headers)
    assert (len(first.json()["items"]), len(rest.json()["items"]), rest.json()["next_cursor"]) == (2, 1, None)
    assert "action=user.read" in first.headers["link"]
    newest = first.json()["items"][0]["at"]
    assert len(await lines(client, grace, **wanted, since=newest)) == 1
    assert len(await lines(client, grace, **wanted, until=newest)) == 2


@pytest.mark.parametrize("file_format", ["csv", "json", "parquet"])
async def test_the_log_is_taken_elsewhere_whole(
    client: httpx.AsyncClient, grace: Person, ada: Person, file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.api.routers.administration_audit.LINES_AT_ONCE", 2)
    formula = '=HYPERLINK("http://example.com")'
    for reason in (formula, "+1", "Plain."):
        change = {"role": "admin" if reason != "+1" else "user", "reason": reason}
        await client.patch(f"/api/admin/users/{ada.user_id}", json=change, headers=grace.headers)
    answer = await client.get(
        "/api/admin/audit/export",
        params={"format": file_format, "subject_id": str(ada.user_id)},
        headers=grace.headers,
    )
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-')
    assert answer.headers["cache-control"] == "private, no-cache"
    rows: list[dict[str, Any]]
    if file_format == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        formula, plus = f"'{formula}", "'+1"
    else:
        rows = answer.json() if file_format == "json" else pq.read_table(io.BytesIO(answer.content)).to_pylist()
        plus = "+1"
    assert [row["reason"] for row in rows] == ["Plain.", plus, formula]
    assert {row["subject_id"] for row in rows} == {str(ada.user_id)}
    told = await lines(client, grace, action="audit.export", subject_id=str(ada.user_id))
    assert [line["details"]["format"] for line in told] == [file_format], "one line, however many parts"
