"""All of one's own data as one archive: what is in it, what is not, and who gets it."""

import csv
import io
import json
import zipfile
from collections.abc import AsyncGenerator

import asyncpg
import httpx
import pyarrow.parquet as pq
import pytest

from backend.domain.errors import AccountSuspended, SessionEnded
from backend.domain.own_data import MOST_EXPORTS_A_DAY, NOT_TAKEN_ALONG, NOUNS, TABLES
from tests.api.conftest import Person, Site, assert_problem
from tests.api.own_rows import MODEL, fill

PATH = "/api/me/export"
# Columns that their owner must not read either, or that would let somebody in.
NEVER = ("digest", "locked", "master", "encrypted_password", "refresh_token")


async def archive_of(client: httpx.AsyncClient, who: Person) -> zipfile.ZipFile:
    answer = await client.get(PATH, headers=who.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith('attachment; filename="tidemark-2')
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def documents(archive: zipfile.ZipFile) -> dict[str, list[dict[str, object]]]:
    return {noun.name: json.loads(archive.read(noun.file)) for noun in NOUNS}


async def test_the_archive_holds_a_row_of_everything_and_nothing_of_others(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    eve = await site.person()
    await fill(site, eve)
    backtest_id = await fill(site, ada)
    archive = await archive_of(client, ada)
    found, manifest = documents(archive), json.loads(archive.read("manifest.json"))
    for name, rows in found.items():
        assert rows, name
        assert manifest["counts"][name] == len(rows), name
        assert not {"user_id", *NEVER}.intersection(*rows) - {"user_id"}, name
        assert {row.get("user_id", str(ada.user_id)) for row in rows} == {str(ada.user_id)}, name
    whole = b"".join(archive.read(name) for name in archive.namelist())
    assert str(eve.user_id).encode() not in whole
    assert (manifest["user_id"], manifest["email"]) == (str(ada.user_id), ada.email)
    # The row of backtest_parts that all tables are attacked with is no Parquet.
    assert manifest["left_out"] == [f"trades of the backtest {ada.user_id}: a piece of them is damaged."]
    assert manifest["counts"]["trades"] == manifest["counts"]["equity"] == 3
    (run,) = [row for row in found["backtests"] if row["id"] == str(backtest_id)]
    assert (run["name"], run["notes"], run["tags"]) == ("My private name", "My private notes", ["private-tag"])


async def test_tables_models_and_bars_are_files_that_other_programs_read(
    client: httpx.AsyncClient, site: Site, ada: Person
) -> None:
    backtest_id = await fill(site, ada)
    archive = await archive_of(client, ada)
    rows = list(csv.DictReader(io.StringIO(archive.read("equity.csv").decode())))
    assert {row["backtest_id"] for row in rows} == {str(backtest_id)}
    assert [row["equity"] for row in rows] == ["10000", "10001", "10002"]
    assert rows[0]["ts"] == "2024-01-01T00:00:00Z"
    assert archive.read(f"models/{ada.user_id}.model") == MODEL
    years = [name for name in archive.namelist() if name.startswith("bars/MINE_EUR-1d-")]
    assert [name.rpartition("/")[2] for name in years] == ["2024.parquet", "2025.parquet"]
    assert [pq.read_table(io.BytesIO(archive.read(name))).num_rows for name in years] == [2, 2]


async def test_the_readme_names_every_file(client: httpx.AsyncClient, ada: Person) -> None:
    archive = await archive_of(client, ada)
    readme = archive.read("README.txt").decode()
    for noun in NOUNS:
        assert f"{noun.file}\n    {noun.about}" in readme
    for name, about in TABLES.items():
        assert f"{name}." in readme
        assert about in readme


async def test_every_table_that_a_user_reads_is_in_the_export(site: Site) -> None:
    connection = await asyncpg.connect(site.database.dsn("supabase_admin"))
    try:
        rows = await connection.fetch(
            "select c.oid::regclass::text as name from pg_class c join pg_attribute a on a.attrelid = c.oid"
            " where a.attname = 'user_id' and c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace"
            " and has_any_column_privilege('authenticated', c.oid, 'select')"
        )
    finally:
        await connection.close()
    readable = {f"public.{row['name']}" for row in rows}
    taken = {noun.source for noun in NOUNS if noun.is_table}
    assert readable - taken == set(NOT_TAKEN_ALONG), "add the table to NOUNS in domain/own_data.py, or say why not"
    assert taken <= readable


async def test_pages_of_one_row_make_the_same_archive(
    client: httpx.AsyncClient, site: Site, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await site.execute(
            "insert into public.strategies (user_id, name) values ($1, gen_random_uuid()::text)",
            ada.user_id,
            role="supabase_admin",
        )
    at_once = documents(await archive_of(client, ada))["strategies"]
    for noun in NOUNS:
        monkeypatch.setitem(noun.__dict__, "page", 1)
    one_by_one = documents(await archive_of(client, ada))["strategies"]
    assert one_by_one == at_once
    assert len(at_once) == 3


async def test_an_account_with_nothing_has_an_archive_too(client: httpx.AsyncClient, ada: Person) -> None:
    found = documents(await archive_of(client, ada))
    assert [len(found[name]) for name in ("profile", "sessions", "backtests")] == [1, 1, 0]


async def test_how_much_there_is_is_told_before(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    await fill(site, ada)
    body = (await client.get("/api/me/data", headers=ada.headers)).json()
    counts = {item["name"]: item["count"] for item in body["items"]}
    assert (counts["backtests"], counts["models"], counts["imported series"]) == (2, 1, 1)
    assert body["disk_bytes"] > len(MODEL)
    assert body["has_password"] is False


async def test_a_signed_out_session_takes_nothing_along(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    await site.execute("delete from auth.sessions where id = $1", ada.session_id)
    assert_problem(await client.get(PATH, headers=ada.headers), 401, "session_ended")


async def test_a_few_a_day_and_each_is_audited(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    for _ in range(MOST_EXPORTS_A_DAY):
        await archive_of(client, ada)
    answer = await client.get(PATH, headers=ada.headers)
    assert_problem(answer, 429, "too_many_exports")
    assert int(answer.headers["retry-after"]) > 80_000
    assert await audited(site, ada) == ["account.export"] * MOST_EXPORTS_A_DAY


async def test_one_at_a_time(site: Site, ada: Person) -> None:
    """The second is refused while the first is being read, and not after it."""
    desk = site.house.leaving
    async with desk.exports.of(ada.user_id), site.client() as client:
        assert_problem(await client.get(PATH, headers=ada.headers), 429, "quota_reached")
    async with site.client() as client:
        await archive_of(client, ada)


async def begun(site: Site, who: Person) -> AsyncGenerator[bytes, None]:
    """An export of which somebody took the first piece, and no more yet."""
    identity = await site.house.verifier.verify(who.token)
    pieces = site.house.leaving.exported(lambda: site.house.own_data_of(identity), identity, "192.0.2.7")
    await anext(pieces)
    return pieces


async def test_a_slow_reader_holds_no_connection(site: Site, ada: Person) -> None:
    pieces = await begun(site, ada)
    assert site.house.database.idle == site.house.database.size
    await pieces.aclose()


async def test_one_who_broke_off_may_begin_again(client: httpx.AsyncClient, site: Site, ada: Person) -> None:
    await (await begun(site, ada)).aclose()
    await archive_of(client, ada)


async def test_whoever_is_suspended_meanwhile_gets_no_more(site: Site, ada: Person) -> None:
    pieces = await begun(site, ada)
    await site.execute("update auth.users set banned_until = now() + interval '1 day' where id = $1", ada.user_id)
    with pytest.raises(AccountSuspended):
        await anext(pieces)


async def test_whoever_is_signed_out_meanwhile_gets_no_more(site: Site, ada: Person) -> None:
    """A thief who reads slowly, from whom the owner takes the session."""
    pieces = await begun(site, ada)
    await site.execute("delete from auth.sessions where id = $1", ada.session_id)
    with pytest.raises(SessionEnded):
        async for _ in pieces:
            pass


async def audited(site: Site, who: Person) -> list[str]:
    connection = await asyncpg.connect(site.database.dsn("supabase_admin"))
    try:
        rows = await connection.fetch(
            "select action from public.audit_log where subject_id = $1 order by at, id", who.user_id
        )
        return [row["action"] for row in rows]
    finally:
        await connection.close()


async def test_large_rows_come_a_few_at_a_time(site: Site, ada: Person) -> None:
    """What is in memory at a time is bounded by bytes, not by rows alone."""
    for _ in range(6):
        await site.execute(
            "insert into public.backtest_presets (user_id, name, form) select $1, gen_random_uuid()::text,"
            " jsonb_build_object('noise', string_agg(gen_random_uuid()::text, '')) from generate_series(1, 14000)",
            ada.user_id,
            role="supabase_admin",
        )
    (presets,) = [noun for noun in NOUNS if noun.name == "presets"]
    identity, sizes, after = await site.house.verifier.verify(ada.token), [], None
    while True:
        async with site.house.own_data_of(identity) as own:
            page = await own.page(presets, after)
        sizes.append(len(page.rows))
        if page.next is None:
            break
        after = page.next
    assert sum(sizes) == 6
    assert max(sizes) <= 3, sizes
