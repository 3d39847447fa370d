"""Starting the server must not wait for the vendors' libraries: they are imported by the first who asks for bars."""

import subprocess
import sys

SCRIPT = """
import sys
from backend.data.calendars import TradingCalendars
from backend.data.fetchers.alpaca import AlpacaAccount, AlpacaFetcher
from backend.data.fetchers.crypto import CryptoFetcher
from backend.data.fetchers.yahoo import YahooFetcher
from backend.infrastructure.clock import SystemClock

more = {"calendars": TradingCalendars(), "clock": SystemClock()}
fetchers = [
    AlpacaFetcher(AlpacaAccount(key_id="k", secret_key="s"), **more),
    CryptoFetcher("kraken", **more),
    YahooFetcher(**more),
]
assert all(fetcher.timeframes and fetcher.adjustments and fetcher.bars_a_second for fetcher in fetchers)
print(sorted({"alpaca", "ccxt", "curl_cffi", "exchange_calendars", "requests", "yfinance"} & set(sys.modules)))
"""


def test_fetchers_are_made_without_the_libraries_of_their_vendors() -> None:
    made = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert made.stdout.strip() == "[]", made.stderr
