"""A saved backtest made again, beside what it was."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backend.research.bars import load_again
from backend.research.named import place_of
from backend.research.results import Backtest, open_backtest

if TYPE_CHECKING:
    import pandas as pd


def replay(run_id: str) -> "Replay":
    """Run a saved backtest again, from the same sources, and compare.

    `same` says whether every trade and the equity of every bar are equal; `changes` names the inputs that differ.
    """
    from backend.backtesting.manifest import changes, manifest_of
    from backend.backtesting.run import run
    from backend.bootstrap_research import find_strategy, predictions_for

    before = open_backtest(run_id)
    config, source = before.record.config, before.record.source
    listed = find_strategy(place_of(before.record))
    held = load_again(config, source)
    done = run(
        config,
        [one.loaded for one in held],
        listed,
        details={one.symbol: one.detail for one in held if one.detail is not None},
        predictions=predictions_for(listed),
    )
    then, now = before.record.manifest, manifest_of(done)
    return Replay(before, Backtest.of(done, source), changes(then, now), then["outcome"] == now["outcome"])


class Replay:
    """A backtest made again, beside what it was."""

    def __init__(self, before: Backtest, now: Backtest, changes: Sequence[str], same: bool) -> None:
        self.before, self.now, self.changes, self.same = before, now, tuple(changes), same

    @property
    def verdict(self) -> str:
        trades = len(self.now.trades)
        if self.same and not self.changes:
            return f"The same inputs gave the same {trades:,} trades and the same equity at every bar."
        changed = "\n".join(self.changes)
        if self.same:
            return f"The {trades:,} trades and the equity are the same, although something changed:\n{changed}"
        first = _first_difference(self.before.trades, self.now.trades)
        if not self.changes:
            changed = "No input changed. Another processor or version of numpy or numba may round otherwise."
        return f"The trades are not the same. {first}\n{changed}"


def _first_difference(before: "pd.DataFrame", now: "pd.DataFrame") -> str:
    for row in range(min(len(before), len(now))):
        for name in ("symbol", "side", "entry_time", "exit_time", "quantity", "entry_price", "exit_price", "pnl"):
            then, today = before[name].iloc[row], now[name].iloc[row]
            if then != today:
                return f"The first difference is in trade {row + 1:,}: {name} was {then} and is {today}."
    if len(before) != len(now):
        return f"There were {len(before):,} trades, now there are {len(now):,}; those that both have are equal."
    return "All trades are equal; the equity between them is not."
