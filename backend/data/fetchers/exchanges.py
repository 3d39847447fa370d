"""What is known of crypto exchanges before their library is loaded, which takes seconds, and what coins are called."""

from collections.abc import Mapping
from dataclasses import dataclass

from backend.domain.market import Timeframe


@dataclass(frozen=True, kw_only=True)
class Exchange:
    title: str
    timeframes: tuple[Timeframe, ...]


def _served(names: str) -> tuple[Timeframe, ...]:
    return tuple(Timeframe(name) for name in names.split())


# Only those whose bars start where ours do: Kraken's weeks begin on Thursdays, HTX's days at 16:00 UTC.
EXCHANGES: Mapping[str, Exchange] = {
    "binance": Exchange(title="Binance", timeframes=_served("1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1w")),
    "binanceus": Exchange(title="Binance US", timeframes=_served("1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1w")),
    "bitfinex": Exchange(title="Bitfinex", timeframes=_served("1m 5m 15m 30m 1h 6h 12h 1d")),
    "bitget": Exchange(title="Bitget", timeframes=_served("1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 1w")),
    "bitstamp": Exchange(title="Bitstamp", timeframes=_served("1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d")),
    "bybit": Exchange(title="Bybit", timeframes=_served("1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d 1w")),
    "coinbase": Exchange(title="Coinbase", timeframes=_served("1m 5m 15m 30m 1h 2h 6h 1d")),
    "cryptocom": Exchange(title="Crypto.com", timeframes=_served("1m 5m 15m 30m 1h 4h 6h 12h 1d")),
    "gate": Exchange(title="Gate", timeframes=_served("1m 5m 15m 30m 1h 2h 4h 8h 1d")),
    "gemini": Exchange(title="Gemini", timeframes=_served("1m 5m 15m 30m 1h 6h 1d")),
    "htx": Exchange(title="HTX", timeframes=_served("1m 5m 15m 30m 1h 4h")),
    "kraken": Exchange(title="Kraken", timeframes=_served("1m 5m 15m 30m 1h 4h 1d")),
    "kucoin": Exchange(title="KuCoin", timeframes=_served("1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d")),
    "mexc": Exchange(title="MEXC", timeframes=_served("1m 5m 15m 30m 1h 4h 8h 1d")),
    "okx": Exchange(title="OKX", timeframes=_served("1m 3m 5m 15m 30m 1h 2h 4h 6h 12h 1d")),
}

# Exchanges themselves only know the codes.
COINS: Mapping[str, str] = {
    "AAVE": "Aave",
    "ADA": "Cardano",
    "ALGO": "Algorand",
    "ARB": "Arbitrum",
    "ATOM": "Cosmos",
    "AVAX": "Avalanche",
    "BCH": "Bitcoin Cash",
    "BNB": "BNB",
    "BTC": "Bitcoin",
    "DOGE": "Dogecoin",
    "DOT": "Polkadot",
    "ETC": "Ethereum Classic",
    "ETH": "Ethereum",
    "EUR": "Euro",
    "FIL": "Filecoin",
    "HBAR": "Hedera",
    "ICP": "Internet Computer",
    "LINK": "Chainlink",
    "LTC": "Litecoin",
    "NEAR": "Near",
    "OP": "Optimism",
    "SHIB": "Shiba Inu",
    "SOL": "Solana",
    "SUI": "Sui",
    "TON": "Toncoin",
    "TRX": "Tron",
    "UNI": "Uniswap",
    "USD": "US Dollar",
    "USDC": "USD Coin",
    "USDT": "Tether",
    "XLM": "Stellar",
    "XMR": "Monero",
    "XRP": "XRP",
}
