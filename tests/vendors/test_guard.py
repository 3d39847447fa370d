"""The guard of these tests itself: what the libraries would ask of the world is caught, whichever way they go."""

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from backend.data.calendars import TradingCalendars
from backend.data.fetchers.alpaca import AlpacaAccount, AlpacaFetcher
from backend.data.fetchers.crypto import CryptoFetcher
from backend.data.fetchers.reading import Patience
from backend.data.fetchers.yahoo import YahooFetcher
from backend.domain.market_errors import VendorUnavailable
from backend.domain.market_ports import BarFetcher
from tests.contracts.test_bar_fetcher import NOW
from tests.fakes import FakeClock

ONCE: dict[str, Any] = {"calendars": TradingCalendars(), "clock": FakeClock(NOW), "patience": Patience(tries=1)}
ACCOUNT = AlpacaAccount(key_id="k", secret_key="s", delay=timedelta(0))


@pytest.mark.parametrize(
    ("real", "host"),
    [
        (lambda: CryptoFetcher("binance", **ONCE), b"api.binance.com"),
        (lambda: AlpacaFetcher(ACCOUNT, **ONCE), b"paper-api.alpaca.markets"),
        (lambda: YahooFetcher(**ONCE), b"query2.finance.yahoo.com"),
    ],
)
async def test_a_fetcher_that_is_not_sent_elsewhere_asks_its_vendor_and_is_caught(
    real: Callable[[], BarFetcher], host: bytes, nothing_leaves: list[Any]
) -> None:
    fetcher = real()
    with pytest.raises(VendorUnavailable, match="could not be reached"):
        await fetcher.instrument("AAPL")
    await fetcher.close()
    assert any(host in tried for tried in nothing_leaves)
    nothing_leaves.clear()


def test_a_socket_that_wants_to_leave_is_caught(nothing_leaves: list[Any]) -> None:
    with socket.socket() as connection, pytest.raises(OSError, match="a test wanted to reach"):
        connection.connect(("192.0.2.1", 80))
    assert nothing_leaves == [("192.0.2.1", 80)]
    nothing_leaves.clear()
