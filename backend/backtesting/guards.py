"""Guards: they ask a strategy again, about bars that were cut off, changed or shuffled, and compare what it says.

A strategy is asked anew each time, by a fresh object, so that what it remembers of the whole history does not help it.
For look-ahead its file is read anew too, and the shortest history comes first: its module may remember as well.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from backend.backtesting.suspicion import Rows, early, places, sampled, spread
from backend.domain.compiled import borrowing, compiled
from backend.domain.errors import TidemarkError
from backend.domain.indicators.catalogue import indicator
from backend.domain.lots import bits_of, next_state
from backend.domain.signals import FLAT, KEEP, Codes, Signals
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.base import Plot, TradingStrategy
from backend.domain.strategies.market import Floats, Market
from backend.domain.strategies.registry import reloaded
from backend.domain.strategy_errors import NotEnoughHistory

Numbers = npt.NDArray[np.float64] | npt.NDArray[np.int8]
Ask = Callable[[Market], Signals]
Number = TypeVar("Number", np.float64, np.int64)

# Two sums of the same numbers in another order differ by less than this.
SLACK: Final = 1e-9
WARMUP_TIMES: Final = (0.5, 1.0, 2.0, 4.0)
# How many bars are tried where no warm-up is declared.
UNDECLARED: Final = (25, 100, 400, 1_600)
# The future that never was: prices change by up to so much, in a saw of so many teeth.
_SWING, _TEETH, _CHANGED_POINTS = 0.1, 7, 2
_TAIL_ROWS: Final = 50
_LEARNED_ROWS: Final = 500
_DIRECTION: Final = "direction"
_REASON: Final = "reason"


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A signal that changed when later bars did: it had used them."""

    column: str
    symbol: str
    bar: int  # the first signal that changed
    bars_known: int  # when so many bars were there, it said `then`
    then: str
    later: str
    how: str  # "cut off" or "changed"
    repeats: bool = True  # asked twice about the same bars, it said the same

    @property
    def sentence(self) -> str:
        if not self.repeats:
            return (
                f"Asked again about the same bars of {self.symbol} it says something else, such as {self.column}"
                f" {self.later} and {self.then} at bar {self.bar:,}: it depends on chance, on the time or on what it"
                " was asked before. Give what is drawn by lot a seed."
            )
        return (
            f"The signal of bar {self.bar:,} of {self.symbol} says {self.column} {self.later}, but with the bars after"
            f" {self.bars_known - 1:,} {self.how} it says {self.then}: it depends on what was not known then."
        )


@dataclass(frozen=True, kw_only=True)
class LookAhead:
    """What came of cutting off and changing the future at these places."""

    points: int
    at_signals: int
    unanswered: int  # asked, but the strategy failed
    leaks: tuple[Leak, ...]


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How far the last row is from its value on all bars, when history begins only so many bars before."""

    bars: int
    # The largest of the strategy's declared indicators, relative; None = it has none, or there was too little history.
    indicators: float | None
    indicator: str | None
    # The share of the last rows on which the strategy would stand elsewhere.
    positions: float | None


def look_ahead(strategy: TradingStrategy, market: Market, said: Signals, *, points: int | None = None) -> LookAhead:
    """`said` is what the strategy said about the whole market. Most points are where a leak that pays would show.

    At each point the bars after it are cut off. At some they are also replaced by others, which begin with a rise and
    then with a fall, and are more than there are: that finds what would recognise a cut, and what remembers the longest
    history. One leak a column is told, the earliest that was found.
    """
    ask, unanswered = _asker(_unknowing(strategy)), 0
    leaks: dict[str, Leak] = {}
    for count in early(strategy, market):
        with suppress(TidemarkError):  # nobody has to have an answer to so few bars
            _compare_beginnings(leaks, market, said, ask(market.first(count)), count)
    suspects, even = places(strategy, market, said, points or sampled(strategy, market))
    counts = np.sort(np.concatenate((suspects, even)))
    for count, how, known in _asked(market, counts, learns=strategy.learns):
        try:
            again = ask(known)
        except TidemarkError:
            # To fail where history ends elsewhere is one way not to be caught.
            unanswered += 1
            continue
        _compare(leaks, market, said, again, count, how)
        _compare_reasons(leaks, market, said, again, count, how)
    found = tuple(leaks.values())
    if found and not _repeats(strategy, market, said):
        found = tuple(replace(leak, repeats=False) for leak in found)
    return LookAhead(points=len(counts), at_signals=len(suspects), unanswered=unanswered, leaks=found)


def _asked(market: Market, counts: Rows, *, learns: bool) -> Iterator[tuple[int, str, Market]]:
    """The shortest history first. Each is made in its turn, so that no two that never were are there at once."""
    for count in counts:
        yield int(count), "cut off", market.first(int(count))
    longer = 0
    for count in spread(counts, _CHANGED_POINTS):
        # What learns would learn from all that never was; what it says of these bars is no other for it.
        known = market.first(min(int(count) + _LEARNED_ROWS, len(market))) if learns else market
        for way in (_SWING, -_SWING):
            longer += 1
            yield int(count), "changed", _another_future(known, int(count), way, longer)


def _repeats(strategy: TradingStrategy, market: Market, said: Signals) -> bool:
    """Whether it says the same of the whole market, as if it had never been asked."""
    try:
        again = _asker(_unknowing(strategy))(market)
    except TidemarkError:
        return True
    later, then, _ = _reasons(said, again, len(market))
    same = all(not len(_changed(*columns)) for _, *columns in _columns(said, again, len(market)))
    return same and bool((later == then).all())


def recursive(strategy: TradingStrategy, market: Market, said: Signals) -> Sequence[Drift]:
    """The drift for several lengths of history, in warm-ups; an empty answer where the whole is not longer than one."""
    warmup, ask = strategy.warmup_on(market.timeframe), _asker(strategy)
    plots = strategy.plots()
    whole = list(_lines(plots, market))
    drifts = []
    for bars in [int(warmup * times) + 1 for times in WARMUP_TIMES] if warmup else UNDECLARED:
        if bars >= len(market):
            break
        part = _last(market, bars)
        name, worst = _largest(whole, list(_lines(plots, part)))
        drifts.append(Drift(bars=bars, indicators=worst, indicator=name, positions=_elsewhere(ask, market, said, bars)))
    return drifts


def shuffled(market: Market, *, seed: int) -> Market:
    """The same bars in another order, each beginning where the one before ended: all that order meant is gone."""
    order = _order(len(market) - 1, np.uint64(seed))
    columns = map(_still, _rebuilt(market.open, market.high, market.low, market.close, market.volume, order))
    names = ("open", "high", "low", "close", "volume")
    return replace(market, columns=MappingProxyType(dict(zip(names, columns, strict=True))))


def _asker(strategy: TradingStrategy) -> Ask:
    return lambda market: signals_of(type(strategy)(strategy.parameters), market)


def _unknowing(strategy: TradingStrategy) -> TradingStrategy:
    fresh = reloaded(type(strategy))
    return strategy if fresh is type(strategy) else fresh.given(strategy.parameters.model_dump())


def _compare_beginnings(leaks: dict[str, Leak], market: Market, said: Signals, again: Signals, count: int) -> None:
    """As far as it matters where nothing is held yet: to keep that and to be flat are one."""
    later, then = (np.where(one.direction[:count] == KEEP, FLAT, one.direction[:count]) for one in (said, again))
    for bar in np.flatnonzero(later != then)[:1]:
        words = (_shown(_DIRECTION, then[bar]), _shown(_DIRECTION, later[bar]))
        _note(leaks, market, _DIRECTION, int(bar), words, count, "cut off")


def _compare(leaks: dict[str, Leak], market: Market, said: Signals, again: Signals, count: int, how: str) -> None:
    for name, later, then in _columns(said, again, count):
        for bar in _changed(later, then)[:1]:
            _note(leaks, market, name, int(bar), (_shown(name, then[bar]), _shown(name, later[bar])), count, how)


def _compare_reasons(
    leaks: dict[str, Leak], market: Market, said: Signals, again: Signals, count: int, how: str
) -> None:
    later, then, words = _reasons(said, again, count)
    for bar in np.flatnonzero(later != then)[:1]:
        _note(leaks, market, _REASON, int(bar), (words[then[bar]], words[later[bar]]), count, how)


def _note(
    leaks: dict[str, Leak], market: Market, column: str, bar: int, words: tuple[str, str], count: int, how: str
) -> None:
    """The earliest of each column is the one that is told."""
    if column not in leaks or bar < leaks[column].bar:
        then, later = words
        leaks[column] = Leak(
            column=column, symbol=market.symbol, bar=bar, bars_known=count, then=then, later=later, how=how
        )


def _reasons(said: Signals, again: Signals, count: int) -> tuple[Codes | Rows, Codes | Rows, Sequence[str]]:
    """The words of both as places in one list: the same words may be numbered in another way."""
    if said.reason is not None and again.reason is not None and said.reasons == again.reasons:
        later, then = said.reason[:count], again.reason[:count]
        if (later == then).all():
            return later, then, said.reasons
    places: dict[str, int] = {"none": 0}

    def placed(signals: Signals) -> Rows:
        if signals.reason is None:
            return np.zeros(count, np.int64)
        known = [places.setdefault(f"'{words}'" if words else "none", len(places)) for words in signals.reasons]
        return np.array([*known, 0])[signals.reason[:count]]  # NO_REASON is the last place

    return placed(said), placed(again), list(places)


def _columns(said: Signals, again: Signals, count: int) -> Iterator[tuple[str, Numbers, Numbers]]:
    """Each column that one of them has, as far as both know; one that the other lacks is none everywhere."""
    yield _DIRECTION, said.direction[:count], again.direction[:count]
    for name in said.columns.keys() | again.columns.keys():
        first, second = (
            np.full(count, np.nan) if values is None else values[:count]
            for values in (said.columns.get(name), again.columns.get(name))
        )
        yield name, first, second


def _changed(later: Numbers, then: Numbers) -> Rows:
    rows = np.flatnonzero(later != then)
    if not len(rows):
        return rows
    later, then = later[rows], then[rows]
    with np.errstate(invalid="ignore"):
        close = np.abs(later - then) <= SLACK * np.maximum(np.abs(later), np.abs(then))
    return rows[~(close | (np.isnan(later) & np.isnan(then)))]


def _shown(column: str, value: float) -> str:
    if column == _DIRECTION:
        return {1: "LONG", -1: "SHORT", 0: "FLAT"}.get(int(value), "KEEP")
    return "none" if np.isnan(value) else f"{value:.8g}"


def _another_future(market: Market, count: int, swing: float, longer: int) -> Market:
    """As it was for so many bars, otherwise afterwards, and some bars longer; markets beside it change with it."""
    until = int(market.ends[count - 1])

    def changed(one: Market) -> Market:
        known = int(np.searchsorted(one.ends, until, "right"))
        more = longer if len(one) else 0
        starts = np.append(one.starts, one.starts[-1:] + one.timeframe.seconds * 1_000_000 * np.arange(1, more + 1))
        columns = _Otherwise(one.columns, known=known, swing=swing, bars=len(starts))
        return replace(one, starts=_still(starts), columns=MappingProxyType(columns), others=MappingProxyType({}))

    return replace(changed(market), others=MappingProxyType({key: changed(one) for key, one in market.others.items()}))


class _Otherwise(Mapping[str, Floats]):
    """Columns that are others after so many bars. Each is made when it is asked for: few strategies look at all."""

    def __init__(self, columns: Mapping[str, Floats], *, known: int, swing: float, bars: int) -> None:
        self._columns, self._known, self._bars = columns, known, bars
        self._factors = 1.0 + swing * (0.5 - np.arange(_TEETH) / _TEETH)
        self._made: dict[str, Floats] = {}

    def __getitem__(self, name: str) -> Floats:
        if name not in self._made:
            values, other = np.ascontiguousarray(self._columns[name]), np.empty(self._bars)
            other[: self._known] = values[: self._known]
            _go_otherwise(values, self._known, self._factors, other)
            self._made[name] = _still(other)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


def _still(values: npt.NDArray[Number]) -> npt.NDArray[Number]:
    """Nothing writes to it, as in any market. To numba, arrays that may be written to are others: it compiles twice."""
    values.flags.writeable = False
    return values


def _last(market: Market, bars: int) -> Market:
    return replace(
        market,
        starts=market.starts[-bars:],
        columns=MappingProxyType({name: values[-bars:] for name, values in market.columns.items()}),
    )


def _lines(plots: Sequence[Plot], market: Market) -> Iterator[tuple[str, Floats]]:
    for plot in plots:
        meant = indicator(plot.indicator)
        columns = {**market.columns, "moments": market.starts}
        for output, values in meant.compute(columns, plot.parameters).items():
            yield f"{plot.indicator}.{output}", values


def _largest(
    whole: Sequence[tuple[str, Floats]], part: Sequence[tuple[str, Floats]]
) -> tuple[str | None, float | None]:
    found: list[tuple[float, str]] = []
    for (name, full), (_, short) in zip(whole, part, strict=True):
        if np.isfinite(full[-1]) and np.isfinite(short[-1]):
            size = max(abs(float(full[-1])), 1e-12)
            found.append((abs(float(short[-1]) - float(full[-1])) / size, name))
    if not found:
        return None, None
    worst, name = max(found)
    return name, worst


def _elsewhere(ask: Ask, market: Market, said: Signals, bars: int) -> float | None:
    """The last rows of a history that is only so much longer than they are, against those of the whole."""
    rows = min(_TAIL_ROWS, len(market) - bars)
    try:
        short = ask(_last(market, bars + rows)).direction[-rows:]
    except NotEnoughHistory:
        return None
    # What was wanted before is not known here, so only rows on which both want something can differ.
    whole = said.direction[-rows:]
    return float(((short != KEEP) & (whole != KEEP) & (short != whole) | ((short == KEEP) != (whole == KEEP))).mean())


@borrowing
def _go_otherwise(values: Floats, known: int, factors: Floats, other: Floats) -> None:
    """After so many bars each value times one of the factors; the last goes on where there are no more."""
    last, factor = len(values) - 1, 0
    for row in range(known, len(other)):
        other[row] = values[min(row, last)] * factors[factor]
        factor = factor + 1 if factor + 1 < len(factors) else 0


@compiled
def _order(count: int, seed: np.uint64) -> Rows:
    """A shuffle that is the same on every machine (Fisher and Yates)."""
    order = np.arange(count)
    state = seed
    for last in range(count - 1, 0, -1):
        state = next_state(state)
        other = int(np.float64(bits_of(state) >> np.uint64(11)) / 9007199254740992.0 * (last + 1))
        order[last], order[other] = order[other], order[last]
    return order


@compiled
def _rebuilt(
    opens: Floats, highs: Floats, lows: Floats, closes: Floats, volumes: Floats, order: Rows
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    count = len(closes)
    open_, high, low, close = np.empty(count), np.empty(count), np.empty(count), np.empty(count)
    volume = np.empty(count)
    open_[0], high[0], low[0], close[0], volume[0] = opens[0], highs[0], lows[0], closes[0], volumes[0]
    for row in range(1, count):
        taken = order[row - 1] + 1
        scale = close[row - 1] / closes[taken - 1]
        open_[row], close[row] = opens[taken] * scale, closes[taken] * scale
        # Rounding may move them past the others by a hair, and a bar must hold its open and close.
        high[row] = max(highs[taken] * scale, open_[row], close[row])
        low[row] = min(lows[taken] * scale, open_[row], close[row])
        volume[row] = volumes[taken]
    return open_, high, low, close, volume
