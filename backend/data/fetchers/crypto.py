"""Crypto exchanges through ccxt, one fetcher each: `crypto:binance`, `crypto:kraken`, and whichever else it knows.

Prices are as traded (raw), markets are the spot markets, and all of them trade always.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pandas as pd

from backend.data.fetchers.exchanges import COINS, EXCHANGES
from backend.data.fetchers.matching import best_matches, is_symbol
from backend.data.fetchers.paging import Answer, Task, check_served, of_the_past, pages, task
from backend.data.fetchers.reading import Denied, Failed, OnRequest, Outcome, Patience, VendorReader
from backend.domain.bars import COLUMNS
from backend.domain.market import ALWAYS, Adjustment, Instrument, Series, Span, Timeframe, closest
from backend.domain.market_errors import NotServed, UnknownProvider, UnknownSymbol, VendorUnavailable
from backend.domain.market_ports import FetchedPage, TradingCalendar
from backend.domain.ports import Clock

T = TypeVar("T")

_LAG = timedelta(minutes=5)
_USUAL_PAGE = 500
_MARKETS_LAST_SECONDS = 12 * 3600
# At the level "debug" the library logs whole requests, and keys are in their headers.
_NOWHERE = logging.Logger("nowhere", logging.CRITICAL + 1)
_EVER = datetime(9999, 1, 1, tzinfo=UTC)
_FIRST_COIN = datetime(2009, 1, 3, tzinfo=UTC)


class CryptoFetcher:
    """A BarFetcher of one exchange. Its markets are loaded once and shared by all who ask.

    `base_url` sends all requests to another server than the exchange's own, such as a mirror.
    """

    adjustments = (Adjustment.RAW,)
    bars_a_second = 3000.0

    def __init__(
        self,
        exchange: str,
        *,
        calendars: TradingCalendar,
        clock: Clock,
        base_url: str | None = None,
        patience: Patience | None = None,
        markets_seconds: float = 60.0,
        on_request: OnRequest | None = None,
    ) -> None:
        self.provider = f"crypto:{exchange}"
        self._exchange_name = exchange
        self._calendars = calendars
        self._clock = clock
        self._base_url = base_url
        self._markets_seconds = markets_seconds
        self._reader = VendorReader(
            self.provider,
            patience=patience or Patience(),
            next_step="It may not serve this country; choose another exchange (TIDEMARK_CRYPTO_EXCHANGES).",
            on_request=on_request,
        )
        self._opening = asyncio.Lock()
        self._exchange: Any = None
        self._instruments: Mapping[str, Instrument] = {}
        self._loaded_at = 0.0

    @property
    def timeframes(self) -> Sequence[Timeframe]:
        known = EXCHANGES.get(self._exchange_name)
        return known.timeframes if known else _timeframes(self._exchange or client_of(self._exchange_name, None))

    def requests(self, series: Series, missing: Sequence[Span], bars: int) -> int:
        return max(len(missing), -(-bars // self._page()))

    async def instruments(self, search: str = "", *, limit: int = 50) -> Sequence[Instrument]:
        known = await self._markets()
        return await asyncio.to_thread(best_matches, known.values(), search, limit=limit)

    async def instrument(self, symbol: str) -> Instrument:
        known = await self._markets()
        if symbol not in known:
            raise UnknownSymbol(symbol, self.provider, await asyncio.to_thread(closest, symbol, list(known)))
        return known[symbol]

    async def fetch(self, series: Series, wanted: Span) -> AsyncIterator[FetchedPage]:
        check_served(series, self)
        instrument = await self.instrument(series.symbol)
        job = await task(series, instrument, wanted, calendars=self._calendars, now=self._clock.now(), lag=_LAG)
        async with aclosing(pages(self._answers(job), job)) as found:
            async for page in found:
                yield page

    async def close(self) -> None:
        if self._exchange is not None:
            self._exchange.session.close()

    async def _answers(self, job: Task) -> AsyncGenerator[Answer, None]:
        """From bar to bar: exchanges give so many from a moment on, wherever the first of them lies."""
        at = job.span.start
        while at < job.span.end:
            rows = await self._rows(job.series.symbol, job.series.timeframe, at, job.span.end)
            if len(rows):
                if at == job.span.start and await self._has_trade(job, at, _moment(rows, 0)):
                    raise self._out_of_reach(job, _moment(rows, 0))
                until = _moment(rows, -1) + job.series.timeframe.length
            else:
                until = await self._end_of_silence(job, at)
            yield Answer(rows=rows, asked=Span(start=at, end=_EVER), until=max(until, at + job.series.timeframe.length))
            at = until

    def _out_of_reach(self, job: Task, first: datetime) -> NotServed:
        """Some exchanges only have the latest bars, whatever they are asked for, which is not to be taken for a gap."""
        return NotServed(
            f"{self.provider} has no bars of {job.series.timeframe} of {job.series.symbol} before"
            f" {first:%Y-%m-%d %H:%M} UTC, though it has some of {self._longer_than(job)}."
            " Ask from then on, or for longer bars."
        )

    async def _has_trade(self, job: Task, start: datetime, end: datetime) -> bool:
        """Whether longer bars tell that there was trade where no bar came."""
        longer = self._longer_than(job)
        if longer is None or end - start < 4 * longer.length:
            return False
        others = await self._rows(job.series.symbol, longer, start, end)
        return bool(((others["ts"] + longer.length <= end) & (pd.to_numeric(others["volume"]) > 0)).any())

    def _longer_than(self, job: Task) -> Timeframe | None:
        return _longer(job.series.timeframe, self.timeframes, times=16)

    async def _end_of_silence(self, job: Task, at: datetime) -> datetime:
        """Until when there is nothing: as far as the longest bars that it has can tell with one more request."""
        window = at + self._page() * job.series.timeframe.length
        silent = min(window, job.span.end)
        if await self._has_trade(job, at, silent):
            if at == job.span.start:
                raise self._out_of_reach(job, silent)
            raise VendorUnavailable(
                f"{job.series}: the provider gave no bars of {at:%Y-%m-%d %H:%M} to {silent:%Y-%m-%d %H:%M} UTC, though"
                f" it has some of {self._longer_than(job)}. That time counts as missing; try again later."
            )
        longest = max(self.timeframes, key=lambda one: one.seconds)
        if window >= job.span.end or longest is job.series.timeframe:
            return window
        rows = await self._rows(job.series.symbol, longest, at, job.span.end)
        return max(window, _moment(rows, 0) if len(rows) else at + self._page() * longest.length)

    async def _rows(self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime) -> pd.DataFrame:
        since = -(-int(start.timestamp() * 1_000_000) // 1000)
        count = min(self._page(), (end - start) // timeframe.length + 2)

        def ask() -> pd.DataFrame:
            found = self._asked(lambda: self._exchange.fetch_ohlcv(symbol, str(timeframe), since, count), symbol)
            rows = pd.DataFrame([row[:6] for row in found], columns=["ts", *COLUMNS])
            if len(rows) and rows["ts"].iloc[0] > rows["ts"].iloc[-1]:
                rows = rows.iloc[::-1]  # some exchanges tell the newest first
            rows = rows.assign(ts=pd.to_datetime(rows["ts"].astype("int64"), unit="ms", utc=True))
            rows = of_the_past(rows, self.provider, timeframe, self._clock.now())
            self._require_near(rows, start, timeframe)
            return rows[rows["ts"] >= start].reset_index(drop=True)  # some begin a little earlier than asked

        return await self._reader.read(ask, f"{symbol} of {timeframe}")

    def _require_near(self, rows: pd.DataFrame, start: datetime, timeframe: Timeframe) -> None:
        """Bars of long before are no answer, and no silence either."""
        if rows.empty:
            return
        first, last = rows["ts"].min(), rows["ts"].max()
        if first < _FIRST_COIN or last < start - self._page() * timeframe.length:
            raise Failed(
                Outcome.GARBAGE,
                f"gave bars of {first:%Y-%m-%d} to {last:%Y-%m-%d} instead of those from {start:%Y-%m-%d} on",
            )

    def _page(self) -> int:
        spot = (getattr(self._exchange, "features", None) or {}).get("spot") or {}
        return int((spot.get("fetchOHLCV") or {}).get("limit") or _USUAL_PAGE)

    async def _markets(self) -> Mapping[str, Instrument]:
        async with self._opening:
            if not self._instruments or time.monotonic() - self._loaded_at > _MARKETS_LAST_SECONDS:
                found = await self._reader.read(self._load, "its markets", seconds=self._markets_seconds)
                self._instruments, self._loaded_at = found, time.monotonic()
        return self._instruments

    def _load(self) -> Mapping[str, Instrument]:
        if self._exchange is None:
            self._exchange = client_of(self._exchange_name, self._base_url)
        markets = self._asked(lambda: self._exchange.load_markets(True))
        title = EXCHANGES[self._exchange_name].title if self._exchange_name in EXCHANGES else self._exchange.name
        mode = self._exchange.precisionMode
        spot = (one for one in markets.values() if one["spot"] and is_symbol(one["symbol"]))
        found = {one["symbol"]: _instrument(one, self.provider, title, mode) for one in spot}
        if not found:
            raise Failed(Outcome.GARBAGE, "gave an answer without a single market")
        return found

    def _asked(self, ask: Callable[[], T], symbol: str = "") -> T:
        """What ccxt says went wrong, in our words. Statuses are judged before it sees them."""
        import ccxt

        try:
            return ask()
        except (ccxt.RateLimitExceeded, ccxt.DDoSProtection) as error:
            raise Failed(Outcome.BUSY, "limits us") from error
        except ccxt.NetworkError as error:
            raise Failed(Outcome.DOWN, f"could not be reached ({type(error).__name__})") from error
        except (ccxt.AuthenticationError, ccxt.PermissionDenied) as error:
            raise Denied(f"refused ({type(error).__name__})") from error
        except ccxt.BadResponse as error:
            raise Failed(Outcome.GARBAGE, "gave an answer that makes no sense") from error
        except ccxt.BadSymbol as error:
            raise UnknownSymbol(symbol, self.provider) from error
        except ccxt.BaseError as error:
            raise VendorUnavailable(f"{self.provider} answered: {str(error)[:200]}") from error


def client_of(name: str, base_url: str | None) -> Any:
    """The library's exchange; the import takes seconds."""
    import ccxt

    from backend.data.fetchers.sessions import PatientSession

    if name not in ccxt.exchanges:
        raise UnknownProvider(f"crypto:{name}", [f"crypto:{one}" for one in closest(name, ccxt.exchanges) or EXCHANGES])
    exchange = getattr(ccxt, name)({"enableRateLimit": True, "maxRetriesOnFailure": 0})
    exchange.session = PatientSession()
    exchange.logger = _NOWHERE
    _make_strict(exchange)
    exchange.has["fetchCurrencies"] = False  # heavy, often private, and nobody asks for them here
    types = exchange.options.get("fetchMarkets")
    if isinstance(types, dict) and isinstance(types.get("types"), list):
        exchange.options["fetchMarkets"] = {**types, "types": ["spot"]}
    if base_url is not None:
        exchange.urls["api"] = _moved(exchange.urls["api"], base_url)
    return exchange


