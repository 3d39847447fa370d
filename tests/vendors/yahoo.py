"""Yahoo Finance as far as we ask: the chart, the search, and the dance for a cookie and a crumb."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from backend.data.calendars import TradingCalendars
from backend.domain.market import Span
from tests.vendors.server import Reply, Request, VendorServer, bar_values

LISTED = datetime(2023, 11, 6, 14, 30, tzinfo=UTC)  # a Monday
CRUMB = "kX9.crumb"
SECONDS = {"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600}


def listing(symbol: str, name: str, exchange: str, kind: str, timezone: str, currency: str) -> dict[str, Any]:
    return {
        "symbol": symbol,
        "longName": name,
        "shortName": name,
        "exchangeName": exchange,
        "instrumentType": kind,
        "exchangeTimezoneName": timezone,
        "currency": currency,
        "firstTradeDate": int(LISTED.timestamp()),
        "priceHint": 2,
    }


LISTINGS = {
    "AAPL": ("XNYS", listing("AAPL", "Apple Inc.", "NMS", "EQUITY", "America/New_York", "USD")),
    "EURUSD=X": ("24/5", listing("EURUSD=X", "EUR/USD", "CCY", "CURRENCY", "Europe/London", "USD")),
    "BTC-USD": ("24/7", listing("BTC-USD", "Bitcoin USD", "CCC", "CRYPTOCURRENCY", "UTC", "USD")),
    "7203.T": ("XTKS", listing("7203.T", "Toyota Motor", "JPX", "EQUITY", "Asia/Tokyo", "JPY")),
    "PETR4.SA": (
        "BVMF",
        listing("PETR4.SA", "Petrobras", "SAO", "EQUITY", "America/Sao_Paulo", "BRL") | {"firstTradeDate": 946_900_800},
    ),
    "^GSPC": ("XNYS", listing("^GSPC", "S&P 500", "SNP", "INDEX", "America/New_York", "USD")),
    "RELIANCE.NS": ("XBOM", listing("RELIANCE.NS", "Reliance Industries", "NSI", "EQUITY", "Asia/Kolkata", "INR")),
    "ODD.XX": ("XNYS", listing("ODD.XX", "Odd", "XXX", "EQUITY", "Antarctica/Troll", "USD")),
}


class Yahoo:
    """`now` is the vendor's own time: it shows the unfinished bar, and the price of now as a row of its own."""

    def __init__(self, now: datetime, *, wants_crumb: bool = False) -> None:
        self.now, self.wants_crumb = now, wants_crumb
        self.calendars = TradingCalendars()
        self.crumbs_given = 0
        self.server = VendorServer(self.answer, disturbed="/chart/")

    def answer(self, request: Request) -> Reply:
        if request.path == "/":
            return Reply(status=404, body=b"", headers={"Set-Cookie": "A3=d=AQAB; Path=/; Max-Age=31557600"})
        if request.path == "/v1/test/getcrumb":
            return self.crumb()
        if request.path in ("/consent", "/v2/collectConsent", "/copyConsent"):
            page = b'<form><input name="csrfToken" value="t"><input name="sessionId" value="s"></form>'
            return Reply(body=page, headers={"Content-Type": "text/html"})
        if self.wants_crumb and request.query.get("crumb") != CRUMB:
            return Reply(status=401, body=failure("Unauthorized", "Invalid Crumb"))
        if request.path == "/v1/finance/search":
            return Reply(body=self.found(request.query["q"]))
        symbol = unquote(request.path.rpartition("/")[2])
        if symbol.upper() not in LISTINGS:
            return Reply(status=404, body=failure("Not Found", "No data found, symbol may be delisted"))
        return Reply(body=self.chart(symbol.upper(), request.query))

    def crumb(self) -> Reply:
        """The first one is stale, where crumbs matter."""
        self.crumbs_given += 1
        stale = self.wants_crumb and self.crumbs_given == 1
        return Reply(body=b"stale" if stale else CRUMB.encode(), headers={"Content-Type": "text/plain"})

    def found(self, search: str) -> dict[str, Any]:
        wanted = {"APPL": "AAPL"}.get(search.upper(), search.upper())
        quotes = [
            {
                "symbol": symbol,
                "longname": one["longName"],
                "quoteType": one["instrumentType"],
                "exchange": one["exchangeName"],
            }
            for symbol, (_, one) in LISTINGS.items()
            if wanted in symbol or wanted in one["longName"].upper()
        ]
        return {"quotes": [*quotes[::-1], {"index": "news"}] if quotes else [], "news": []}

    def chart(self, symbol: str, query: Any) -> dict[str, Any]:
        calendar, meta = LISTINGS[symbol]
        if "range" in query:
            return rows_of(meta, [])
        start, end = (datetime.fromtimestamp(int(query[name]), UTC) for name in ("period1", "period2"))
        times = [
            time
            for time in self.starts(calendar, query["interval"], ZoneInfo(meta["exchangeTimezoneName"]), start, end)
            if max(start, LISTED - timedelta(hours=15)) <= time < end and time <= self.now
        ]
        return rows_of(meta, times, now=self.now if end > self.now else None)

    def starts(
        self, calendar: str, interval: str, zone: ZoneInfo, start: datetime, end: datetime
    ) -> Iterator[datetime]:
        around = Span(start=start - timedelta(days=3), end=end + timedelta(days=3))
        if interval == "1d":
            yield from self.days(calendar, zone, around)
            return
        step = timedelta(seconds=SECONDS[interval])
        for session in self.calendars.sessions(calendar, around):
            time = session.start
            while time < session.end:
                yield time
                time += step

    def days(self, calendar: str, zone: ZoneInfo, around: Span) -> Iterator[datetime]:
        """The opens of an exchange, one a day; for the rest the midnights of its clock."""
        if calendar.startswith("X"):
            opens = [session.start for session in self.calendars.sessions(calendar, around)]
            yield from sorted({opened.astimezone(zone).date(): opened for opened in reversed(opens)}.values())
            return
        midnight = around.start.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=zone)
        for number in range(around.length.days + 1):
            day = midnight + timedelta(days=number)
            if calendar == "24/7" or day.weekday() < 5:
                yield day.astimezone(UTC)


def rows_of(meta: dict[str, Any], times: list[datetime], *, now: datetime | None = None) -> dict[str, Any]:
    stamps = [int(time.timestamp()) for time in times]
    rows = [bar_values(stamp) for stamp in stamps]
    if now is not None and stamps:
        # It shows the last row twice, the second time with the time of the last trade.
        stamps.append(min(int(now.timestamp()), stamps[-1] + 6 * 3600))
        rows.append(rows[-1])
    columns = dict(zip(("open", "high", "low", "close", "volume"), map(list, zip(*rows, strict=True)), strict=False))
    result: dict[str, Any] = {"meta": meta, "indicators": {"quote": [columns]}}
    if stamps:
        result["timestamp"] = stamps
        result["indicators"]["adjclose"] = [{"adjclose": [close * 0.9 for close in columns["close"]]}]
    return {"chart": {"result": [result], "error": None}}


def failure(code: str, description: str) -> dict[str, Any]:
    return {"chart": {"result": None, "error": {"code": code, "description": description}}}
