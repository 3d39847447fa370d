"""`tidemark backtest sweep|optimize|walk-forward`: many parameters, and how much of the best may be luck."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.backtest.choices import AsJson, FailUnder, Seed, SeriesChoice, Strategy, TradingRules
from backend.cli.backtest.problems import gates_of, judge, problems
from backend.cli.backtest.ranges import ranges_of
from backend.cli.option_groups import with_groups

if TYPE_CHECKING:
    from backend.backtesting.trials import Best

Ranges = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", help="NAME=5:50:5, NAME=10,20 or NAME=auto is tried; NAME=VALUE stays."),
]
_EVERY_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What all three take."""

    strategy: Strategy
    param: Ranges = None
    objective: Annotated[str, typer.Option("--objective", help="sharpe, sortino, calmar, total_return, ...")] = "sharpe"
    least_trades: Annotated[int, typer.Option("--least-trades", min=0, help="A trial with fewer comes last.")] = 0
    seed: Seed = 0
    save: Annotated[bool, typer.Option("--save", help="Keep it, to show it later.")] = False
    fail_under: FailUnder = None
    as_json: AsJson = False


@with_groups
def sweep(
    *,
    wanted: Wanted,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="So many by lot. Default: all.")] = None,
    series: SeriesChoice,
    rules: TradingRules,
) -> None:
    """Try every combination of some parameters, and say how much of the best may be luck."""
    _study("sweep", wanted, series, rules, trials=trials)


@with_groups
def optimize(
    *,
    wanted: Wanted,
    trials: Annotated[int, typer.Option("--trials", min=1, help="So many at most.")] = 100,
    series: SeriesChoice,
    rules: TradingRules,
) -> None:
    """Search for good parameters with few trials: a search that learns where they lie."""
    _study("optimize", wanted, series, rules, trials=trials)


@with_groups
def walk_forward(
    *,
    wanted: Wanted,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="In each fold, by lot. Default: all.")] = None,
    folds: Annotated[int, typer.Option("--folds", min=1, max=200, help="Windows that are traded.")] = 5,
    train: Annotated[int | None, typer.Option("--train", min=2, help="Bars to choose on, with --test.")] = None,
    test: Annotated[int | None, typer.Option("--test", min=2, help="Bars to trade, in place of --folds.")] = None,
    purge: Annotated[int, typer.Option("--purge", min=0, help="Bars between choosing and trading.")] = 0,
    anchored: Annotated[bool, typer.Option("--anchored", help="Every fold begins at the first bar.")] = False,
    series: SeriesChoice,
    rules: TradingRules,
) -> None:
    """Choose parameters on one window, trade them on the next, and move on: what choosing was worth."""
    windows = {"folds": folds, "train": train, "test": test, "purge": purge, "anchored": anchored}
    _study("walk_forward", wanted, series, rules, trials=trials, **windows)


def _study(kind: str, wanted: Wanted, series: SeriesChoice, rules: TradingRules, **plan: Any) -> None:
    from backend.cli.terminal import say

    with problems():
        tried, fixed = ranges_of(wanted.param)
        from backend.backtesting.study_words import JUDGED
        from backend.backtesting.wording import KNOWN_FIGURES

        gates = gates_of(wanted.fail_under, (*JUDGED, *KNOWN_FIGURES))
        from backend.research.plans import checked_plan
        from backend.research.studying import Asked, open_study, run_study

        asked = Asked(
            strategy=wanted.strategy,
            ranges=tried,
            parameters=fixed,
            rules=asdict(rules),
            plan=checked_plan({"objective": wanted.objective, "least_trades": wanted.least_trades, **plan}),
            seed=wanted.seed,
        )
        bars = series.load()
        with _Progress(wanted.objective) as told:
            found = run_study(kind, bars, asked, told=told)
        if wanted.save:
            found = open_study(found.save())
            say(f"Saved as {found.document['id']}.")
    print_study(found.document, wanted.as_json)
    judge(*_judged(found.document), gates)


def print_study(document: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(document, indent=2, allow_nan=False))
        return
    from backend.backtesting.study_words import study_summary
    from backend.cli.terminal import clean

    print(clean(study_summary(document)))


def _judged(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What gates may ask for: the judgement, and the figures of the winner or of the account out of sample."""
    figures = document.get("statistics") or {}
    winner = (document.get("winner") or {}).get("metrics", {})
    judgement = document["judgement"]
    values = {**winner, **figures.get("values", {}), **judgement["values"]}
    return values, {**figures.get("missing", {}), **judgement["missing"]}


class _Progress:
    """A line on a terminal that is written over; into a pipe a line now and then."""

    def __init__(self, objective: str) -> None:
        from backend.cli.terminal import is_plain

        self._objective = objective
        self._is_plain = is_plain(sys.stderr)
        self._said_at = 0.0
        self._length = 0

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._length:
            print(f"\r{' ' * self._length}\r", end="", file=sys.stderr, flush=True)

    def __call__(self, done: int, of: int, best: "Best | None") -> None:
        now = time.monotonic()
        if done < of and now - self._said_at < _EVERY_SECONDS * (10 if self._is_plain else 1):
            return
        self._said_at = now
        from backend.backtesting.wording import kind_of, written

        value = "" if best is None else f", best {written(best.value, kind_of(self._objective), '')}"
        words = f"{done:,} of {of:,} trials{value}"
        if self._is_plain:
            print(words, file=sys.stderr, flush=True)
        else:
            print(f"\r{words:<{self._length}}", end="", file=sys.stderr, flush=True)
            self._length = len(words)
