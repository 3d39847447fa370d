"""Yahoo Finance, through yfinance's own client of it (cookie, crumb, a browser's handshake): stocks and funds of the
world, currencies, crypto. No key, no promise: it changes often and limits hard.

Its prices are adjusted for splits; with dividends as well ("all") only for days and weeks. Weeks are made of days.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pandas as pd
from cachetools import TTLCache

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
from backend.data.fetchers.reading import Denied, OnRequest, Patience, Rejected, VendorReader
from backend.data.fetchers.yahoo_answers import Listed, chart_frame, listed, no_rows, said, suggested
from backend.data.fetchers.yahoo_places import PROVIDER, STARTERS
from backend.domain.market import Adjustment, Instrument, Series, Span, Timeframe, closest
from backend.domain.market_errors import NotServed, UnknownSymbol, VendorError
from backend.domain.market_ports import FetchedPage, TradingCalendar
from backend.domain.ports import Clock

_HOST = "https://query2.finance.yahoo.com"
_LAG = timedelta(hours=1)  # some exchanges' prices come with a delay
_DAY = timedelta(days=1)
_MADE_OF = {Timeframe.H2: Timeframe.H1, Timeframe.H4: Timeframe.H1, Timeframe.W1: Timeframe.D1}
# How much one request may ask for.
_WINDOWS = {
    Timeframe.M1: timedelta(days=7),
    Timeframe.M5: timedelta(days=30),
    Timeframe.M15: timedelta(days=30),
    Timeframe.M30: timedelta(days=30),
    Timeframe.H1: timedelta(days=180),
    Timeframe.D1: timedelta(days=730),
}
# How far back it goes: a day less than it says (30, 60 and 730), since it counts by its own clock.
_REACH = {
    Timeframe.M1: timedelta(days=29),
    Timeframe.M5: timedelta(days=59),
    Timeframe.M15: timedelta(days=59),
    Timeframe.M30: timedelta(days=59),
    Timeframe.H1: timedelta(days=729),
}


class YahooFetcher:
    """A BarFetcher. `base_url` sends all requests to another server than Yahoo's."""

    provider = PROVIDER
    timeframes = tuple(sorted((*_WINDOWS, *_MADE_OF), key=lambda one: one.seconds))
    adjustments = (Adjustment.SPLITS, Adjustment.ALL)
    bars_a_second = 3000.0

    def __init__(
        self,
        *,
        calendars: TradingCalendar,
        clock: Clock,
        base_url: str | None = None,
        patience: Patience | None = None,
        opening_seconds: float = 60.0,
        pace_seconds: float = 0.5,
        on_request: OnRequest | None = None,
    ) -> None:
        self._calendars = calendars
        self._clock = clock
        self._base_url = base_url
        self._opening_seconds = opening_seconds
        self._reader = VendorReader(
            PROVIDER,
            patience=patience or Patience(),
            next_step="Yahoo blocks addresses that ask too much for a while: try again in an hour, or use another"
            " provider (TIDEMARK_ALPACA_KEY_ID for US stocks, TIDEMARK_CRYPTO_EXCHANGES for crypto).",
            on_request=on_request,
            pace_seconds=pace_seconds,
        )
        self._client: Any = None
        self._listed: TTLCache[str, Listed] = TTLCache(maxsize=2000, ttl=24 * 3600)

    def requests(self, series: Series, missing: Sequence[Span], bars: int) -> int:
        window = _WINDOWS[_MADE_OF.get(series.timeframe, series.timeframe)]
        return sum(-(-span.length // window) for span in missing)

    async def instruments(self, search: str = "", *, limit: int = 50) -> Sequence[Instrument]:
        if not search.strip():
            return STARTERS[:limit]
        found = await self._found(search.strip(), limit=limit)
        exact = search.strip().upper()
        return sorted(found, key=lambda one: one.symbol.upper() != exact)[:limit]

    async def instrument(self, symbol: str) -> Instrument:
        return (await self._known(symbol)).instrument

    async def fetch(self, series: Series, wanted: Span) -> AsyncIterator[FetchedPage]:
        check_served(series, self)
        now = self._clock.now()
        _check_reach(series, wanted, now)
        known = await self._known(series.symbol)
        job = await task(series, known.instrument, wanted, calendars=self._calendars, now=now, lag=_LAG)

        def answers(part: Task) -> AsyncGenerator[Answer, None]:
            return self._answers(part, known)

        shorter = _MADE_OF.get(series.timeframe)
        bars = longer_pages(answers, job, shorter) if shorter else pages(answers(job), job)
        async with aclosing(bars) as found:
            async for page in found:
                yield page

    async def close(self) -> None:
        if self._client is not None:
            self._client._session.close()

    async def _answers(self, job: Task, known: Listed) -> AsyncGenerator[Answer, None]:
        whole, window = whole_bars(job), _WINDOWS[job.series.timeframe]
        first = known.instrument.first_bar
        if first is not None and first > whole.start:
            # There is nothing to ask for before; a day more, since it tells a moment of that day.
            whole = Span(
                start=min(max(whole.start, job.series.timeframe.floor(first - _DAY)), whole.end), end=whole.end
            )
        start = whole.start
        while start < whole.end:
            asked = Span(start=start, end=min(start + window, whole.end))
            rows = await self._rows(job.series, asked, known.timezone)
            start = asked.end
            yield Answer(rows=rows, asked=asked, until=min(start, job.span.end))
        if whole.is_empty:
            yield Answer(rows=no_rows(), asked=whole, until=job.span.end)

    async def _rows(self, series: Series, asked: Span, timezone: str) -> pd.DataFrame:
        start, end = asked.start, asked.end
        if not series.timeframe.is_intraday:
            start, end = (_local_midnight(moment, timezone) for moment in (start, end))
        query = {
            "period1": int(start.timestamp()),
            "period2": int(end.timestamp()),
            "interval": str(series.timeframe),
            "includePrePost": "false",
            "events": "div,splits",
        }

        def ask() -> pd.DataFrame:
            try:
                rows = chart_frame(self._chart(series.symbol, query), series, timezone)
                return of_the_past(rows, PROVIDER, series.timeframe, self._clock.now())
            except Rejected as rejected:
                words = said(rejected)
                if "doesn't exist for startdate" in words.lower():
                    return no_rows()
                if rejected.status == 404:
                    raise UnknownSymbol(series.symbol, PROVIDER) from rejected
                raise NotServed(f"Yahoo answered: {words}") from rejected

        return await self._reader.read(ask, f"{series.symbol} of {series.timeframe}")

    async def _known(self, symbol: str) -> Listed:
        known = self._listed.get(symbol)
        if known is None:
            known = await self._look_up(symbol)
            self._listed[symbol] = known
        return known

    async def _look_up(self, symbol: str) -> Listed:
        def ask() -> Listed | None:
            try:
                meta = self._chart(symbol, {"range": "1d", "interval": "1d"})["meta"]
            except Rejected:
                return None
            return listed(meta) if meta["symbol"] == symbol else None

        known = await self._reader.read(ask, symbol, seconds=None if self._client else self._opening_seconds)
        if known is None:
            raise UnknownSymbol(symbol, PROVIDER, await self._meant(symbol))
        return known

    async def _meant(self, symbol: str) -> Sequence[str]:
        try:
            found = [one.symbol for one in await self._found(symbol, limit=10)]
        except VendorError:
            return ()  # the symbol is unknown all the same
        return closest(symbol, [*found, *(one.symbol for one in STARTERS)]) or found[:3]

    async def _found(self, search: str, *, limit: int) -> Sequence[Instrument]:
        query = {"q": search, "quotesCount": min(limit, 20), "newsCount": 0, "enableFuzzyQuery": "true"}

        def ask() -> list[Instrument]:
            quotes = self._json(f"{_HOST}/v1/finance/search", query)["quotes"]
            return [found for one in quotes if (found := suggested(one)) is not None]

        found = await self._reader.read(ask, f"'{search}'", seconds=None if self._client else self._opening_seconds)
        return [known.instrument if (known := self._listed.get(one.symbol)) else one for one in found]

    def _chart(self, symbol: str, query: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self._json(f"{_HOST}/v8/finance/chart/{quote(symbol, safe='=^')}", query)
        chart: Mapping[str, Any] = answer["chart"]["result"][0]
        return chart

    def _json(self, url: str, query: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._client is None:
            self._client = _client(self._base_url)
        response = self._client.get(url, params=dict(query))
        if response.status_code == 401:
            raise Denied("refused (HTTP 401)")
        answer: Mapping[str, Any] = response.json()
        return answer


def _client(base_url: str | None) -> Any:
    """A client of our own: the library's is one for the whole process, and keeps its cookies in the home folder."""
    from yfinance.data import YfData

    from backend.data.fetchers.sessions import BrowserSession

    class Client(YfData):  # type: ignore[misc]
        def _load_cookie_curlCffi(self) -> bool:  # noqa: N802
            return len(self._session.cookies) > 0

        def _save_cookie_curlCffi(self) -> bool:  # noqa: N802
            return False

    return Client(session=BrowserSession(base_url=base_url))


def _check_reach(series: Series, wanted: Span, now: datetime) -> None:
    reach = _REACH.get(_MADE_OF.get(series.timeframe, series.timeframe))
    if reach is None:
        return
    if series.adjustment is Adjustment.ALL:
        raise NotServed(
            f"Yahoo has dividends in bars of 1d and 1w only. Ask for {series.timeframe} adjusted for 'splits'."
        )
    if wanted.start < now - reach:
        raise NotServed(
            f"Yahoo has bars of {series.timeframe} for the last {reach.days} days only. The earliest that you can ask"
            f" for is {now - reach:%Y-%m-%d %H:%M} UTC; longer bars go further back."
        )


def _local_midnight(day: datetime, timezone: str) -> datetime:
    """Where clocks are put forward at midnight, as in Brazil until 2019, the day begins at one."""
    midnight = pd.Timestamp(day.date())
    local: datetime = midnight.tz_localize(timezone, ambiguous=True, nonexistent="shift_forward").to_pydatetime()
    return local
