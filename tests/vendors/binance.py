"""Binance's spot API as far as bars go: exchangeInfo and klines, a page of at most so many from a moment on."""

from datetime import UTC, datetime
from typing import Any

from tests.vendors.server import Reply, Request, VendorServer, bar_values

LISTED = datetime(2025, 11, 3, tzinfo=UTC)  # a Monday
SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
MONDAY = 4 * 86_400


class Binance:
    """`now` is the vendor's own time: the bar that holds it is served too, unfinished."""

    def __init__(self, now: datetime, *, holes: tuple[tuple[datetime, datetime], ...] = (), page: int = 1000) -> None:
        self.now, self.holes, self.page = now, holes, page
        self.server = VendorServer(self.answer, disturbed="klines")

    def answer(self, request: Request) -> Reply:
        if request.path.endswith("/exchangeInfo"):
            return Reply(body=exchange_info())
        if not request.path.endswith("/klines"):
            return Reply(status=404, body={})
        if request.query["symbol"] != "BTCUSDT":
            return Reply(status=400, body={"code": -1121, "msg": "Invalid symbol."})
        return Reply(body=self.klines(request.query))

    def klines(self, query: Any) -> list[list[Any]]:
        interval = query["interval"]
        length = int(interval[:-1]) * SECONDS[interval[-1]]
        origin = MONDAY if interval == "1w" else 0
        since = max(-(-int(query["startTime"]) // 1000), int(LISTED.timestamp()))
        at = since + (origin - since) % length
        rows: list[list[Any]] = []
        while at <= self.now.timestamp() and len(rows) < min(int(query.get("limit", 500)), self.page):
            if not any(start.timestamp() <= at and at + length <= end.timestamp() for start, end in self.holes):
                rows.append(kline(at, length))
            at += length
        return rows


def kline(start: int, length: int) -> list[Any]:
    opened, high, low, close, volume = (f"{value:.2f}" for value in bar_values(start))
    return [start * 1000, opened, high, low, close, volume, (start + length) * 1000 - 1, "0", 1, "0", "0", "0"]


def exchange_info() -> dict[str, Any]:
    return {
        "timezone": "UTC",
        "serverTime": 0,
        "rateLimits": [],
        "exchangeFilters": [],
        "symbols": [_symbol("BTC", "USDT"), _symbol("ETH", "USDT"), _symbol("DOGE", "BTC"), _symbol("龍", "USDT")],
    }


def _symbol(base: str, quote: str) -> dict[str, Any]:
    return {
        "symbol": base + quote,
        "status": "TRADING",
        "baseAsset": base,
        "baseAssetPrecision": 8,
        "quoteAsset": quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.0", "stepSize": "0.00001"},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }
