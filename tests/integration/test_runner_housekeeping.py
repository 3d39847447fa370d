"""What the runner tidies: old rows, and fetched series that take too much room."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from backend.bootstrap_leaving import open_leaving_desk
from backend.bootstrap_market import Market, open_market
from backend.bootstrap_models import open_model_desk
from backend.data.storage.exchange_keys import KeyVaultTables
from backend.data.storage.housekeeping import HousekeepingTables
from backend.data.storage.series import SharedSeries
from backend.domain.forecast import Forecasts
from backend.domain.jobs import JobKind, JobState, NewJob
from backend.domain.market import IMPORT, Series, Span, Timeframe
from backend.domain.market_ports import FetchedPage
from backend.infrastructure.clock import SystemClock
from backend.infrastructure.key_manager import KeyManager, MasterKey
from backend.services.adoption import Adoption
from backend.services.exchange_keys import KeyDesk
from backend.settings import Settings
from backend.worker.fetching import Fetch
from backend.worker.handlers import Maintain
from tests.fake_exchange_keys import FakeProber
from tests.integration.runner_house import SMALL, House, until_async
from tests.integration.test_children import until


def maintain(house: House, market: Market) -> Maintain:
    adoption = Adoption(market.store, SharedSeries(house.tables.worker))
    settings = Settings(_env_file=None, cache_dir=market.cache_dir)
    models = open_model_desk(settings, market, Forecasts(), SystemClock(), house.tables.worker)
    keys = KeyDesk(FakeProber(), KeyManager(lambda: (MasterKey.generate(),)), KeyVaultTables(house.tables.worker))
    leaving = open_leaving_desk(market.cache_dir, SystemClock(), house.tables.worker, models.files).leaving
    return Maintain(
        HousekeepingTables(house.tables.worker),
        market,
        adoption=adoption,
        models=models,
        keys=keys,
        leaving=leaving,
        cache_bytes=0,
    )


async def test_housekeeping_deletes_what_is_old_and_nothing_else(house: House, tmp_path: Path) -> None:
    async with (
        open_market(Settings(_env_file=None, cache_dir=tmp_path, crypto_exchanges=())) as market,
        house.runner(handlers={JobKind.MAINTAIN: maintain(house, market)}),
    ):
        done = await house.becomes(await house.submit(JobKind.PREDICT), JobState.COMPLETED)
        await house.tables.execute(
            "update public.task_events set at = now() - interval '7 days 1 minute' where type = 'task_queued'"
        )
        for key, hours in (("old", 25), ("young", 23)):
            await house.tables.execute(
                "insert into public.idempotency_keys (user_id, key, method, path, body_hash, created_at)"
                " values ($1, $2, 'POST', '/', '', now() - make_interval(hours => $3))",
                house.me,
                key,
                hours,
            )
        job = await house.tables.queue.add(NewJob(kind=JobKind.MAINTAIN, payload={}, demand=SMALL))

        async def is_done() -> bool:
            # As long as one of a kind waits or runs, the queue answers with that one.
            again = await house.tables.queue.add(NewJob(kind=JobKind.MAINTAIN, payload={}, demand=SMALL))
            return again.id != job.id

        await until_async(is_done)
        assert await house.events_of(done) == ["running", "completed"]
        assert await house.kept_answers() == ["young"]


async def test_housekeeping_keeps_fetched_series_within_their_room(house: House, tmp_path: Path) -> None:
    async with open_market(Settings(_env_file=None, cache_dir=tmp_path, crypto_exchanges=())) as market:
        day = Span(start=datetime(2025, 1, 1, tzinfo=UTC), end=datetime(2025, 1, 2, tzinfo=UTC))
        fetched = Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.H1)
        await Fetch(market.markets, market.store).fetch(fetched, [day], lambda _: None, lambda: False)
        loaded = market.store.read(fetched)
        imported = Series(provider=IMPORT, symbol="MINE", timeframe=Timeframe.H1, owner=house.me)
        market.store.write(
            replace(loaded.instrument, provider=IMPORT, symbol="MINE"),
            imported,
            FetchedPage(bars=loaded.bars, covered=day),
            source="a file",
        )
        async with house.runner(handlers={JobKind.MAINTAIN: maintain(house, market)}):
            await house.tables.queue.add(NewJob(kind=JobKind.MAINTAIN, payload={}, demand=SMALL))
            await until(lambda: market.store.manifest(fetched) is None)
        assert market.store.manifest(imported) is not None
