"""Alpaca's market data and assets as far as we ask for them: pages by token, keys in headers, bars of long days."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from backend.data.calendars import TradingCalendars
from backend.domain.market import Span
from tests.vendors.server import Reply, Request, VendorServer, bar_values

LISTED = datetime(2024, 11, 4, tzinfo=UTC)  # a Monday
KEY, SECRET = "PKTESTKEYID123", "secret-of-alpaca-456"
NEW_YORK = ZoneInfo("America/New_York")
SYMBOLS = {
    "AAPL": "Apple Inc. Common Stock",
    "AMZN": "Amazon.com, Inc.",
    "SPY": "SPDR S&P 500 ETF Trust",
    "BRK.B": "Berkshire",
}


class Alpaca:
    """`now` is the vendor's own time: the bar that holds it is served too, unfinished."""

    def __init__(self, now: datetime, *, page: int = 700, overlaps: bool = False) -> None:
        self.now, self.page, self.overlaps = now, page, overlaps
        self.calendars = TradingCalendars()
        self.server = VendorServer(self.answer, disturbed="/stocks/bars")

    def answer(self, request: Request) -> Reply:
        if (request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")) != (KEY, SECRET):
            return Reply(status=401, body={"message": "forbidden."})
        if request.path == "/v2/assets":
            return Reply(body=[asset(symbol, name) for symbol, name in SYMBOLS.items()])
        return Reply(body=self.bars(request.query)) if request.path == "/v2/stocks/bars" else Reply(status=404, body={})

    def bars(self, query: Any) -> dict[str, Any]:
        start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        times = [
            time
            for time in self.starts(query["timeframe"], start, end)
            if max(start, LISTED) <= time <= min(end, self.now)
        ]
        offset = int(query.get("page_token") or 0)
        limit = min(int(query["limit"]), self.page)
        rows = [row(time, query["adjustment"]) for time in times[offset : offset + limit]]
        following = offset + limit if offset + limit < len(times) else None
        if self.overlaps and following:
            rows[-1] = {**rows[-1], "v": 1.5}  # it is revised when the next page repeats it
            following -= 1
        return {"bars": {query["symbols"]: rows} if rows else {}, "next_page_token": following and str(following)}

    def starts(self, timeframe: str, start: datetime, end: datetime) -> Iterator[datetime]:
        for session in self.calendars.sessions(
            "XNYS", Span(start=start - timedelta(days=2), end=end + timedelta(days=2))
        ):
            day = session.start.astimezone(NEW_YORK).replace(hour=0, minute=0)
            if timeframe == "1Day":
                yield day.astimezone(UTC)
                continue
            step = timedelta(minutes=int(timeframe.removesuffix("Min")))
            time, last = day.replace(hour=4).astimezone(UTC), day.replace(hour=20).astimezone(UTC)
            while time < last:
                yield time
                time += step


def row(time: datetime, adjustment: str = "raw") -> dict[str, Any]:
    factor = {"raw": 1.0, "split": 0.5, "all": 0.25}[adjustment]
    opened, high, low, close, volume = bar_values(int(time.timestamp()))
    prices = {"o": opened * factor, "h": high * factor, "l": low * factor, "c": close * factor}
    return {"t": time.strftime("%Y-%m-%dT%H:%M:%SZ"), **prices, "v": volume, "n": 3, "vw": opened * factor}


def asset(symbol: str, name: str) -> dict[str, Any]:
    return {
        "id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
        "class": "us_equity",
        "exchange": "NASDAQ",
        "symbol": symbol,
        "name": name,
        "status": "active",
        "tradable": True,
        "fractionable": symbol != "BRK.B",
    }
