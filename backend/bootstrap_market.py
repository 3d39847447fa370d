"""The part of the composition root that opens market data (providers, calendars, bars, uploads) and strategies.

It needs no database, so the command line and the children of the runner open it alone.
"""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.domain.errors import InvalidSetting
from backend.settings import Settings

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from backend.data.fetchers.reading import OnRequest
    from backend.domain.backtest_ports import RunBars, TablePacking
    from backend.domain.forecast import Forecasts
    from backend.domain.market import Instrument, Series, Span
    from backend.domain.market_ports import (
        BarFetcher,
        BarFiles,
        BarHousekeeping,
        BarStore,
        DiskQuotas,
        FileLooks,
        Loaded,
        MarketMeter,
        TradingCalendar,
        Uploads,
    )
    from backend.domain.ml.forecaster import Forecaster
    from backend.domain.ml.walk_forward import WalkForward
    from backend.domain.ports import Clock, StrategyPreviews
    from backend.domain.strategies.registry import StrategyRegistry
    from backend.infrastructure.places import Places
    from backend.services.backtest_plans import BacktestPlanner
    from backend.services.backtest_runs import Bench
    from backend.services.bar_library import BarLibrary
    from backend.services.markets import Markets, ProviderFacts
    from backend.services.strategies import Installed

CACHE_DIR_NAME = "TIDEMARK_CACHE_DIR"
USER_DISK_NAME = "TIDEMARK_USER_DISK_BYTES"
_STRATEGIES_NAME = "TIDEMARK_STRATEGIES_DIR"

_DEMO = ("demo", "Simulated market", "Computed bars that are the same on every machine. No key and no network.")
_YAHOO = (
    "yahoo",
    "Yahoo Finance",
    "Stocks, funds, currencies and crypto of the world. No key needed; it turns away whoever asks often.",
)


@dataclass(frozen=True, kw_only=True)
class Market:
    """All that market data stands on."""

    cache_dir: Path
    calendar: "TradingCalendar"
    markets: "Markets"
    store: "BarStore"
    housekeeping: "BarHousekeeping"
    quotas: "DiskQuotas"
    library: "BarLibrary"
    uploads: "Uploads"
    looks: "FileLooks"
    files: "BarFiles"
    strategies: "Installed"
    previews: "StrategyPreviews"


