"""Whatever a strategy does wrong has a name, its numbers and a remedy."""

from typing import Any, ClassVar

import numpy as np
import pytest

from backend.domain.backtest_errors import BadSignals
from backend.domain.errors import TidemarkError
from backend.domain.signals import KEEP, LONG, Signals
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.market import Market
from backend.domain.strategies.registry import StrategyRegistry
from backend.domain.strategy_errors import MissingValues, NeverTrades, NotEnoughHistory, StrategyFailed
from tests.market_bars import market_of, walk

MARKET = market_of(walk(100))


class Scripted(TradingStrategy):
    """Returns what it is told to."""

    name = "scripted"
    result: ClassVar[Any] = None

    def generate_signals(self, market: Market) -> Signals:
        return self.result(market)  # type: ignore[no-any-return]


def asked(result: Any, **options: Any) -> Signals:
    class Told(Scripted):
        """As told."""

    Told.result = staticmethod(result)
    return signals_of(Told(), MARKET, **options)


def failure(problem: type[TidemarkError], result: Any, **options: Any) -> str:
    with pytest.raises(problem) as raised:
        asked(result, **options)
    assert raised.value.detail.endswith(".")
    return raised.value.detail


def test_a_strategy_that_raises_is_named_with_its_line() -> None:
    detail = failure(StrategyFailed, lambda market: [1][market.close.size])
    assert detail.startswith("scripted failed on 100 bars: IndexError: list index out of range (test_asking.py, line ")
    assert "Correct the strategy" in detail


def test_so_is_one_that_cannot_even_say_how_much_it_needs() -> None:
    class Lost(Scripted):
        """Does not know."""

        def warmup(self) -> int:
            raise KeyError("nobody knows")

    with pytest.raises(StrategyFailed, match=r"scripted failed on 100 bars: KeyError: 'nobody knows' \(test_asking"):
        signals_of(Lost(), MARKET)


def test_errors_that_already_say_what_is_wrong_pass_as_they_are() -> None:
    spoilt = walk(100)
    spoilt.loc[5, "close"] = np.nan
    with pytest.raises(MissingValues, match="first at row 5"):
        signals_of(StrategyRegistry().strategy("sma_cross"), market_of(spoilt))


@pytest.mark.parametrize("length", [0, 99, 101])
def test_signals_of_another_length_are_refused(length: int) -> None:
    detail = failure(BadSignals, lambda market: Signals(direction=np.full(length, LONG, np.int8)))
    assert detail.startswith(f"scripted returned {length} values in the column direction for 100 bars.")


def test_so_are_columns_of_another_length() -> None:
    direction = np.full(100, LONG, np.int8)
    detail = failure(BadSignals, lambda market: Signals(direction=direction, stop=np.ones(7)))
    assert "7 values in the column stop for 100 bars" in detail


def test_so_is_what_is_no_signals_at_all() -> None:
    assert "scripted returned ndarray for 100 bars" in failure(BadSignals, lambda market: np.ones(100))
    assert "scripted returned NoneType" in failure(BadSignals, lambda market: None)


def test_so_are_values_that_nobody_can_trade_on() -> None:
    made = Signals(direction=np.full(100, 7, np.int8))
    assert "100 of 100 directions are none; the first is 7" in failure(BadSignals, lambda market: made)
    stops = Signals(direction=np.full(100, LONG, np.int8), stop=np.full(100, -1.0))
    assert "100 values of the column stop" in failure(BadSignals, lambda market: stops)


def test_to_never_trade_is_an_error_only_where_somebody_asks() -> None:
    never = Signals(direction=np.full(100, KEEP, np.int8))
    assert asked(lambda market: never) is never
    detail = failure(NeverTrades, lambda market: never, must_trade=True)
    assert detail.startswith("scripted gave no entry on 100 bars, of which the first 0 are its warm-up.")


def test_too_little_history_is_told_in_bars() -> None:
    strategy = StrategyRegistry().strategy("sma_cross", {"slow": 200})
    with pytest.raises(NotEnoughHistory) as raised:
        signals_of(strategy, MARKET)
    assert (raised.value.needed, raised.value.held) == (200, 100)
    assert raised.value.detail == (
        "sma_cross needs 200 bars before it can say anything; there are 100."
        " Begin 100 bars earlier, or choose shorter periods."
    )
