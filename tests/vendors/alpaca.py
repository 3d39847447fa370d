"""Alpaca's market data and assets as far as we ask for them: pages by token, keys in headers, bars of long days."""

from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta
from functools import lru_cache
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

    def __init__(self, now: datetime, *, page: int = 2000, overlaps: bool = False) -> None:
        self.now, self.page, self.overlaps = now, page, overlaps
        self.server = VendorServer(self.answer, disturbed="/stocks/bars")

    def answer(self, request: Request) -> Reply:
        if (request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY")) != (KEY, SECRET):
            return Reply(status=401, body={"message": "forbidden."})
        if request.path == "/v2/assets":
            return Reply(body=[asset(symbol, name) for symbol, name in SYMBOLS.items()])
        return Reply(body=self.bars(request.query)) if request.path == "/v2/stocks/bars" else Reply(status=404, body={})

    def bars(self, query: Any) -> dict[str, Any]:
        start, end = (datetime.fromisoformat(query[name]) for name in ("start", "end"))
        every = starts(query["timeframe"])
        times = every[bisect_left(every, start) : bisect_right(every, min(end, self.now))]
        offset = int(query.get("page_token") or 0)
        limit = min(int(query["limit"]), self.page)
        rows = [row(time, query["adjustment"]) for time in times[offset : offset + limit]]
        following = offset + limit if offset + limit < len(times) else None
        if self.overlaps and following:
            rows[-1] = {**rows[-1], "v": 1.5}  # it is revised when the next page repeats it
            following -= 1
        return {"bars": {query["symbols"]: rows} if rows else {}, "next_page_token": following and str(following)}


@lru_cache
def starts(timeframe: str) -> list[datetime]:
    """When its bars begin, in all the time that it knows: from four in the morning to eight in the evening."""
    sessions = TradingCalendars().sessions("XNYS", Span(start=LISTED, end=datetime(2026, 4, 1, tzinfo=UTC)))
    midnights = [session.start.astimezone(NEW_YORK).replace(hour=0, minute=0) for session in sessions]
    if timeframe == "1Day":
        return [midnight.astimezone(UTC) for midnight in midnights]
    step = timedelta(minutes=int(timeframe.removesuffix("Min")))
    fours = [midnight.replace(hour=4).astimezone(UTC) for midnight in midnights]
    return [four + number * step for four in fours for number in range(timedelta(hours=16) // step)]


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
