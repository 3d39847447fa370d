"""A row in every table that has a user_id, and files in every folder, for somebody who takes them along or leaves."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg

from backend.data.model_files import FolderModelFiles
from backend.domain.market import IMPORT, Series, Span, Timeframe
from backend.domain.market_ports import FetchedPage
from backend.infrastructure.clock import SystemClock
from tests.api.conftest import Person, Site
from tests.finished_backtests import finished_backtest
from tests.integration.rows_of_tables import AHEAD_OF_TIME, ROWS
from tests.market_bars import instrument_of, walk

SYMBOL = "MINE/EUR"
MODEL = b"a model that learned"


async def fill(site: Site, who: Person) -> UUID:
    """The id of a finished backtest among them."""
    admin = await asyncpg.connect(site.database.dsn("supabase_admin"))
    try:
        for table, row_of in ROWS.items():
            row = row_of(who.user_id)
            if "user_id" not in row:
                continue
            await admin.execute(f"set session_replication_role = {'replica' if table in AHEAD_OF_TIME else 'origin'}")
            marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
            await admin.execute(
                f"insert into public.{table} ({', '.join(row)}) values ({marks}) on conflict do nothing",
                *row.values(),
            )
        await admin.execute("set session_replication_role = origin")
        digest = await asyncio.to_thread(
            FolderModelFiles(site.house.market.cache_dir, SystemClock()).keep, who.user_id, MODEL
        )
        await admin.execute("update public.models set file_sha256 = $2 where id = $1", who.user_id, digest)
        await admin.execute("update public.series set symbol = $2 where id = $1", who.user_id, SYMBOL)
        await admin.execute(
            "insert into auth.flow_state (id, user_id, authentication_method, provider_type, code_challenge_method,"
            " code_challenge, auth_code) values (gen_random_uuid(), $1, 'x', 'x', 's256', 'x', 'x')",
            who.user_id,
        )
        await admin.execute(
            "insert into auth.audit_log_entries (id, payload) values (gen_random_uuid(), $1)",
            f'{{"actor_id": "{who.user_id}", "actor_username": "{who.email}"}}',
        )
    finally:
        await admin.close()
    _write_bars(site, who.user_id)
    _write_elsewhere(site.house.market.cache_dir, who.user_id)
    return await finished_backtest(site.database.dsn("supabase_admin"), who.user_id)


def _write_bars(site: Site, owner: UUID) -> None:
    """Of two calendar years."""
    first = datetime(2024, 12, 30, tzinfo=UTC)
    page = FetchedPage(
        bars=walk(4, start="2024-12-30", frequency="1D"), covered=Span(start=first, end=first + timedelta(days=4))
    )
    series = Series(provider=IMPORT, symbol=SYMBOL, timeframe=Timeframe.D1, owner=owner)
    site.house.market.store.write(instrument_of(SYMBOL), series, page, source="a file")


def _write_elsewhere(cache_dir: Path, owner: UUID) -> None:
    for folder in (cache_dir / "uploads" / str(owner) / "an-upload", cache_dir / "quarantine" / "private" / str(owner)):
        folder.mkdir(parents=True)
        (folder / "data").write_bytes(b"1,2")
