"""A backtest: bars, signals and rules in, a result out. It needs no database, no network and no files."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.backtesting.kernel import Columns, Detail, SignalColumns, replay, replay_many, rolling_volatility
from backend.backtesting.noted import notes_of
from backend.backtesting.result import Result
from backend.domain.backtest_errors import CannotReplay
from backend.domain.bars import start_microseconds
from backend.domain.config import SizingMethod, TradingConfig
from backend.domain.market import Timeframe, bars_a_year
from backend.domain.signals import Signals
from backend.domain.trading.layout import BAR, MOST_FILLS, SIGNAL, State
from backend.domain.trading.state import new_state, with_room
from backend.domain.trading.trades import measure_excursions, trades_of

Floats = npt.NDArray[np.float64]

# Told now and then how many bars are done, with the equity at the close of each and the starts of all.
Watch = Callable[[int, Floats, npt.NDArray[np.int64]], None]

_WATCHED_STRETCHES: Final = 50
_SHORTEST_STRETCH: Final = 2_000
_NONE: Final = np.empty(0)
_NO_CODES: Final = np.empty(0, np.int16)
_NO_PLACES: Final = np.empty((0, 0), np.int32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Feed:
    """One symbol of a backtest: its checked bars, and what the strategy says about them."""

    symbol: str
    timeframe: Timeframe
    calendar: str
    bars: pd.DataFrame  # as check_bars leaves them
    signals: Signals
    tick: float | None = None
    lot: float | None = None
    detail: pd.DataFrame | None = None  # shorter bars of the same symbol, checked too
    content_hash: str = ""


def backtest(feeds: Sequence[Feed], config: TradingConfig, watch: Watch | None = None) -> Result:
    """Trade the signals of these symbols on one account. Whoever watches may end it by raising."""
    _check(feeds, config)
    columns = [_columns(feed.bars) for feed in feeds]
    known = [bool(column.volume[0] > 0 or column.volume.max() > 0) for column in columns]
    state = new_state(
        config,
        ticks=[feed.tick for feed in feeds],
        lots=[feed.lot for feed in feeds],
        volumes_known=known,
        room=MOST_FILLS * len(feeds) + 256 + sum(_turns(feed.signals) for feed in feeds),
    )
    if len(feeds) == 1:
        timeline, places = columns[0].starts, _NO_PLACES
        state, equity = _one(state, feeds[0], columns[0], config, watch)
    else:
        timeline, places = _timeline(columns)
        state, equity = _several(state, feeds, columns, timeline, places, config, watch)
    return _result(state, feeds, config, timeline, places, columns, equity, known)


def _one(state: State, feed: Feed, bars: Columns, config: TradingConfig, watch: Watch | None) -> tuple[State, Floats]:
    signals, detail = _signal_columns(feed, bars, config), detail_of(feed, bars.starts)
    now, said, equity = np.zeros(1, BAR), np.zeros(1, SIGNAL), np.empty(len(bars.close))
    at = 0
    for until in _stretches(len(equity), watch):
        while (at := replay(state, bars, signals, detail, now, said, equity, at, until)) < until:
            state = with_room(state, 2 * len(state.fills))
        if watch is not None:
            watch(until, equity, bars.starts)
    return state, equity


def _several(
    state: State,
    feeds: Sequence[Feed],
    columns: Sequence[Columns],
    timeline: npt.NDArray[np.int64],
    places: npt.NDArray[np.int32],
    config: TradingConfig,
    watch: Watch | None,
) -> tuple[State, Floats]:
    bars = _joined(columns)
    signals = _joined_signals([_signal_columns(feed, own, config) for feed, own in zip(feeds, columns, strict=True)])
    detail = _joined_detail([detail_of(feed, own.starts) for feed, own in zip(feeds, columns, strict=True)], columns)
    now, said, equity = np.zeros(len(feeds), BAR), np.zeros(len(feeds), SIGNAL), np.empty(len(timeline))
    at = 0
    for until in _stretches(len(timeline), watch):
        while (at := replay_many(state, timeline, places, bars, signals, detail, now, said, equity, at, until)) < until:
            state = with_room(state, 2 * len(state.fills))
        if watch is not None:
            watch(until, equity, timeline)
    return state, equity


def _stretches(count: int, watch: Watch | None) -> Iterator[int]:
    """Up to where the loop runs at a time: to the end, unless somebody watches."""
    length = count if watch is None else max(count // _WATCHED_STRETCHES, _SHORTEST_STRETCH)
    yield from range(length, count, max(length, 1))
    yield count


def _result(
    state: State,
    feeds: Sequence[Feed],
    config: TradingConfig,
    timeline: npt.NDArray[np.int64],
    places: npt.NDArray[np.int32],
    columns: Sequence[Columns],
    equity: Floats,
    known: Sequence[bool],
) -> Result:
    account = state.account[0]
    fills = state.fills[: account["fills"]]
    trades = trades_of(fills, state.books, len(timeline) - 1)
    joined = (
        columns[0] if len(columns) == 1 else Columns(*(np.concatenate(part) for part in zip(*columns, strict=True)))
    )
    measure_excursions(trades, places, joined.open, joined.high, joined.low, joined.close)
    return Result(
        config=config,
        symbols=tuple(feed.symbol for feed in feeds),
        starts=timeline,
        equity=equity,
        fills=fills,
        trades=trades,
        reasons=tuple(feed.signals.reasons for feed in feeds),
        notes=notes_of(state, feeds, config, known),
        interest=float(account["financing"]),
        closes=tuple(_closes(column, places, s) for s, column in enumerate(columns)),
        hashes=tuple(feed.content_hash for feed in feeds),
    )


def _check(feeds: Sequence[Feed], config: TradingConfig) -> None:
    if not feeds:
        raise CannotReplay("There is no symbol to trade. Name at least one.")
    names = [feed.symbol for feed in feeds]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise CannotReplay(f"The symbol {twice} is there {names.count(twice)} times. Name each once.")
    for feed in feeds:
        if len(feed.bars) == 0:
            raise CannotReplay(f"{feed.symbol} has no bars in this range. Choose another range, or fetch its bars.")
        if len(feed.signals) != len(feed.bars):
            raise CannotReplay(
                f"{feed.symbol} has {len(feed.bars):,} bars, but {len(feed.signals):,} signals. Each bar needs one."
            )
        if config.execution.detail is not None and not feed.timeframe.can_be_made_from(config.execution.detail):
            raise CannotReplay(
                f"Bars of {config.execution.detail} cannot decide inside bars of {feed.timeframe}."
                " Choose a shorter timeframe that fits into them."
            )


def _columns(bars: pd.DataFrame) -> Columns:
    return Columns(
        _still(start_microseconds(bars)),
        *(_still(bars[name].to_numpy()) for name in ("open", "high", "low", "close", "volume")),
    )


def _still(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Nothing writes to what goes in. To numba, arrays that may be written to are others: it would compile twice."""
    array = np.ascontiguousarray(array).view()
    array.flags.writeable = False
    return array


