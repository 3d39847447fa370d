"""US stocks and funds from Alpaca, through alpaca-py. It needs an account's keys, a free one will do.

Bars are of the regular session: Alpaca's own begin before it opens and end after it closes, and its hours mix both, so
hours are made of half hours, and weeks of days. Prices are as traded, adjusted for splits, or for dividends as well.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import pandas as pd

from backend.data.fetchers.matching import best_matches, is_symbol
from backend.data.fetchers.paging import (
    Answer,
    Task,
    check_served,
    longer_pages,
    of_the_past,
    pages,
    task,
    whole_bars,
)
from backend.data.fetchers.reading import Failed, OnRequest, Outcome, Patience, VendorReader
from backend.domain.market import Adjustment, Instrument, Series, Span, Timeframe, closest
from backend.domain.market_errors import UnknownSymbol, VendorUnavailable
from backend.domain.market_ports import FetchedPage, TradingCalendar
from backend.domain.ports import Clock

T = TypeVar("T")

PROVIDER = "alpaca"
_CALENDAR = "XNYS"
_PLACE = "America/New_York"
_LAG = timedelta(minutes=5)
_PAGE = 10_000
_ASSETS_LAST_SECONDS = 24 * 3600
_NAMES = {
    Timeframe.M1: "1Min",
    Timeframe.M3: "3Min",
    Timeframe.M5: "5Min",
    Timeframe.M15: "15Min",
    Timeframe.M30: "30Min",
    Timeframe.D1: "1Day",
}
_MADE_OF = {
    Timeframe.H1: Timeframe.M30,
    Timeframe.H2: Timeframe.M30,
    Timeframe.H4: Timeframe.M30,
    Timeframe.W1: Timeframe.D1,
}
_ADJUSTMENTS = {Adjustment.RAW: "raw", Adjustment.SPLITS: "split", Adjustment.ALL: "all"}


@dataclass(frozen=True, kw_only=True)
class AlpacaAccount:
    """Whose data it is. `feed` is "sip" (all exchanges) or "iex" (one, but without delay for free)."""

    key_id: str = field(repr=False)
    secret_key: str = field(repr=False)
    is_paper: bool = True
    feed: str = "sip"
    # Accounts without a paid plan get what all exchanges traded after a quarter of an hour.
    delay: timedelta = timedelta(minutes=16)
    data_url: str | None = None
    trading_url: str | None = None


class AlpacaFetcher:
    """A BarFetcher."""

    provider = PROVIDER
    timeframes = tuple(sorted((*_NAMES, *_MADE_OF), key=lambda one: one.seconds))
    adjustments = tuple(_ADJUSTMENTS)
    bars_a_second = 10_000.0

    def __init__(
        self,
        account: AlpacaAccount,
        *,
        calendars: TradingCalendar,
        clock: Clock,
        patience: Patience | None = None,
        assets_seconds: float = 60.0,
        pace_seconds: float = 0.31,  # 200 requests a minute
        on_request: OnRequest | None = None,
    ) -> None:
        self._account = account
        self._calendars = calendars
        self._clock = clock
        self._assets_seconds = assets_seconds
        self._reader = VendorReader(
            PROVIDER,
            patience=patience or Patience(),
            next_step="Check TIDEMARK_ALPACA_KEY_ID, TIDEMARK_ALPACA_SECRET_KEY and TIDEMARK_ALPACA_PAPER, and whether"
            f" your plan has the feed '{account.feed}' (TIDEMARK_ALPACA_FEED).",
            on_request=on_request,
            at_once=2,
            pace_seconds=pace_seconds,
        )
        self._loading = asyncio.Lock()
        self._session: Any = None
        self._instruments: Mapping[str, Instrument] = {}
        self._loaded_at = 0.0

    def requests(self, series: Series, missing: Sequence[Span], bars: int) -> int:
        shorter = _MADE_OF.get(series.timeframe, series.timeframe)
        return max(len(missing), -(-bars * series.timeframe.seconds // shorter.seconds // _PAGE))

    async def instruments(self, search: str = "", *, limit: int = 50) -> Sequence[Instrument]:
        known = await self._assets()
        return await asyncio.to_thread(best_matches, known.values(), search, limit=limit)

    async def instrument(self, symbol: str) -> Instrument:
        known = await self._assets()
        if symbol not in known:
            raise UnknownSymbol(symbol, PROVIDER, await asyncio.to_thread(closest, symbol, list(known)))
        return known[symbol]

    async def fetch(self, series: Series, wanted: Span) -> AsyncIterator[FetchedPage]:
        check_served(series, self)
        instrument = await self.instrument(series.symbol)
        now = self._clock.now() - (self._account.delay if self._account.feed == "sip" else timedelta(0))
        job = await task(series, instrument, wanted, calendars=self._calendars, now=now, lag=_LAG)
        shorter = _MADE_OF.get(series.timeframe)
        bars = longer_pages(self._answers, job, shorter) if shorter else pages(self._answers(job), job)
        async with aclosing(bars) as found:
            async for page in found:
                yield page

    async def close(self) -> None:
        if self._session is not None:
            self._session.close()

    async def _answers(self, job: Task) -> AsyncGenerator[Answer, None]:
        asked, until, token = whole_bars(job), job.span.start, ""
        while until < job.span.end:
            rows, following = await self._rows(job, asked, token)
            if following and following == token:
                raise VendorUnavailable(
                    f"{job.series}: Alpaca's next page is the same again. Nothing of it was stored."
                )
            if not following:
                until = job.span.end
            elif len(rows):
                until = max(until, rows["ts"].iloc[-1].to_pydatetime() + job.series.timeframe.length)
            yield Answer(rows=rows, asked=asked, until=until)
            token = following

    async def _rows(self, job: Task, asked: Span, token: str) -> tuple[pd.DataFrame, str]:
        """A page of bars, and the token of the next; "" when it was the last."""
        query = {
            "symbols": job.series.symbol,
            "timeframe": _NAMES[job.series.timeframe],
            "start": asked.start.isoformat(),
            "end": (asked.end - timedelta(seconds=1)).isoformat(),
            "adjustment": _ADJUSTMENTS[job.series.adjustment],
            "feed": self._account.feed,
            "limit": _PAGE,
            "sort": "asc",
            **({"page_token": token} if token else {}),
        }

        def ask() -> tuple[pd.DataFrame, str]:
            answer = _asked(lambda: self._data_client().get("/stocks/bars", query))
            bars = answer["bars"] or {}
            if others := set(bars) - {job.series.symbol}:
                raise Failed(Outcome.GARBAGE, f"gave bars of {', '.join(sorted(others))[:60]}")
            rows = _frame(bars.get(job.series.symbol) or [], job.series.timeframe)
            rows = of_the_past(rows, PROVIDER, job.series.timeframe, self._clock.now())
            return rows, answer["next_page_token"] or ""

        return await self._reader.read(ask, f"{job.series.symbol} of {job.series.timeframe}")

    async def _assets(self) -> Mapping[str, Instrument]:
        async with self._loading:
            if not self._instruments or time.monotonic() - self._loaded_at > _ASSETS_LAST_SECONDS:
                found = await self._reader.read(self._load, "its assets", seconds=self._assets_seconds)
                self._instruments, self._loaded_at = found, time.monotonic()
        return self._instruments

    def _load(self) -> Mapping[str, Instrument]:
        query = {"status": "active", "asset_class": "us_equity"}
        assets = _asked(lambda: self._trading_client().get("/assets", query))
        if not isinstance(assets, list) or not assets:
            raise Failed(Outcome.GARBAGE, "gave an answer that makes no sense")
        found = (_instrument(one) for one in assets if is_symbol(one["symbol"]))
        return {one.symbol: one for one in sorted(found, key=lambda one: one.symbol)}

    def _data_client(self) -> Any:
        from alpaca.data.historical.stock import StockHistoricalDataClient

        account = self._account
        return self._patient(
            StockHistoricalDataClient(account.key_id, account.secret_key, raw_data=True, url_override=account.data_url)
        )

    def _trading_client(self) -> Any:
        from alpaca.trading.client import TradingClient

        account = self._account
        return self._patient(
            TradingClient(
                account.key_id,
                account.secret_key,
                paper=account.is_paper,
                raw_data=True,
                url_override=account.trading_url,
            )
        )

    def _patient(self, client: Any) -> Any:
        """The library's own session has no time limit, and its client sleeps and retries by itself."""
        from backend.data.fetchers.sessions import PatientSession

        if self._session is None:
            self._session = PatientSession()
        client._session.close()
        client._session, client._retry = self._session, 0
        return client


def _asked(ask: Callable[[], T]) -> T:
    from alpaca.common.exceptions import APIError

    try:
        return ask()
    except APIError as error:
        raise VendorUnavailable(f"Alpaca answered: {str(error)[:200]}") from error


def _frame(rows: Sequence[Mapping[str, Any]], timeframe: Timeframe) -> pd.DataFrame:
    """Days begin at midnight in New York; ours at midnight UTC of the same date."""
    times = pd.to_datetime([str(row["t"]) for row in rows], utc=True, format="ISO8601")
    if not timeframe.is_intraday:
        times = times.tz_convert(_PLACE).tz_localize(None).normalize().tz_localize("UTC")
    columns = {"open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"}
    return pd.DataFrame({"ts": times, **{name: [row[short] for row in rows] for name, short in columns.items()}})


def _instrument(asset: Mapping[str, Any]) -> Instrument:
    return Instrument(
        provider=PROVIDER,
        symbol=asset["symbol"],
        name=asset.get("name") or asset["symbol"],
        calendar=_CALENDAR,
        currency="USD",
        tick=float(asset.get("price_increment") or 0.01),
        lot=1e-9 if asset.get("fractionable") else 1.0,
    )
