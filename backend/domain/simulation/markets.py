"""The markets of the demo provider: what each trades, at what price it began, how wild it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from backend.domain.market import ALWAYS, Instrument
from backend.domain.simulation.dice import Floats, Ints, bell, key_of, rolls

PROVIDER: Final = "demo"
# A Monday, so that every timeframe begins with a whole bar.
FIRST_BAR: Final = datetime(2015, 1, 5, tzinfo=UTC)

# Another edition is another history of all markets.
_EDITION: Final = "tidemark demo 1"
_OWN, _SHARED = 0.8, 0.6  # the sum of their squares is 1


@dataclass(frozen=True, kw_only=True)
class SimulatedMarket:
    """One instrument of the simulation. Prices are whole ticks, volumes whole parcels; a parcel is several lots, and a
    power of two or a whole number, so that volumes add up without rounding."""

    symbol: str
    name: str
    calendar: str
    currency: str
    price: float  # around which it began
    ticks_per_unit: int
    lot: float
    parcel: float
    volume_a_day: float
    volatility: float  # the usual deviation of a day's move
    growth_a_year: float
    has_earnings: bool = False
    history: int = 1  # which of all that could have happened

    @property
    def tick(self) -> float:
        return 1 / self.ticks_per_unit

    @property
    def always_trades(self) -> bool:
        return self.calendar == ALWAYS

    def key(self, purpose: str) -> int:
        """For chance that is this market's own."""
        own = self.symbol if self.history == 1 else f"{self.symbol} {self.history}"
        return key_of(_EDITION, own, purpose)

    def chance(self, purpose: str, positions: Ints) -> Floats:
        """Nearly normal numbers, of which a third is shared by all markets of the calendar: they move together."""
        own = bell(rolls(self.key(purpose), positions))
        return _OWN * own + _SHARED * bell(rolls(key_of(_EDITION, self.calendar, purpose), positions))

    @property
    def instrument(self) -> Instrument:
        return Instrument(
            provider=PROVIDER,
            symbol=self.symbol,
            name=f"{self.name} (simulated)",
            calendar=self.calendar,
            currency=self.currency,
            tick=self.tick,
            lot=self.lot,
            first_bar=FIRST_BAR,
            is_simulated=True,
        )


def _crypto(
    coin: str, name: str, price: float, *, ticks: int, lot: float, parcel: float, volume: float, wild: float
) -> SimulatedMarket:
    return SimulatedMarket(
        symbol=f"{coin}/USDT",
        name=name,
        calendar=ALWAYS,
        currency="USDT",
        price=price,
        ticks_per_unit=ticks,
        lot=lot,
        parcel=parcel,
        volume_a_day=volume,
        volatility=wild,
        growth_a_year=0.10,
    )


def _equity(
    symbol: str, name: str, price: float, *, volume: float, wild: float, history: int, has_earnings: bool = True
) -> SimulatedMarket:
    """An exchange has few hours, with rare wild nights among them: in most histories chance alone puts an
    autocorrelation of 0.03 somewhere. `history` is one that has none above 0.018, so that there is nothing to find."""
    return SimulatedMarket(
        symbol=symbol,
        name=name,
        calendar="XNYS",
        currency="USD",
        price=price,
        ticks_per_unit=100,
        lot=1.0,
        parcel=1.0,
        volume_a_day=volume,
        volatility=wild,
        growth_a_year=0.06,
        has_earnings=has_earnings,
        history=history,
    )


_MARKETS = (
    _crypto("BTC", "Bitcoin", 20_000, ticks=100, lot=0.001, parcel=0.125, volume=24_000, wild=0.026),
    _crypto("ETH", "Ether", 1_200, ticks=100, lot=0.001, parcel=0.125, volume=240_000, wild=0.032),
    _crypto("BNB", "BNB", 210, ticks=100, lot=0.001, parcel=0.125, volume=620_000, wild=0.032),
    _crypto("SOL", "Solana", 48, ticks=1_000, lot=0.01, parcel=0.25, volume=3_400_000, wild=0.042),
    _crypto("XRP", "XRP", 0.48, ticks=100_000, lot=1.0, parcel=1.0, volume=420_000_000, wild=0.036),
    _crypto("ADA", "Cardano", 0.36, ticks=100_000, lot=1.0, parcel=1.0, volume=210_000_000, wild=0.038),
    _crypto("DOGE", "Dogecoin", 0.11, ticks=100_000, lot=1.0, parcel=1.0, volume=1_300_000_000, wild=0.042),
    _crypto("LTC", "Litecoin", 82, ticks=100, lot=0.001, parcel=0.125, volume=520_000, wild=0.034),
    _crypto("LINK", "Chainlink", 11, ticks=1_000, lot=0.01, parcel=0.25, volume=5_200_000, wild=0.040),
    _crypto("AVAX", "Avalanche", 24, ticks=1_000, lot=0.01, parcel=0.25, volume=3_100_000, wild=0.042),
    _equity("AAPL", "Apple", 110, volume=62_000_000, wild=0.016, history=65),
    _equity("MSFT", "Microsoft", 180, volume=26_000_000, wild=0.015, history=7),
    _equity("NVDA", "NVIDIA", 140, volume=48_000_000, wild=0.026, history=206),
    _equity("AMZN", "Amazon", 120, volume=52_000_000, wild=0.019, history=69),
    _equity("GOOGL", "Alphabet", 105, volume=31_000_000, wild=0.016, history=48),
    _equity("META", "Meta Platforms", 160, volume=21_000_000, wild=0.021, history=100),
    _equity("TSLA", "Tesla", 130, volume=98_000_000, wild=0.031, history=279),
    _equity("JPM", "JPMorgan Chase", 95, volume=12_000_000, wild=0.014, history=353),
    _equity("JNJ", "Johnson & Johnson", 115, volume=7_600_000, wild=0.010, history=38),
    _equity("SPY", "S&P 500 fund", 260, volume=78_000_000, wild=0.009, history=1189, has_earnings=False),
)

MARKETS: Final[Mapping[str, SimulatedMarket]] = MappingProxyType({market.symbol: market for market in _MARKETS})
