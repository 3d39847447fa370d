"""Running trials: many in one compiled call, on as many threads as there are cores."""

import os
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from threading import local
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.backtesting.course import Course
from backend.backtesting.engine import Feed, detail_of
from backend.backtesting.kernel import Columns, SignalColumns, rolling_volatility
from backend.backtesting.measures import FAILED, METRICS, OTHER, PLACE, REASONS, Codes, Days, Sheets
from backend.backtesting.space import Combination
from backend.backtesting.trials import Batch, Best, edges_of
from backend.backtesting.tried import Course as Ground
from backend.backtesting.tried import Desk, Said, extremes, try_all
from backend.domain.bars import frame_of
from backend.domain.config import SizingMethod
from backend.domain.errors import TidemarkError
from backend.domain.market import bars_a_year
from backend.domain.signals import COLUMNS
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.base import StrategyParameters
from backend.domain.strategies.sharing import SharesWork, Turns
from backend.domain.strategy_errors import NotEnoughHistory
from backend.domain.trading.daily import DailyEquity
from backend.domain.trading.layout import BAR, MOST_FILLS, SIGNAL, TRADE, State
from backend.domain.trading.state import new_state
from backend.domain.trading.statistics import Missing

Floats = npt.NDArray[np.float64]
Wanted = tuple[Combination, StrategyParameters]

# Trials that are tried in one call: enough to share averages, few enough to hear a cancellation within half a second,
# which is about this many bars traded.
_SHARING: Final = 512
_FEWEST_SHARING: Final = 16
_BARS_A_CALL: Final = 12_500_000
_ALONE: Final = 8
_NONE: Final = np.empty(0)
_NO_CODES: Final = np.empty(0, np.int16)
_CODE_OF: Final = {text: code for code, text in REASONS.items()}