def _joined(columns: Sequence[Columns]) -> Columns:
    return Columns(*(_still(np.concatenate(parts)) for parts in zip(*columns, strict=True)))


def _signal_columns(feed: Feed, bars: Columns, config: TradingConfig) -> SignalColumns:
    signals = feed.signals
    given = {name: _NONE if values is None else values for name, values in _optional(signals).items()}
    if config.sizing.method is SizingMethod.VOLATILITY:
        a_year = bars_a_year(feed.calendar, feed.timeframe)
        given["volatility"] = rolling_volatility(bars.close, config.sizing.volatility_bars, a_year)
    return SignalColumns(
        direction=_still(signals.direction),
        reason=_still(_NO_CODES if signals.reason is None else signals.reason),
        **{name: _still(values) for name, values in given.items()},
    )


def _optional(signals: Signals) -> dict[str, Floats | None]:
    return {
        "size": signals.size,
        "limit": signals.limit,
        "stop": signals.stop,
        "target": signals.target,
        "stop_percent": signals.stop_percent,
        "target_percent": signals.target_percent,
        "trail_percent": signals.trail_percent,
        "rank": signals.rank,
        "volatility": None,
    }


def _joined_signals(several: Sequence[SignalColumns]) -> SignalColumns:
    """One after the other. A column that some strategy uses is there for all."""
    joined = {}
    for name in SignalColumns._fields:
        columns = [getattr(signals, name) for signals in several]
        if any(len(column) for column in columns):
            missing = -1 if name == "reason" else np.nan
            columns = [
                column if len(column) else np.full(len(signals.direction), missing, column.dtype)
                for signals, column in zip(several, columns, strict=True)
            ]
        joined[name] = _still(np.concatenate(columns))
    return SignalColumns(**joined)


def detail_of(feed: Feed, starts: npt.NDArray[np.int64]) -> Detail:
    """The shorter bars that lie inside a bar, and where those of each bar begin."""
    if feed.detail is None:
        return _no_detail()
    own = start_microseconds(feed.detail)
    bar = np.searchsorted(starts, own, side="right") - 1
    inside = (bar >= 0) & (own < starts[bar] + feed.timeframe.seconds * 1_000_000)
    prices = np.column_stack([feed.detail[name].to_numpy()[inside] for name in ("open", "high", "low", "close")])
    first = np.searchsorted(bar[inside], np.arange(len(starts) + 1))
    return Detail(_still(prices), _still(first.astype(np.int64)))


def _no_detail() -> Detail:
    return Detail(_still(np.empty((0, 4))), _still(np.empty(0, np.int64)))


def _joined_detail(several: Sequence[Detail], columns: Sequence[Columns]) -> Detail:
    """One after the other: each symbol's begin where those of the one before end."""
    if not any(len(detail.first) for detail in several):
        return _no_detail()
    prices = np.concatenate([detail.prices for detail in several])
    firsts, before = [], 0
    for detail, own in zip(several, columns, strict=True):
        first = detail.first[:-1] if len(detail.first) else np.zeros(len(own.starts), np.int64)
        firsts.append(first + before)
        before += len(detail.prices)
    return Detail(_still(prices), _still(np.append(np.concatenate(firsts), before)))


def _timeline(columns: Sequence[Columns]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """All times at which any symbol has a bar, and where in the joined columns each has it; -1 = it has none."""
    timeline = np.unique(np.concatenate([column.starts for column in columns]))
    places = np.full((len(timeline), len(columns)), -1, np.int32)
    before = 0
    for s, column in enumerate(columns):
        places[np.searchsorted(timeline, column.starts), s] = np.arange(before, before + len(column.starts))
        before += len(column.starts)
    return timeline, places


def _closes(column: Columns, places: npt.NDArray[np.int32], s: int) -> Floats:
    if len(places) == 0:
        return column.close
    seen = np.cumsum(places[:, s] >= 0)
    return np.where(seen > 0, column.close[np.maximum(seen - 1, 0)], np.nan)


def _turns(signals: Signals) -> int:
    """About how many fills signals lead to: two for each that says something new."""
    direction = signals.direction
    return 2 * int(np.count_nonzero(direction[1:] != direction[:-1])) + 2
