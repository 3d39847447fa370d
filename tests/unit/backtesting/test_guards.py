"""The guards find planted look-ahead of every kind, and accuse no built-in strategy."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

from backend.backtesting.guards import look_ahead, recursive, shuffled
from backend.data.fetchers.demo import simulated_bars
from backend.domain.indicators.trend import ema, sma
from backend.domain.market import Instrument, Timeframe
from backend.domain.signals import FLAT, KEEP, LONG, Signals
from backend.domain.simulation.markets import MARKETS
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.market import Floats, Market
from backend.domain.strategies.registry import Listed, StrategyRegistry, load_file


def walk(bars: int = 1_200, seed: int = 5, symbol: str = "BTC/USDT") -> Market:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.01 * random.standard_normal(bars)))
    open_ = np.concatenate(([100.0], close[:-1]))
    spread = np.abs(0.004 * random.standard_normal((2, bars)))
    frame = pd.DataFrame(
        {
            "ts": pd.date_range("2023-01-01", periods=bars, freq="1h", tz="UTC").as_unit("us"),
            "open": open_,
            "high": np.maximum(open_, close) * (1 + spread[0]),
            "low": np.minimum(open_, close) * (1 - spread[1]),
            "close": close,
            "volume": random.uniform(1, 9, bars),
        }
    )
    instrument = Instrument(provider="demo", symbol=symbol, name=symbol, calendar="24/7", currency="USDT")
    return Market.of(frame, instrument, Timeframe.H1)


def of_demo(symbol: str) -> Market:
    frame = simulated_bars(symbol, "1h", "2022-01-01", "2022-07-01")
    return Market.of(frame, MARKETS[symbol].instrument, Timeframe.H1)


def crossing(values: Floats, level: Floats | float) -> Signals:
    return Signals.of(np.where(values > level, LONG, FLAT), bars=len(values))


class CentredMean(TradingStrategy):
    name = "centred_mean"

    def generate_signals(self, market: Market) -> Signals:
        smooth = pd.Series(market.close).rolling(21, center=True).mean().to_numpy()
        return crossing(market.close, smooth)


class Tomorrow(TradingStrategy):
    name = "tomorrow"

    def generate_signals(self, market: Market) -> Signals:
        return crossing(np.append(market.close[1:], np.nan), market.close)


class FittedOnAll(TradingStrategy):
    name = "fitted_on_all"

    def generate_signals(self, market: Market) -> Signals:
        return crossing((market.close - market.close.mean()) / market.close.std(), 0.5)


class EarlyPivot(TradingStrategy):
    """A low counts as one although only the ten bars after it tell."""

    name = "early_pivot"

    def generate_signals(self, market: Market) -> Signals:
        lowest = pd.Series(market.low).rolling(21, center=True).min().to_numpy()
        direction = np.full(len(market), KEEP, np.int8)
        direction[market.low == lowest] = LONG
        return Signals.of(direction, bars=len(market))


class LateStop(TradingStrategy):
    """Its side is honest, its stop is the low of the next bar."""

    name = "late_stop"

    def generate_signals(self, market: Market) -> Signals:
        average = sma(market.close, 20)
        stop = np.append(market.low[1:], np.nan)
        return Signals.of(np.where(market.close > average, LONG, FLAT), bars=len(market), stop=stop)


class KnowsACut(TradingStrategy):
    """It remembers the longest history that anybody showed it, and looks there."""

    name = "knows_a_cut"
    remembered: dict[int, Floats] = {}  # noqa: RUF012 - that it is shared is the trick

    def generate_signals(self, market: Market) -> Signals:
        start = int(market.starts[0])
        if len(market) >= len(self.remembered.get(start, ())):
            self.remembered[start] = market.close.copy()
        seen = self.remembered[start]
        ahead = np.append(seen[1:], seen[-1])[: len(market)]
        return crossing(ahead, market.close)


class LongestHistory(TradingStrategy):
    """It looks ahead in the longest history that anybody showed it, and never asks when that began."""

    name = "longest_history"
    seen: list[Floats] = [np.empty(0)]  # noqa: RUF012 - that it is shared is the trick

    def generate_signals(self, market: Market) -> Signals:
        if len(market) > len(self.seen[0]):
            self.seen[0] = market.close.copy()
        ahead = np.append(self.seen[0][1:], np.nan)[: len(market)]
        return crossing(ahead, market.close)


class AheadInATurmoil(TradingStrategy):
    """An average on all days but a few wild ones, on which it knows the next close."""

    name = "ahead_in_a_turmoil"

    def generate_signals(self, market: Market) -> Signals:
        close = pd.Series(market.close)
        size = close.pct_change().abs()
        wild = size > size.rolling(300).quantile(0.99)
        above = np.where(wild, close.shift(-1) > close, close > close.rolling(50).mean())
        return Signals.of(np.where(above, LONG, FLAT), bars=len(market))


class AheadInTheCalm(TradingStrategy):
    """An average on all days but a few still ones, on which it knows the next close: no great gains give it away."""

    name = "ahead_in_the_calm"

    def generate_signals(self, market: Market) -> Signals:
        close = pd.Series(market.close)
        size = close.pct_change().abs().rolling(20).mean()
        still = size < size.rolling(300).quantile(0.03)
        above = np.where(still, close.shift(-1) > close, close > close.rolling(50).mean())
        return Signals.of(np.where(above, LONG, FLAT), bars=len(market))


class WaitsForTheFall(TradingStrategy):
    """Where the next bar falls it enters after that: the bar that leaks has no signal at all."""

    name = "waits_for_the_fall"

    def generate_signals(self, market: Market) -> Signals:
        close = pd.Series(market.close)
        above = close > close.rolling(50).mean()
        falls = close.shift(-1) < close
        return Signals.of(np.where(above & ~(falls & ~above.shift(fill_value=False)), LONG, FLAT), bars=len(market))


class FilledBackwards(TradingStrategy):
    """An average that is not there at first, and is taken from later."""

    name = "filled_backwards"

    def generate_signals(self, market: Market) -> Signals:
        return crossing(market.close, pd.Series(sma(market.close, 20)).bfill().to_numpy())


class ToldLater(TradingStrategy):
    """Its trades are honest, what it says about them is not."""

    name = "told_later"

    def generate_signals(self, market: Market) -> Signals:
        rises = np.append(market.close[1:] > market.close[:-1], False)
        direction = crossing(market.close, sma(market.close, 20)).direction
        return Signals.of(direction, bars=len(market), reason=rises.astype(np.int16), reasons=["Hope", "A sure rise"])


class ByLot(TradingStrategy):
    name = "by_lot"

    def generate_signals(self, market: Market) -> Signals:
        return Signals.of(np.random.default_rng().integers(0, 2, len(market)), bars=len(market))


class Honest(TradingStrategy):
    name = "honest"

    def generate_signals(self, market: Market) -> Signals:
        return crossing(ema(market.close, 12), ema(market.close, 40))


class NoAnswerToFew(Honest):
    """It declares no warm-up, and fails where there are few bars."""

    name = "no_answer_to_few"

    def generate_signals(self, market: Market) -> Signals:
        if len(market) < 25:
            raise ValueError("too few")
        return super().generate_signals(market)


class FlatAtFirst(Honest):
    """It keeps what it has until its average is there, and says so as FLAT when that never is."""

    name = "flat_at_first"

    def generate_signals(self, market: Market) -> Signals:
        if len(market) < 25:
            return Signals.of(np.full(len(market), FLAT), bars=len(market))
        average = sma(market.close, 25)
        return Signals.of(
            np.where(np.isnan(average), KEEP, np.where(market.close > average, LONG, FLAT)), bars=len(market)
        )


@pytest.mark.parametrize(
    ("strategy", "column"),
    [
        (CentredMean, "direction"),
        (Tomorrow, "direction"),
        (FittedOnAll, "direction"),
        (EarlyPivot, "direction"),
        (LateStop, "stop"),
        (KnowsACut, "direction"),
        (ToldLater, "reason"),
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_planted_leak_is_found_and_named(strategy: type[TradingStrategy], column: str, seed: int) -> None:
    market = walk(seed=seed)
    KnowsACut.remembered.clear()
    found = look_ahead(strategy(), market, strategy().generate_signals(market))
    assert column in [leak.column for leak in found.leaks]
    (leak,) = [leak for leak in found.leaks if leak.column == column]
    assert leak.then != leak.later
    assert leak.bar < leak.bars_known
    assert "it depends on" in leak.sentence
    assert found.points >= 12


@pytest.mark.parametrize("strategy", [AheadInATurmoil, AheadInTheCalm, WaitsForTheFall])
@pytest.mark.parametrize("symbol", ["BTC/USDT", "ETH/USDT", "SOL/USDT"])
def test_a_rare_leak_that_pays_is_found(strategy: type[TradingStrategy], symbol: str) -> None:
    market = of_demo(symbol)
    found = look_ahead(strategy(), market, strategy().generate_signals(market))
    assert [leak.column for leak in found.leaks] == ["direction"]


def test_a_leak_into_the_first_bars_is_found() -> None:
    market = walk()
    (leak,) = look_ahead(FilledBackwards(), market, FilledBackwards().generate_signals(market)).leaks
    assert leak.bar < leak.bars_known < 20


@pytest.mark.parametrize("strategy", [NoAnswerToFew, FlatAtFirst])
def test_nobody_is_accused_for_few_bars(strategy: type[TradingStrategy]) -> None:
    market = walk()
    found = look_ahead(strategy(), market, strategy().generate_signals(market))
    assert (found.leaks, found.unanswered) == ((), 0)


def test_what_remembers_the_longest_history_is_found() -> None:
    market = walk()
    LongestHistory.seen[0] = np.empty(0)
    found = look_ahead(LongestHistory(), market, LongestHistory().generate_signals(market))
    assert [(leak.column, leak.how) for leak in found.leaks] == [("direction", "changed")]


class KeepsAll(Honest):
    """It keeps what it was asked about."""

    name = "keeps_all"
    asked: ClassVar[list[Market]] = []

    def generate_signals(self, market: Market) -> Signals:
        self.asked.append(market)
        return super().generate_signals(market)


def kept(market: Market) -> list[Market]:
    """All markets that a look for leaks makes, from the first to the last."""
    KeepsAll.asked.clear()
    look_ahead(KeepsAll(), market, Honest().generate_signals(market))
    return list(KeepsAll.asked)


def test_a_future_that_never_was_is_the_same_until_a_cut_and_another_in_every_column_after_it() -> None:
    market = walk()
    futures = [asked for asked in kept(market) if len(asked) > len(market)]
    assert [len(future) - len(market) for future in futures] == [1, 2, 3, 4]
    for future in futures:
        assert set(future.columns) == set(market.columns)
        parted = {
            name: int(np.flatnonzero(future.columns[name][: len(market)] != values)[0])
            for name, values in market.columns.items()
        }
        assert len(set(parted.values())) == 1
        assert all(0.9 < ratio < 1.1 for ratio in future.close[: len(market)] / market.close)
        assert (np.diff(future.starts) == 3_600_000_000).all()


def test_nothing_can_be_written_to_a_market_that_a_guard_makes() -> None:
    market = walk()
    made = [*kept(market), shuffled(market, seed=3)]
    written = [column for one in made for column in (one.starts, *one.columns.values()) if column.flags.writeable]
    assert written == []


def test_what_is_drawn_by_lot_without_a_seed_is_called_so() -> None:
    market = walk()
    (leak,) = look_ahead(ByLot(), market, ByLot().generate_signals(market)).leaks
    assert "Asked again about the same bars of BTC/USDT it says something else" in leak.sentence


def test_the_same_words_in_another_order_are_no_leak() -> None:
    class Numbered(TradingStrategy):
        name = "numbered"

        def generate_signals(self, market: Market) -> Signals:
            words = ["Above", "Below"] if len(market) % 2 else ["Below", "Above"]
            above = market.close > sma(market.close, 20)
            places = np.where(above, words.index("Above"), words.index("Below"))
            return Signals.of(np.where(above, LONG, FLAT), bars=len(market), reason=places, reasons=words)

    market = walk()
    assert look_ahead(Numbered(), market, Numbered().generate_signals(market)).leaks == ()


@pytest.mark.parametrize(("bars", "points"), [(1_200, 48), (20_001, 24), (200_001, 12)])
def test_the_longer_the_history_the_fewer_points(bars: int, points: int) -> None:
    market = walk(bars)
    found = look_ahead(Honest(), market, Honest().generate_signals(market))
    assert (found.points, found.unanswered, found.leaks) == (points, 0, ())
    assert points / 2 <= found.at_signals <= points * 3 / 4


class FailsWhenCut(Tomorrow):
    """It looks ahead, and refuses to answer where that could be seen."""

    name = "fails_when_cut"

    def generate_signals(self, market: Market) -> Signals:
        if len(market) < 1_200:
            raise ValueError("not enough")
        return super().generate_signals(market)


def test_a_strategy_that_will_not_answer_is_not_cleared() -> None:
    market = walk()
    found = look_ahead(FailsWhenCut(), market, FailsWhenCut().generate_signals(market))
    assert found.unanswered == found.points
    # The bars that were changed instead find it all the same.
    assert [leak.how for leak in found.leaks] == ["changed"]


def needs_bars_only(listed: Listed) -> bool:
    return not (listed.strategy.needs_symbols or listed.strategy.learns)


@pytest.mark.parametrize("name", [listed.name for listed in StrategyRegistry() if needs_bars_only(listed)])
@pytest.mark.parametrize("symbol", ["BTC/USDT", "AAPL"])
def test_no_built_in_strategy_is_accused(name: str, symbol: str) -> None:
    market = of_demo(symbol)
    strategy = StrategyRegistry().strategy(name)
    assert look_ahead(strategy, market, strategy.generate_signals(market), points=40).leaks == ()


def test_what_needs_more_symbols_is_not_accused_either() -> None:
    beside = {(symbol, Timeframe.H1): of_demo(symbol) for symbol in ("ETH/USDT", "SOL/USDT")}
    frame = of_demo("BTC/USDT")
    market = Market.of(frame.bars, frame.instrument, Timeframe.H1, others=beside)
    strategy = StrategyRegistry().strategy("momentum_rank")
    assert look_ahead(strategy, market, strategy.generate_signals(market), points=24).leaks == ()


def test_the_drift_shrinks_with_more_history() -> None:
    market = walk(3_000)
    strategy = StrategyRegistry().strategy("ema_trend")
    drifts = recursive(strategy, market, strategy.generate_signals(market))
    assert [drift.bars for drift in drifts] == sorted(drift.bars for drift in drifts)
    errors = [drift.indicators for drift in drifts if drift.indicators is not None]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-6
    assert drifts[-1].positions == 0.0
    assert drifts[-1].indicator is not None
    assert drifts[-1].indicator.startswith("ema")


def test_a_history_that_is_no_longer_than_the_warmup_has_no_drift() -> None:
    strategy = StrategyRegistry().strategy("sma_cross")
    market = walk(strategy.warmup() // 2 + 1)
    assert recursive(strategy, market, crossing(market.close, 100.0)) == []


def test_where_no_warmup_is_declared_a_short_memory_has_no_drift() -> None:
    class Undeclared(TradingStrategy):
        name = "undeclared"

        def generate_signals(self, market: Market) -> Signals:
            return crossing(sma(market.close, 20), sma(market.close, 50))

    market = walk(3_000)
    drifts = recursive(Undeclared(), market, Undeclared().generate_signals(market))
    assert [drift.bars for drift in drifts] == [25, 100, 400, 1_600]
    assert [drift.positions for drift in drifts[1:]] == [0.0, 0.0, 0.0]


def test_shuffled_bars_are_the_same_bars_in_another_order() -> None:
    market = walk()
    other = shuffled(market, seed=3)
    steps, mixed = np.diff(np.log(market.close)), np.diff(np.log(other.close))
    assert not np.allclose(steps, mixed)
    assert np.allclose(np.sort(steps), np.sort(mixed))
    assert other.close[-1] == pytest.approx(market.close[-1])
    assert (other.high >= np.maximum(other.open, other.close)).all()
    assert (other.low <= np.minimum(other.open, other.close)).all()
    assert np.array_equal(shuffled(market, seed=3).close, other.close)
    assert not np.array_equal(shuffled(market, seed=4).close, other.close)


REMEMBERS = """
import numpy as np

from backend.domain.signals import Signals
from backend.domain.strategies.base import TradingStrategy

seen = {}


class Remembers(TradingStrategy):
    name = "remembers"

    def generate_signals(self, market):
        if len(market) > len(seen.get("close", ())):
            seen["close"] = np.array(market.close)
        ahead = np.append(seen["close"][1:], np.nan)[: len(market)]
        return Signals.of((ahead > market.close).astype(np.int8), bars=len(market))
"""


def test_a_module_that_remembers_the_longest_history_is_found(tmp_path: Path) -> None:
    path = tmp_path / "remembers.py"
    path.write_text(REMEMBERS)
    strategy = load_file(path)[0].strategy()
    market = walk(400)
    found = look_ahead(strategy, market, strategy.generate_signals(market))
    assert [leak.column for leak in found.leaks] == ["direction"]
