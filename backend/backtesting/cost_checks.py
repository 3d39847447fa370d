"""Would anything be left? What costs took, at which costs nothing is left, and what other fills make of it."""

from collections.abc import Sequence
from typing import Final

from backend.backtesting.break_even import MOST_BPS, break_even_bps, side_bps
from backend.backtesting.examined import Examined, Finding, figure
from backend.backtesting.verdicts import Band, Verdict
from backend.domain import format as say
from backend.domain.trading.statistics import Missing

HIGH_COSTS: Final = 0.5


def costs(run: Examined) -> Finding:
    share = figure(run, "costs_of_gross_profit")
    words = f"Fees, slippage and interest took {say.percent(share, 0)} of the profit before costs."
    return (Verdict.GOOD if share <= HIGH_COSTS else Verdict.DOUBTFUL), words, {"share": share}


def break_even(run: Examined, band: Sequence[Band]) -> Finding:
    if not len(run.result.trades):
        raise Missing("There is no trade, so nothing was paid.")
    bps, own = break_even_bps(run.feeds, run.result, band), side_bps(run.result.config.costs)
    if bps is None:
        return Verdict.BAD, "It loses even without any costs.", {"supposed_bps": own}
    facts = {"bps": bps, "supposed_bps": own}
    supposed = f"this run supposes {say.bps(own)} for market orders"
    if bps >= MOST_BPS:
        return Verdict.GOOD, f"Something would be left even at costs of {say.bps(bps)} a side; {supposed}.", facts
    words = f"Traded again at costs of {say.bps(bps)} a side nothing would be left; {supposed}."
    verdict = Verdict.GOOD if bps >= 2 * own and bps >= 1 else Verdict.DOUBTFUL if bps >= own else Verdict.BAD
    return verdict, words, facts


def fills(band: Sequence[Band]) -> Finding:
    returns = [one.total_return for one in band]
    low, high = min(returns), max(returns)
    facts = {"low": low, "high": high}
    words = (
        "From the kindest fills to costs three times as high, the return lies between"
        f" {say.change(high, 1)} and {say.change(low, 1)}."
    )
    verdict = Verdict.GOOD if low > 0 else Verdict.DOUBTFUL if high > 0 else Verdict.BAD
    return verdict, words, facts