class Trier:
    """Tries parameters on one course."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self._own = local()
        first, start = course.markets[0], course.starts[0]
        closed_at = first.ends[start:] if len(course.markets) == 1 else self._several_ends()
        daily = DailyEquity.of(
            closed_at,
            np.arange(len(closed_at), dtype=np.float64),
            start=0.0,
            calendar=first.instrument.calendar,
            timeframe=first.timeframe,
        )
        self.day_ends = daily.equity.astype(np.int64)
        self.periods_a_year = daily.periods_a_year
        self.edges = edges_of(len(self.day_ends))

    @property
    def block_days(self) -> Floats:
        return np.diff(self.edges).astype(np.float64)

    @property
    def days(self) -> int:
        return len(self.day_ends)

    @property
    def trials_a_call(self) -> int:
        if not (self._is_compiled and issubclass(self.course.strategy, SharesWork)):
            return _ALONE
        return max(_FEWEST_SHARING, min(_SHARING, _BARS_A_CALL // max(len(self.course.markets[0]), 1)))

    def in_order(self, wanted: Iterable[Wanted], *, workers: int | None = None) -> Generator[Batch, None, None]:
        """Batches of trials in the order in which they are wanted, whatever thread ran them."""
        size, left = self.trials_a_call, iter(wanted)
        threads = workers or cores()
        with ThreadPoolExecutor(threads, thread_name_prefix="trials") as pool:
            running: deque[Future[Batch]] = deque()
            try:
                while batch := list(islice(left, size)):
                    running.append(pool.submit(self.run, batch))
                    if len(running) > 2 * threads:
                        yield running.popleft().result()
                while running:
                    yield running.popleft().result()
            finally:
                for future in running:
                    future.cancel()

    def run(self, wanted: Sequence[Wanted]) -> Batch:
        """These trials, in this thread."""
        sheets = _blank_sheets(len(wanted), len(self.block_days))
        failures: dict[int, Exception] = {}
        if self._is_compiled:
            rows, turns = self._asked([parameters for _, parameters in wanted], failures)
            if rows:
                self._try(turns, rows, sheets)
        else:
            for row, (_, parameters) in enumerate(wanted):
                self._run_whole(row, parameters, sheets, failures)
        return Batch(
            combinations=[combination for combination, _ in wanted],
            values=sheets.values,
            why=sheets.why,
            sums=sheets.sums,
            squares=sheets.squares,
            failures=failures,
        )

    @property
    def _is_compiled(self) -> bool:
        return len(self.course.markets) == 1

    # ---- One symbol: what strategies say, and the compiled loop over trials

    def _asked(self, several: Sequence[StrategyParameters], failures: dict[int, Exception]) -> tuple[list[int], Turns]:
        strategy, market = self.course.strategy, self.course.markets[0]
        if issubclass(strategy, SharesWork):
            rows = []
            for row, parameters in enumerate(several):
                needed = strategy(parameters).least_bars()
                if len(market) < needed:
                    failures[row] = NotEnoughHistory(strategy.name, needed=needed, held=len(market))
                else:
                    rows.append(row)
            return rows, strategy.turns(market, [several[row] for row in rows]) if rows else _SILENT
        rows, said = [], []
        for row, parameters in enumerate(several):
            try:
                said.append(signals_of(strategy(parameters), market))
            except TidemarkError as problem:
                failures[row] = problem
            else:
                rows.append(row)
        return rows, Turns.of(said) if said else _SILENT

    def _try(self, turns: Turns, rows: list[int], sheets: Sheets) -> None:
        said = self._said(turns)
        found = sheets
        if len(rows) < len(sheets.values):
            found = _blank_sheets(len(rows), len(self.block_days))
        most = int(np.diff(said.first).max(initial=0))
        at, room = 0, 2 * most + 256
        while True:
            desk, days = self._desk(room)
            at = try_all(self._ground, desk, said, days, found, self.periods_a_year, at)
            if at == len(rows):
                break
            room = 2 * len(desk.state.fills)
        if found is not sheets:
            sheets.values[rows], sheets.why[rows] = found.values, found.why
            sheets.sums[rows], sheets.squares[rows] = found.sums, found.squares

    def _said(self, turns: Turns) -> Said:
        """By the bars of the course, those before it left out."""
        first, rows, start = turns.first, turns.rows, self.course.starts[0]
        direction, columns = turns.direction, dict(turns.columns)
        if start > 0:
            heard = rows >= start
            first = np.concatenate(([0], np.cumsum(heard)))[first]
            rows, direction = rows[heard] - np.int32(start), direction[heard]
            columns = {name: values[heard] for name, values in columns.items()}
        if self._volatility is not None:
            columns["volatility"] = self._volatility[rows]
        given = {name: columns.get(name, _NONE) for name in (*COLUMNS, "volatility")}
        return Said(first, rows, SignalColumns(direction=direction, reason=_NO_CODES, **given))

    @cached_property
    def _bars(self) -> Columns:
        market, start = self.course.markets[0], self.course.starts[0]
        return Columns(
            market.starts[start:],
            *(market.columns[name][start:] for name in ("open", "high", "low", "close", "volume")),
        )

    @cached_property
    def _volatility(self) -> Floats | None:
        trading, market = self.course.trading, self.course.markets[0]
        if trading.sizing.method is not SizingMethod.VOLATILITY:
            return None
        a_year = bars_a_year(market.instrument.calendar, market.timeframe)
        return rolling_volatility(self._bars.close, trading.sizing.volatility_bars, a_year)

    @cached_property
    def _ground(self) -> Ground:
        bars, market = self._bars, self.course.markets[0]
        feed = Feed(
            symbol=market.symbol,
            timeframe=market.timeframe,
            calendar=market.instrument.calendar,
            bars=frame_of(bars.starts, bars._asdict()),
            signals=None,  # type: ignore[arg-type]  # only its shorter bars are asked for
            detail=self.course.detail.get(market.symbol),
        )
        return Ground(bars, extremes(bars.low, False), extremes(bars.high, True), detail_of(feed, bars.starts))

    def _desk(self, room: int) -> tuple[Desk, Days]:
        """This thread's own, with at least so much room for fills."""
        desk: Desk | None = getattr(self._own, "desk", None)
        if desk is None or len(desk.state.fills) < room:
            self._own.desk, self._own.days = self._new_desk(max(room, MOST_FILLS + 1))
        return self._own.desk, self._own.days

    def _new_desk(self, room: int) -> tuple[Desk, Days]:
        market = self.course.markets[0]
        blank, state = (self._state(market.instrument.tick, market.instrument.lot, each) for each in (1, room))
        most_trades = room // 2 + 2
        days = Days(
            ends=self.day_ends,
            closes=self._bars.close[self.day_ends],
            edges=self.edges,
            path=np.empty(self.days + 1),
            returns=np.empty(self.days),
            scratch=np.empty(max(self.days, 2 * most_trades)),
        )
        desk = Desk(
            blank=blank,
            state=state,
            now=np.zeros(1, BAR),
            said=np.zeros(1, SIGNAL),
            trades=np.zeros(most_trades, TRADE),
            under_way=np.zeros(1, TRADE),
        )
        desk.now["present"] = 1
        return desk, days

    def _state(self, tick: float | None, lot: float | None, room: int) -> State:
        known = bool((self._bars.volume > 0).any())
        return new_state(self.course.trading, ticks=[tick], lots=[lot], volumes_known=[known], room=room)

    # ---- Several symbols: whole backtests

    def _several_ends(self) -> npt.NDArray[np.int64]:
        course = self.course
        ends = [market.ends[start:] for market, start in zip(course.markets, course.starts, strict=True)]
        return np.unique(np.concatenate(ends))

    def _run_whole(
        self, row: int, parameters: StrategyParameters, sheets: Sheets, failures: dict[int, Exception]
    ) -> None:
        try:
            analysis = self.course.analyse(self.course.backtest(parameters))
        except TidemarkError as problem:
            failures[row] = problem
            return
        statistics = analysis.statistics
        for name in METRICS:
            value = statistics.number(name)
            sheets.values[row, PLACE[name]] = np.nan if value is None else value
            text = statistics.missing.get(name, "")
            sheets.why[row, PLACE[name]] = 0 if value is not None else _CODE_OF.get(text, OTHER)
        _sum_blocks(analysis.daily, self.edges, sheets, row)


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


_SILENT: Final = Turns(first=np.zeros(1, np.int64), rows=np.empty(0, np.int32), direction=np.empty(0, np.int8))

Report = Callable[[str, float | None, str], None]
Cancelled = Callable[[], bool]
# How many trials are done, of how many, and the best so far.
Told = Callable[[int, int, Best | None], None]


def _blank_sheets(trials: int, blocks: int) -> Sheets:
    why: Codes = np.full((trials, len(METRICS)), FAILED, np.int8)
    return Sheets(np.full((trials, len(METRICS)), np.nan), why, np.zeros((trials, blocks)), np.zeros((trials, blocks)))


def _sum_blocks(daily: DailyEquity, edges: npt.NDArray[np.int64], sheets: Sheets, row: int) -> None:
    if not len(edges):
        return
    try:
        returns = daily.returns
    except Missing:
        return
    sheets.sums[row] = np.add.reduceat(returns, edges[:-1])
    sheets.squares[row] = np.add.reduceat(returns * returns, edges[:-1])