def _make_strict(exchange: Any) -> None:
    """ccxt takes an error page for an answer without bars, and sorts and cuts rows. A gap must not come of that."""

    def parse_json(text: str) -> Any:
        return json.loads(text)

    def parse_ohlcvs(rows: Any, market: Any = None, *_: Any, **__: Any) -> list[Any]:
        if not isinstance(rows, list):
            raise TypeError
        return [exchange.parse_ohlcv(row, market) for row in rows]

    exchange.parse_json, exchange.parse_ohlcvs = parse_json, parse_ohlcvs


def _moved(urls: Any, base_url: str) -> Any:
    from urllib.parse import urlsplit

    if isinstance(urls, dict):
        return {name: _moved(url, base_url) for name, url in urls.items()}
    return base_url + urlsplit(urls).path if isinstance(urls, str) else urls


def _instrument(market: Mapping[str, Any], provider: str, title: str, precision_mode: int) -> Instrument:
    base, quote = market["base"], market["quote"]
    created = market.get("created")
    return Instrument(
        provider=provider,
        symbol=market["symbol"],
        name=f"{COINS.get(base, base)} / {COINS.get(quote, quote)} on {title}",
        calendar=ALWAYS,
        currency=quote,
        tick=_step(market["precision"].get("price"), precision_mode),
        lot=_step(market["precision"].get("amount"), precision_mode),
        first_bar=datetime.fromtimestamp(created / 1000, UTC) if created else None,
    )


def _step(precision: float | None, mode: int) -> float | None:
    """ccxt has steps (4), decimal places (2), or significant digits (3), which are no step."""
    if precision is None or mode == 3:
        return None
    return float(precision) if mode == 4 else float(10.0 ** -int(precision))


def _timeframes(exchange: Any) -> tuple[Timeframe, ...]:
    return tuple(one for one in Timeframe if one in exchange.timeframes)


def _longer(timeframe: Timeframe, served: Sequence[Timeframe], *, times: int) -> Timeframe | None:
    """The shortest that is so many times as long, else the longest that is longer."""
    longer = sorted((one for one in served if one.seconds > timeframe.seconds), key=lambda one: one.seconds)
    enough = [one for one in longer if one.seconds >= times * timeframe.seconds]
    return next(iter(enough or longer[-1:]), None)


def _moment(rows: pd.DataFrame, position: int) -> datetime:
    moment: datetime = rows["ts"].iloc[position].to_pydatetime()
    return moment
