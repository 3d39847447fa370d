"""The trust panel: what a sceptic would ask of a result, each answered by a verdict, a sentence and its numbers."""

from collections.abc import Callable, Collection, Sequence
from typing import Final

from backend.backtesting import cost_checks, luck_checks, signal_checks
from backend.backtesting.examined import Examined, Family, Finding
from backend.backtesting.fill_band import fill_band
from backend.backtesting.luck_checks import daily_sharpe
from backend.backtesting.suspicion import THOROUGH_POINTS
from backend.backtesting.verdicts import Band, Check, Trust, Verdict
from backend.domain.errors import InputError, InvalidInput, TidemarkError
from backend.domain.market import Span
from backend.domain.market_errors import UnknownMarketData
from backend.domain.market_ports import Loaded, TradingCalendar
from backend.domain.quality import Quality, inspect
from backend.domain.trading.statistics import Missing

__all__ = ["Band", "Check", "Examined", "Family", "Trust", "Verdict", "daily_sharpe", "examine", "quality_of"]

# How often a strategy is asked about less history (else the fewer the longer that is), and how many histories in random
# order it trades.
_SAMPLED: Final = (None, 19)
_THOROUGH: Final = (THOROUGH_POINTS, 199)


def quality_of(histories: Sequence[Loaded], calendar: TradingCalendar) -> tuple[Quality, ...]:
    """Each history against its market's calendar; none when nobody knows one of the calendars."""
    try:
        return tuple(_quality(one, calendar) for one in histories)
    except UnknownMarketData:
        return ()


def _quality(history: Loaded, calendar: TradingCalendar) -> Quality:
    ts, timeframe = history.bars["ts"], history.series.timeframe
    span = Span(start=ts.iloc[0].to_pydatetime(), end=ts.iloc[-1].to_pydatetime() + timeframe.length)
    return inspect(history.bars, calendar.expected_starts(history.instrument.calendar, timeframe, span), timeframe)


def examine(run: Examined, *, thorough: bool = False, only: Collection[str] = ()) -> Trust:
    """Sampled by default, which costs some runs; thorough asks a strategy hundreds of times.

    `only` some checks, by their codes; the others are left out. Raises InvalidInput for a code that there is not.
    """
    band = fill_band(run.feeds, run.result) if not only or {"band", "break_even"} & set(only) else ()
    points, shuffles = _THOROUGH if thorough else _SAMPLED
    asked: list[tuple[str, str, Callable[[], Finding]]] = [
        ("look_ahead", "Look-ahead", lambda: signal_checks.look_ahead(run, points)),
        ("recursive", "Memory", lambda: signal_checks.recursive(run)),
        ("shuffled", "Order of the bars", lambda: signal_checks.shuffled(run, shuffles)),
        ("gaps", "Gaps in the data", lambda: signal_checks.gaps(run)),
        ("trades", "Number of trades", lambda: luck_checks.trades(run)),
        ("few_trades", "Profit of few trades", lambda: luck_checks.few_trades(run)),
        ("costs", "Costs", lambda: cost_checks.costs(run)),
        ("break_even", "Break-even cost", lambda: cost_checks.break_even(run, band)),
        ("band", "Fills and costs", lambda: cost_checks.fills(band)),
        ("interval", "Sharpe ratio's interval", lambda: luck_checks.interval(run)),
        ("deflated", "Trials and luck", lambda: luck_checks.deflated(run)),
        ("length", "Length of the test", lambda: luck_checks.length(run)),
    ]
    codes = [code for code, _, _ in asked]
    if unknown := [code for code in only if code not in codes]:
        detail = f"There is no check '{unknown[0]}'. There are: {', '.join(codes)}."
        raise InvalidInput([InputError(pointer="/codes", detail=detail)], detail)
    chosen = [each for each in asked if not only or each[0] in only]
    return Trust(checks=tuple(_answered(*each) for each in chosen), band=band, thorough=thorough)


def _answered(code: str, title: str, ask: Callable[[], Finding]) -> Check:
    try:
        verdict, sentence, facts = ask()
    except Missing as reason:
        verdict, sentence, facts = Verdict.UNKNOWN, str(reason), {}
    except TidemarkError as problem:
        verdict, sentence, facts = Verdict.UNKNOWN, f"It could not be asked: {problem}", {}
    return Check(code=code, title=title, verdict=verdict, sentence=sentence, facts=facts)
