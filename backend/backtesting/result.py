"""What a backtest leaves: equity, fills and trades as arrays, and what has to be said about them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from backend.domain.config import TradingConfig
from backend.domain.signals import NO_REASON
from backend.domain.trading.layout import STILL_OPEN, Records
from backend.domain.trading.trade_statistics import WHY
from backend.domain.trading.trades import positions

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Note:
    """One thing that a reader of the result must know."""

    code: str
    text: str
    count: int = 1
    first_bar: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """Bars are counted on the run's timeline: that of its bars, or all times at which any of its symbols has one."""

    config: TradingConfig
    symbols: tuple[str, ...]
    starts: Ints  # of the timeline's bars, in microseconds since 1970
    equity: Floats  # at the close of each
    fills: Records  # layout.FILL
    trades: Records  # layout.TRADE: closed ones in the order of their exits, then those that are still open
    reasons: tuple[tuple[str, ...], ...]  # the strategy's texts, a tuple a symbol
    notes: tuple[Note, ...]
    interest: float  # paid in all
    closes: tuple[
        Floats, ...
    ]  # a symbol's closes on the timeline, the last one where it has no bar, NaN before its first
    hashes: tuple[str, ...] = ()  # of the bars of each symbol

    @property
    def start_cash(self) -> float:
        return self.config.cash

    @cached_property
    def closed(self) -> Records:
        return self.trades[self.trades["exit_why"] != STILL_OPEN]

    @cached_property
    def open(self) -> Records:
        """Trades that the end of the bars found open: marked at the last close, not closed."""
        return self.trades[self.trades["exit_why"] == STILL_OPEN]

    def position(self, symbol: int = 0) -> Floats:
        """Units held at the close of each bar, below 0 when short."""
        return positions(self.fills, symbol, len(self.starts))

    def value(self, symbol: int = 0) -> Floats:
        """What is held at the close of each bar, below 0 when short."""
        return self.position(symbol) * np.nan_to_num(self.closes[symbol])

    @cached_property
    def exposure(self) -> Floats:
        """The value of all positions, long and short alike, as a share of equity at the close of each bar."""
        gross = np.zeros(len(self.starts))
        for symbol in range(len(self.symbols)):
            gross += np.abs(self.value(symbol))
        return np.divide(gross, self.equity, out=np.zeros_like(gross), where=self.equity > 0)

    @cached_property
    def cash(self) -> Floats:
        """At the close of each bar; above equity while something is sold short."""
        cash = self.equity.copy()
        for symbol in range(len(self.symbols)):
            cash -= self.value(symbol)
        return cash

    def why(self, trade: int) -> tuple[str, str]:
        """Why a trade was entered and left, in words: the strategy's where it gave them."""
        row = self.trades[trade]
        return (
            self._words(row["symbol"], row["entry_reason"], row["entry_why"]),
            self._words(row["symbol"], row["exit_reason"], row["exit_why"]),
        )

    def _words(self, symbol: int, reason: int, why: int) -> str:
        return WHY[int(why)] if reason == NO_REASON else self.reasons[int(symbol)][int(reason)]
