"""How often a vendor would be asked: told before a download starts, and nobody is asked for it."""

from datetime import UTC, datetime

import pytest

from backend.data.calendars import TradingCalendars
from backend.data.fetchers.alpaca import AlpacaAccount, AlpacaFetcher
from backend.data.fetchers.crypto import CryptoFetcher
from backend.data.fetchers.demo import DemoFetcher
from backend.data.fetchers.yahoo import YahooFetcher
from backend.domain.market import Series, Span, Timeframe
from backend.domain.market_ports import BarFetcher
from backend.infrastructure.clock import SystemClock

CALENDARS, CLOCK = TradingCalendars(), SystemClock()
YEAR = Span(start=datetime(2025, 1, 1, tzinfo=UTC), end=datetime(2026, 1, 1, tzinfo=UTC))
DEMO = DemoFetcher(CALENDARS, CLOCK)
CRYPTO = CryptoFetcher("binance", calendars=CALENDARS, clock=CLOCK)
ALPACA = AlpacaFetcher(AlpacaAccount(key_id="k", secret_key="s"), calendars=CALENDARS, clock=CLOCK)
YAHOO = YahooFetcher(calendars=CALENDARS, clock=CLOCK)


@pytest.mark.parametrize(
    ("fetcher", "timeframe", "missing", "bars", "requests"),
    [
        (DEMO, Timeframe.H1, [YEAR], 8760, 0),
        (CRYPTO, Timeframe.H1, [YEAR], 8760, 18),  # pages of 500
        (CRYPTO, Timeframe.D1, [YEAR, YEAR], 4, 2),  # at least one for each stretch
        (ALPACA, Timeframe.M1, [YEAR], 98_280, 10),  # pages of 10,000
        (ALPACA, Timeframe.H4, [YEAR], 2_500, 2),  # made of eight half hours each
        (YAHOO, Timeframe.H1, [YEAR], 1_750, 3),  # half a year at once
        (YAHOO, Timeframe.D1, [YEAR], 250, 1),
    ],
)
def test_requests_are_counted_as_each_vendor_answers(
    fetcher: BarFetcher, timeframe: Timeframe, missing: list[Span], bars: int, requests: int
) -> None:
    series = Series(provider=fetcher.provider, symbol="X", timeframe=timeframe)
    assert fetcher.requests(series, missing, bars) == requests
    assert fetcher.requests(series, [], 0) == 0