@asynccontextmanager
async def open_market(
    settings: Settings, clock: "Clock | None" = None, meter: "MarketMeter | None" = None
) -> AsyncIterator[Market]:
    """The market data of this installation; its sessions with providers are closed at the end."""
    from backend.data.bar_files import TableFiles
    from backend.data.calendars import TradingCalendars
    from backend.data.file_looks import ProcessFileLooks
    from backend.data.storage.bars import ParquetBarHousekeeping, ParquetBarStore
    from backend.data.storage.quotas import FolderQuotas
    from backend.data.storage.uploads import StagedUploads
    from backend.data.strategy_previews import ProcessStrategyPreviews
    from backend.infrastructure.clock import SystemClock
    from backend.services.bar_library import BarLibrary
    from backend.services.markets import Markets
    from backend.services.strategies import Installed

    cache_dir = usable_cache_dir(settings.cache_dir)
    _require_strategies_folder(settings)
    clock, calendar = clock or SystemClock(), TradingCalendars()
    store = ParquetBarStore(cache_dir, clock, on_read=meter.bars_read if meter else lambda _: None)
    fetchers, facts = _providers(settings, calendar, clock, meter.vendor_asked if meter else None)
    markets, looks = Markets(fetchers, facts), ProcessFileLooks(desk_environment(settings))
    strategies, previews = (
        Installed(lambda: open_strategies(settings)),
        ProcessStrategyPreviews(desk_environment(settings)),
    )
    try:
        yield Market(
            cache_dir=cache_dir,
            calendar=calendar,
            markets=markets,
            store=store,
            housekeeping=ParquetBarHousekeeping(store),
            quotas=FolderQuotas(cache_dir, settings.user_disk_bytes),
            library=BarLibrary(store, calendar, clock),
            uploads=StagedUploads(cache_dir, clock),
            looks=looks,
            files=TableFiles(cache_dir),
            strategies=strategies,
            previews=previews,
        )
    finally:
        await previews.close()
        await looks.close()
        await markets.close()


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What an import in a child needs: where bars go, where the uploaded files are, and how much may be kept."""

    store: "BarStore"
    uploads: "Uploads"
    quotas: "DiskQuotas"


def desk_environment(settings: Settings) -> dict[str, str]:
    """What a child of the runner is told of the settings."""
    told = {CACHE_DIR_NAME: str(settings.cache_dir), USER_DISK_NAME: str(settings.user_disk_bytes)}
    return told if settings.strategies_dir is None else {**told, _STRATEGIES_NAME: str(settings.strategies_dir)}


def open_desk(environment: Mapping[str, str]) -> Desk:
    """The desk that such an environment tells of."""
    from backend.data.storage.bars import ParquetBarStore
    from backend.data.storage.quotas import FolderQuotas
    from backend.data.storage.uploads import StagedUploads
    from backend.infrastructure.clock import SystemClock

    cache_dir, clock = Path(environment[CACHE_DIR_NAME]), SystemClock()
    return Desk(
        store=ParquetBarStore(cache_dir, clock),
        uploads=StagedUploads(cache_dir, clock),
        quotas=FolderQuotas(cache_dir, int(environment[USER_DISK_NAME])),
    )


@dataclass(frozen=True, kw_only=True)
class BacktestDesk:
    """What the API needs around backtests besides the database: plans before, charts and tables after."""

    planner: "BacktestPlanner"
    strategies: "StrategyRegistry"
    bars: "RunBars"
    tables: "TablePacking"
    # Each takes a core for seconds, beside what answers everybody.
    comparisons: "Places"

    def packed(self, kind: str, document: Mapping[str, Any], tables: "Mapping[str, pd.DataFrame]") -> bytes:
        """A zip of the document and the tables, as CSV or Parquet."""
        from backend.data.run_files import zipped

        return zipped(kind, document, tables)


def open_backtest_desk(settings: Settings, market: Market, forecasts: "Forecasts", clock: "Clock") -> BacktestDesk:
    from backend.data.research_bars import CacheBars
    from backend.data.run_tables import ParquetTables
    from backend.infrastructure.places import Places
    from backend.services.backtest_plans import BacktestPlanner

    strategies = open_strategies(settings)
    return BacktestDesk(
        planner=BacktestPlanner(
            strategies=strategies,
            markets=market.markets,
            store=market.store,
            library=market.library,
            forecasts=forecasts,
            clock=clock,
        ),
        strategies=strategies,
        bars=CacheBars(market.cache_dir),
        tables=ParquetTables(),
        comparisons=Places("comparisons at once", of_one=2, at_once=1),
    )


@cache
def open_bench(cache_dir: str, strategies_dir: str | None) -> "Bench":
    """What a child makes runs with, kept from run to run: strategies are loaded once."""
    from backend.data.calendars import TradingCalendars
    from backend.data.research_bars import CacheBars
    from backend.data.run_tables import ParquetTables
    from backend.domain.strategies.registry import StrategyRegistry
    from backend.services.backtest_runs import Bench

    return Bench(
        bars=CacheBars(Path(cache_dir)),
        strategies=StrategyRegistry(folder=Path(strategies_dir) if strategies_dir else None),
        tables=ParquetTables(),
        calendar=TradingCalendars(),
        predictions=open_predictions,
    )


@cache
def open_forecaster() -> "Forecaster":
    """What learns. The library takes its time to load, so it is opened where somebody asks a model."""
    from backend.infrastructure.forecasters import LightGbm

    return LightGbm()


@cache
def open_predictions() -> "WalkForward":
    """For strategies that ask models; what was trained in this process is remembered."""
    from backend.domain.ml.walk_forward import WalkForward

    return WalkForward(open_forecaster)


def bench_of(environment: Mapping[str, str]) -> "Bench":
    """The bench that such an environment tells of."""
    return open_bench(environment[CACHE_DIR_NAME], environment.get(_STRATEGIES_NAME))


def open_strategies(settings: Settings) -> "StrategyRegistry":
    """Those that are built in, of packages, and of the operator's folder, which has to be there when it is named."""
    from backend.domain.strategies.registry import StrategyRegistry

    _require_strategies_folder(settings)
    return StrategyRegistry(folder=settings.strategies_dir)


@dataclass(frozen=True, kw_only=True)
class PreviewDesk:
    """What a preview needs: strategies, and bars that are stored or, of the demo market, made."""

    registry: "StrategyRegistry"
    store: "BarStore"
    predictions: "Callable[[], WalkForward]"

    def what_there_is(self, series: "Series") -> "tuple[Instrument, datetime]":
        """What is traded, and where its bars end. Raises NoBars, UnknownSymbol."""
        from backend.data.fetchers.demo import instrument_of
        from backend.domain.market_errors import NoBars
        from backend.domain.simulation.markets import PROVIDER
        from backend.infrastructure.clock import SystemClock

        if series.provider == PROVIDER:
            return instrument_of(series.symbol), SystemClock().now()
        manifest = self.store.manifest(series)
        if manifest is None or manifest.last is None:
            raise NoBars(f"Nothing of {series} is stored yet. Download it first.")
        return manifest.instrument, manifest.last + series.timeframe.length

    def read(self, series: "Series", span: "Span") -> "Loaded":
        from backend.domain.simulation.markets import PROVIDER

        if series.provider != PROVIDER:
            return self.store.read(series, span)
        from backend.data.research_bars import simulated

        return simulated(series, span)


def open_preview_desk(environment: Mapping[str, str]) -> PreviewDesk:
    """The desk that such an environment tells of."""
    from backend.data.storage.bars import ParquetBarStore
    from backend.domain.strategies.registry import StrategyRegistry
    from backend.infrastructure.clock import SystemClock

    folder = environment.get(_STRATEGIES_NAME)
    return PreviewDesk(
        registry=StrategyRegistry(folder=Path(folder) if folder else None),
        store=ParquetBarStore(Path(environment[CACHE_DIR_NAME]), SystemClock()),
        predictions=open_predictions,
    )


def _require_strategies_folder(settings: Settings) -> None:
    folder = settings.strategies_dir
    if folder is not None and not folder.is_dir():
        raise InvalidSetting(_STRATEGIES_NAME, f"{folder} is no folder. Make it, or leave the setting out.")


def usable_cache_dir(folder: Path) -> Path:
    """The folder, made when it is missing; raises InvalidSetting when nothing can be written there."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as problem:
        reason = f"{folder} cannot be written: {problem.strerror}. Name a folder that is yours, or change its rights."
        raise InvalidSetting(CACHE_DIR_NAME, reason) from problem
    return folder


def _providers(
    settings: Settings, calendar: "TradingCalendar", clock: "Clock", on_request: "OnRequest | None"
) -> "tuple[dict[str, BarFetcher], list[ProviderFacts]]":
    from backend.data.fetchers.demo import DemoFetcher
    from backend.services.markets import ProviderFacts

    fetchers: dict[str, BarFetcher] = {}
    facts: list[ProviderFacts] = []

    def offer(make: "Callable[[], BarFetcher]", name: str, title: str, about: str, *, simulated: bool = False) -> None:
        fetcher = fetchers[name] = make()
        facts.append(
            ProviderFacts(
                name=name,
                title=title,
                about=about,
                timeframes=tuple(fetcher.timeframes),
                adjustments=tuple(fetcher.adjustments),
                is_simulated=simulated,
            )
        )

    offer(lambda: DemoFetcher(calendar, clock), *_DEMO, simulated=True)
    vendor = {"calendars": calendar, "clock": clock, "on_request": on_request}
    _offer_vendors(settings, vendor, offer, facts)
    return fetchers, facts


def _offer_vendors(
    settings: Settings, vendor: dict[str, Any], offer: Callable[..., None], facts: "list[ProviderFacts]"
) -> None:
    from backend.data.fetchers.alpaca import AlpacaAccount, AlpacaFetcher
    from backend.data.fetchers.yahoo import YahooFetcher
    from backend.services.markets import ProviderFacts

    _offer_exchanges(settings, vendor, offer)
    offer(partial(YahooFetcher, **vendor), *_YAHOO)
    alpaca = ("alpaca", "Alpaca", "US stocks and funds, raw or adjusted. It needs the keys of an account.")
    key_id, secret = settings.alpaca_key_id, settings.alpaca_secret_key
    if key_id is None or secret is None:
        name, title, about = alpaca
        reason = "It needs TIDEMARK_ALPACA_KEY_ID and TIDEMARK_ALPACA_SECRET_KEY, which the operator sets."
        facts.append(ProviderFacts(name=name, title=title, about=about, unavailable=reason))
        return
    account = AlpacaAccount(
        key_id=key_id.get_secret_value(),
        secret_key=secret.get_secret_value(),
        is_paper=settings.alpaca_paper,
        feed=settings.alpaca_feed,
        delay=timedelta(minutes=settings.alpaca_delay_minutes),
    )
    offer(lambda: AlpacaFetcher(account, **vendor), *alpaca)


def _offer_exchanges(settings: Settings, vendor: dict[str, Any], offer: Callable[..., None]) -> None:
    from backend.data.fetchers.crypto import CryptoFetcher
    from backend.data.fetchers.exchanges import EXCHANGES
    from backend.domain.market_errors import MarketDataError

    for exchange in settings.crypto_exchanges:
        known = EXCHANGES.get(exchange)
        try:
            offer(
                partial(CryptoFetcher, exchange, **vendor),
                f"crypto:{exchange}",
                known.title if known else exchange,
                "Spot markets of a crypto exchange, as traded. No key.",
            )
        except MarketDataError as problem:
            raise InvalidSetting("TIDEMARK_CRYPTO_EXCHANGES", problem.detail) from problem
