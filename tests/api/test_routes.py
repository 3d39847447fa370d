"""Every route, asked by every kind of stranger for every kind of id: routes.toml says what each of them is answered.

Routes come from the app and strangers from a list, so a new route is asked by all of them as soon as it has its row.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from backend.api.rooms import ROOMS_PATH
from backend.domain.tokens import Scope
from tests.api.asking import TWIN, ask, assert_safe, shape, told
from tests.api.belongings import MAKERS, malformed, nobodys
from tests.api.conftest import Person, Site
from tests.api.expectations import TABLE, Row, auth_routes, documented_reach, routes, table
from tests.api.served import served
from tests.api.strangers import Headers, bearer, forgers, scopes_without, signed_out
from tests.api.talking import Runner, talking

EXPECTED = table()
ASKED_BY_HTTP = [name for name, row in EXPECTED.rows.items() if row.method != "WS"]
HALF_OPEN = 4000  # what the close codes of sockets are above the statuses that they stand for
CLIMBS = "..%2f..%2fetc%2fpasswd"


def test_every_route_has_its_row() -> None:
    missing = sorted(set(routes()) - set(EXPECTED.rows))
    gone = sorted(set(EXPECTED.rows) - set(routes()))
    assert not missing, (
        f"{TABLE.name} does not say what {', '.join(missing)} answers to whom. Add a row for each below [routes]:"
        f' "{missing[0]}" = {{ reach = "...", own = 200 }}; the head of the file explains every word.'
    )
    assert not gone, f"{TABLE.name} has rows of routes that are gone; remove them: {', '.join(gone)}"


def test_every_route_of_supabase_auth_has_its_row() -> None:
    missing, gone = set(auth_routes()) - set(EXPECTED.auth), set(EXPECTED.auth) - set(auth_routes())
    assert not missing, f"{TABLE.name}: say below [auth] whom {', '.join(sorted(missing))} lets in"
    assert not gone, f"{TABLE.name}: {', '.join(sorted(gone))} is not served any more; remove it below [auth]"


def test_the_table_and_the_documents_say_the_same() -> None:
    for name, reach in documented_reach().items():
        assert EXPECTED.rows[name].reach == reach, f"{name} declares needs({reach}); {TABLE.name} says otherwise"
    hidden = set(EXPECTED.rows) - set(documented_reach()) - {f"WS {ROOMS_PATH}"}
    assert {EXPECTED.rows[name].reach for name in hidden} == {"open"}, "what no document shows is open to all"


def test_whatever_an_id_can_name_has_an_owner_and_a_stranger() -> None:
    for name, row in EXPECTED.rows.items():
        takes_id = "{" in row.path or "{id}" in str((row.query, row.body))
        assert not takes_id or row.thing is not None or row.reach == "open", f"{name}: say what its id names"
        assert row.thing is None or row.thing in MAKERS, f"{name}: belongings.py makes no {row.thing}"
        assert row.thing is None or (row.other and row.malformed), f"{name}: say what strangers' ids are answered"


@pytest.fixture(scope="module")
async def url(site: Site) -> AsyncIterator[str]:
    async with served(site.house) as url:
        yield url


@pytest.fixture(scope="module")
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
async def auth_tables(site: Site) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(site.database.dsn("supabase_auth_admin"))
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def eve(site: Site) -> Person:
    """Another user, with every right of one."""
    return await site.person()


async def owner_of(row: Row, site: Site) -> Person:
    return await (site.administrator() if row.reach == "admin" else site.person())


def refusals(row: Row) -> Mapping[str, str]:
    if row.reach == "open":
        return {}
    found = dict(EXPECTED.refusals.get(row.reach, EXPECTED.refusals["token"]))
    if row.suspended is not None:
        found["suspended"] = row.suspended
    return found


async def strangers(row: Row, client: httpx.AsyncClient, site: Site, owner: Person, eve: Person) -> dict[str, Headers]:
    """All that [refusals] names but the suspended, who is the owner at another time."""
    scopes = [str(scope) for scope in scopes_without(row.reach)] or [str(scope) for scope in Scope]
    wanted = {"name": "Too little", "scopes": scopes, "expires_in_days": 1}
    made = await client.post("/api/me/tokens", json=wanted, headers=owner.headers)
    assert made.status_code == 201, made.text
    claims_to_be = await site.person(app_metadata={"role": "admin"}) if row.reach == "admin" else eve
    return {
        **forgers(owner),
        "token of too little scope": bearer(made.json()["token"]),
        "an ordinary user": eve.headers,
        "a user whose token claims to be an administrator's": claims_to_be.headers,
    }


@asynccontextmanager
async def suspended(owner: Person, auth_tables: asyncpg.Connection) -> AsyncIterator[None]:
    ban = "update auth.users set banned_until = now() + $2::interval where id = $1"
    await auth_tables.execute(ban, owner.user_id, timedelta(hours=1))
    yield
    await auth_tables.execute(ban, owner.user_id, timedelta(hours=-1))


@pytest.mark.parametrize("name", ASKED_BY_HTTP)
async def test_each_is_answered_as_the_table_says(
    client: httpx.AsyncClient, site: Site, auth_tables: asyncpg.Connection, eve: Person, name: str
) -> None:
    row = EXPECTED.rows[name]
    owner = await owner_of(row, site)
    make = MAKERS[row.thing] if row.thing else None
    mine = await make(site, client, owner) if make else ""
    twin = await make(site, client, owner) if make and TWIN in str(row.body) else ""
    nobody = nobodys(row.thing) if row.thing else ""

    async def asks(headers: Headers, id_: str) -> str:
        return told(await ask(client, row, headers, id_, twin))

    expected = refusals(row)
    who = await strangers(row, client, site, owner, eve) if expected else {}
    bad = malformed(row.thing)[0] if row.thing else None
    ids = (mine, nobody, bad) if bad else ("",)
    for kind, headers in who.items():
        for id_ in ids if kind in expected else ():
            answers = (expected[kind], row.malformed) if id_ == bad else (expected[kind],)
            assert await asks(headers, id_) in answers, f"{kind}, {id_}"
    if "suspended" in expected:
        async with suspended(owner, auth_tables):
            for id_ in ids:
                answers = (expected["suspended"], row.malformed) if id_ == bad else (expected["suspended"],)
                assert await asks(owner.headers, id_) in answers, f"suspended, {id_}"
    if row.is_live:
        assert await asks(signed_out(owner), mine) == "401 session_ended"
    if row.thing:
        await assert_nobody_learns(client, row, owner, eve, mine, nobody, twin)
    # At last, so that it also shows that nothing was done before.
    answer = await ask(client, row, owner.headers if row.reach != "open" else {}, mine, twin)
    assert told(answer) == row.own
    assert_safe(answer, is_private=row.reach != "open" and answer.status_code != 204)


async def assert_nobody_learns(
    client: httpx.AsyncClient, row: Row, owner: Person, eve: Person, mine: str, nobody: str, twin: str
) -> None:
    """Another's thing is answered as what is nobody's, word for word, and what is no id at all as that."""
    at_nobodys = await ask(client, row, owner.headers, nobody, twin)
    assert told(at_nobodys) == row.other
    if row.reach not in ("open", "admin"):
        at_anothers = await ask(client, row, eve.headers, mine, twin)
        assert shape(at_anothers, mine) == shape(at_nobodys, nobody)
    for id_ in malformed(row.thing or ""):
        assert told(await ask(client, row, owner.headers, id_, twin)) == row.malformed, id_
    assert told(await ask(client, row, owner.headers, CLIMBS, twin)) in (row.malformed, "404 no_such_path")


async def test_the_socket_answers_as_the_table_says(
    url: str, client: httpx.AsyncClient, site: Site, auth_tables: asyncpg.Connection, eve: Person
) -> None:
    row = EXPECTED.rows[f"WS {ROOMS_PATH}"]
    owner = await site.person()
    who: dict[str, Any] = await strangers(row, client, site, owner, eve)
    expected = refusals(row)
    for kind, headers in who.items():
        if kind in expected:
            await assert_shut_out(url, headers, expected[kind])
    async with suspended(owner, auth_tables):
        await assert_shut_out(url, owner.headers, expected["suspended"])
    theirs, mine = await Runner(person=eve).submit(), await Runner(person=owner).submit()
    async with talking(url, owner) as talker:
        words = []
        for id_ in (str(theirs.id), nobodys("backtest")):
            await talker.say("backtest:subscribe", backtestId=id_)
            said = await talker.error()
            words.append((said["code"], said["detail"].replace(id_, "")))
        assert words[0] == words[1]
        await talker.say("backtest:subscribe", backtestId="not-an-id")
        assert (await talker.error())["code"] == "message_not_understood"
        await talker.subscribe(mine.id)
        assert (await talker.hear())[0] != "error"


async def assert_shut_out(url: str, headers: Headers, expected: str) -> None:
    token = headers.get("Authorization", "").removeprefix("Bearer ")
    status, _, code = expected.partition(" ")
    async with talking(url) as talker:
        await talker.say("authenticate", **({"token": token} if token else {}))
        assert (await talker.error())["code"] == code
        assert (await talker.parting())[0] == HALF_OPEN + int(status)
