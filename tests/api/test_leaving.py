"""Leaving for good: what it takes, that everything is gone afterwards, and that a crash in between is made up for."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from backend.data.storage.own_data import DepartureTables
from backend.domain.own_data import CONFIRMATION
from backend.services.leaving import Leaving
from tests.api.conftest import Person, Site, assert_problem
from tests.api.own_rows import fill
from tests.api.served import listening, served
from tests.fakes import FakeClock

PATH = "/api/me"
PASSWORD = "correct horse"


@pytest.fixture
async def admin(site: Site) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(site.database.dsn("supabase_admin"))
    yield connection
    await connection.close()


async def leave(client: httpx.AsyncClient, who: Person, **body: Any) -> httpx.Response:
    return await client.request("DELETE", PATH, headers=who.headers, json={"confirm": CONFIRMATION, **body})


async def with_password(site: Site, who: Person, prefix: str = "$2a") -> None:
    await site.execute(
        "update auth.users set encrypted_password = $2 || substr(extensions.crypt($3, extensions.gen_salt('bf', 4)), 4)"
        " where id = $1",
        who.user_id,
        prefix,
        PASSWORD,
        role="supabase_admin",
    )


async def tables_with(admin: asyncpg.Connection, user_id: UUID) -> list[str]:
    """Every table of the whole database that has a row of this user, whatever its schema."""
    rows = await admin.fetch(
        "select c.oid::regclass::text as name, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where a.attname in ('user_id', 'queue') and c.relkind in ('r', 'p') and not c.relispartition"
        " union all values ('auth.users', 'id'), ('auth.identities', 'user_id')"
    )
    found = []
    for row in rows:
        count = await admin.fetchval(
            f"select count(*) from {row['name']} where {row['attname']}::text = $1",
            str(user_id),
        )
        if count:
            found.append(row["name"])
    return sorted(set(found))


def files_of(site: Site, user_id: UUID) -> list[Path]:
    return [path for path in site.house.market.cache_dir.rglob("*") if str(user_id) in str(path)]


async def finish_later(site: Site, **later: float) -> int:
    """As the hourly housekeeping does, so long after."""
    desk = site.house.leaving
    clock = FakeClock(site.house.clock.now() + timedelta(**later))
    return await Leaving(DepartureTables(site.house.worker_database), desk.files, clock).go_on()


async def test_afterwards_nothing_is_left_in_any_table_or_folder(
    client: httpx.AsyncClient, site: Site, admin: asyncpg.Connection, ada: Person
) -> None:
    eve = await site.person()
    for who in (ada, eve):
        await fill(site, who)
        await client.get("/api/me/export", headers=who.headers)
    before = await tables_with(admin, ada.user_id)
    assert len(before) > 20, before
    assert len(files_of(site, ada.user_id)) > 4
    hers = await tables_with(admin, eve.user_id)
    # The task of its row waits; nothing here would run it.
    answer = await leave(client, ada)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await tables_with(admin, ada.user_id) == ["private.departures"]
    assert files_of(site, ada.user_id) == []
    await finish_later(site)
    assert await tables_with(admin, ada.user_id) == ["private.departures"], "somebody may still write for them"
    assert await finish_later(site, minutes=11) > 0
    assert await tables_with(admin, ada.user_id) == []
    assert await tables_with(admin, eve.user_id) == hers
    assert files_of(site, eve.user_id) != []
    assert (await client.get(PATH, headers=eve.headers)).status_code == 200


async def test_much_goes_in_pieces_and_the_account_last(site: Site, admin: asyncpg.Connection, ada: Person) -> None:
    """A statement has its limit in time: what grows without end must not all hang on the last one."""
    await fill(site, ada)
    for number in range(3):
        await admin.execute(
            "insert into public.tasks (id, user_id, kind, state, payload, cores, memory_bytes, max_attempts,"
            " wall_limit_seconds) values (gen_random_uuid(), $1, 'backtest', 'queued', $2, 1, 1, 1, 60)",
            ada.user_id,
            json.dumps({"number": number}),
        )
    identity = await site.house.verifier.verify(ada.token)
    async with site.house.own_data_of(identity) as own:
        await own.close(None, None)
    large = ("backtests", "task_events", "predictions", "prediction_outcomes", "models", "tasks", "api_key_audit_log")
    steps = 0
    while await site.house.worker_database.fetchval("select private.remove_some_of_account($1, 1)", ada.user_id):
        steps += 1
        left = [
            table
            for table in large
            if await admin.fetchval(f"select exists (select from public.{table} where user_id = $1)", ada.user_id)
        ]
        account = await admin.fetchval("select exists (select from auth.users where id = $1)", ada.user_id)
        assert account, left
    assert steps > len(large)
    assert left == [], "the account went with all of these at once"
    assert await tables_with(admin, ada.user_id) == ["private.departures"]


async def test_what_is_kept_names_an_id_and_no_address(
    client: httpx.AsyncClient, admin: asyncpg.Connection, ada: Person
) -> None:
    await leave(client, ada)
    (line,) = await admin.fetch("select * from public.audit_log where subject_id = $1", ada.user_id)
    assert (line["action"], line["actor"], line["actor_id"]) == ("account.delete", "user", ada.user_id)
    assert line["session_id"] == ada.session_id
    rows = await admin.fetch("select row_to_json(line)::text as text from public.audit_log line")
    assert not any(ada.email in row["text"] for row in rows)
    assert not await admin.fetchval(
        "select count(*) from auth.audit_log_entries where payload::text like '%' || $1 || '%'", ada.email
    )


async def test_nobody_acts_as_it_any_more(client: httpx.AsyncClient, ada: Person) -> None:
    token = await client.post(
        "/api/me/tokens", json={"name": "Job", "scopes": ["read"], "expires_in_days": 30}, headers=ada.headers
    )
    mine = {"Authorization": f"Bearer {token.json()['token']}"}
    assert (await client.get("/api/me", headers=mine)).status_code == 200
    await leave(client, ada)
    for headers in (ada.headers, mine):
        assert (await client.get("/api/me", headers=headers)).status_code in (401, 403)
        assert (await client.get("/api/system/health", headers=headers)).status_code in (401, 403)
    assert_problem(await leave(client, ada), 403, "account_suspended")


async def test_streams_end(site: Site, ada: Person) -> None:
    async with served(site.house) as url, listening(url, ada.headers) as listener:
        await listener.next()
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await leave(client, ada)).status_code == 204
        (*_, last) = await listener.until_the_end()
        assert last.comments[0] in ("ended, suspended", "ended, signed_out")


async def test_a_running_job_is_told_to_stop_and_its_late_end_changes_nothing(
    client: httpx.AsyncClient, site: Site, admin: asyncpg.Connection, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.services.leaving.JOBS_MAY_TAKE_SECONDS", 0.2)
    await admin.execute(
        "insert into public.tasks (id, user_id, kind, state, payload, cores, memory_bytes, max_attempts,"
        " wall_limit_seconds, leased_until, started_at, lease_epoch)"
        " values ($1, $1, 'train', 'running', '{}', 1, 1, 1, 1, now() + interval '1 minute', now(), 1)",
        ada.user_id,
    )
    cancels: list[str] = []
    await admin.add_listener("tidemark_job_cancel", lambda *told: cancels.append(str(told[-1])))
    await leave(client, ada)
    await admin.fetchval("select 1")
    assert cancels == [str(ada.user_id)]
    assert await tables_with(admin, ada.user_id) == ["private.departures"]


@pytest.mark.parametrize("said", [None, "", "yes", "Delete my account", "delete my account "])
async def test_the_words_must_be_typed(client: httpx.AsyncClient, ada: Person, said: str | None) -> None:
    body = assert_problem(await leave(client, ada, confirm=said), 422, "invalid_input")
    assert [error["pointer"] for error in body["errors"]] == ["/confirm"]
    assert (await client.get(PATH, headers=ada.headers)).status_code == 200


@pytest.mark.parametrize("prefix", ["$2a", "$2b"])
async def test_an_account_with_a_password_is_asked_for_it(
    client: httpx.AsyncClient, site: Site, ada: Person, prefix: str
) -> None:
    await with_password(site, ada, prefix)
    assert (await client.get("/api/me/data", headers=ada.headers)).json()["has_password"] is True
    assert_problem(await leave(client, ada), 403, "password_wrong")
    assert_problem(await leave(client, ada, password="wrong horse"), 403, "password_wrong")
    assert (await client.get(PATH, headers=ada.headers)).status_code == 200
    assert (await leave(client, ada, password=PASSWORD)).status_code == 204


@pytest.mark.parametrize("password", ["", "a\x00b", "\ud800", PASSWORD + "x" * 80])
async def test_what_is_no_password_is_a_wrong_one(
    client: httpx.AsyncClient, site: Site, ada: Person, password: str
) -> None:
    await with_password(site, ada)
    body = json.dumps({"confirm": CONFIRMATION, "password": password})
    headers = {**ada.headers, "Content-Type": "application/json"}
    answer = await client.request("DELETE", PATH, headers=headers, content=body)
    assert answer.status_code in (403, 422), answer.text


async def test_guessing_ends_after_five_also_for_the_right_one(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    await with_password(site, ada)
    for _ in range(5):
        assert_problem(await leave(client, ada, password="guess"), 403, "password_wrong")
    answer = await leave(client, ada, password=PASSWORD)
    assert_problem(answer, 429, "too_many_tries")
    assert 800 < int(answer.headers["retry-after"]) <= 900
    await site.execute(
        "update private.account_tries set at = at - interval '15 minutes' where user_id = $1",
        ada.user_id,
        role="supabase_admin",
    )
    assert (await leave(client, ada, password=PASSWORD)).status_code == 204


async def test_a_password_of_another_kind_is_not_taken_for_right(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    await site.execute("update auth.users set encrypted_password = '$argon2id$v=19$x' where id = $1", ada.user_id)
    assert_problem(await leave(client, ada, password="$argon2id$v=19$x"), 403, "password_unreadable")


async def test_a_signed_out_session_deletes_nothing(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    await site.execute("delete from auth.sessions where id = $1", ada.session_id)
    assert_problem(await leave(client, ada), 401, "session_ended")


async def test_the_last_administrator_stays(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    """A suspended one counts for nothing."""
    make = 'update auth.users set raw_app_meta_data = \'{"role": "admin"}\' where id = $1'
    suspended, other = await site.person(), await site.person()
    for who in (ada, suspended):
        await site.execute(make, who.user_id)
    await site.execute("update auth.users set banned_until = now() + interval '1 day' where id = $1", suspended.user_id)
    assert_problem(await leave(client, ada), 409, "last_admin")
    await site.execute(make, other.user_id)
    assert (await leave(client, ada)).status_code == 204
    await site.execute("update auth.users set raw_app_meta_data = '{}' where id = $1", other.user_id)


async def test_housekeeping_finishes_what_a_crash_interrupted(
    site: Site, admin: asyncpg.Connection, ada: Person
) -> None:
    await fill(site, ada)
    identity = await site.house.verifier.verify(ada.token)
    async with site.house.own_data_of(identity) as own:
        assert await own.close(None, None) is None
    # Here the server dies: the account is closed, and everything is still there.
    assert "backtests" in await tables_with(admin, ada.user_id)
    assert files_of(site, ada.user_id) != []
    assert await finish_later(site, minutes=11) > 0
    assert await tables_with(admin, ada.user_id) == []
    assert files_of(site, ada.user_id) == []


async def test_files_go_with_an_account_that_somebody_else_deleted(
    site: Site, admin: asyncpg.Connection, ada: Person
) -> None:
    """By the dashboard, or by Supabase Auth when a demo is over."""
    await fill(site, ada)
    await site.execute("delete from auth.users where id = $1", ada.user_id)
    assert files_of(site, ada.user_id) != []
    assert await finish_later(site, minutes=11) > 0
    assert files_of(site, ada.user_id) == []
    assert await tables_with(admin, ada.user_id) == []
