"""Many parameters at once: sweeps, searches and walks forward, judged by how much of the winner may be luck."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from backend.research.bars import Bars, held_of, source_of
from backend.research.first_time import first_time
from backend.research.named import not_both, strategy_of
from backend.research.running import config_of, run_backtest

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from backend.backtesting.studies import StudyPlan
    from backend.backtesting.trying import Told
    from backend.domain.strategies.base import TradingStrategy
    from backend.research.results import Backtest

    What: TypeAlias = str | Path | type[TradingStrategy] | TradingStrategy
    Held: TypeAlias = Bars | pd.DataFrame | Iterable[Bars]


def sweep(
    strategy: "What",
    bars: "Held",
    ranges: Mapping[str, Any] | None = None,
    *,
    objective: str = "sharpe",
    least_trades: int = 0,
    trials: int | None = None,
    seed: int = 0,
    **options: Any,
) -> "Study":
    """Every combination of some parameters, or `trials` of them by lot.

    >>> from backend.research import load_bars, sweep
    >>> bars = load_bars("demo", "BTC/USDT", "1d", "2021", "2024")
    >>> found = sweep("sma_cross", bars, fast=[5, 10, 20], slow=[50, 100])
    >>> found.judgement["trials"], len(found.to_frame())
    (6, 6)

    An option with several values (a list, a range, {"from", "to", "step"} or "auto") is a parameter that is tried; one
    value fixes a parameter, or is a trading rule as in `backtest`. `ranges` is for names that are both.
    """
    plan = {"objective": objective, "least_trades": least_trades, "trials": trials}
    return _studied("sweep", strategy, bars, ranges, plan, seed=seed, options=options)


def optimize(
    strategy: "What",
    bars: "Held",
    ranges: Mapping[str, Any] | None = None,
    *,
    objective: str = "sharpe",
    least_trades: int = 0,
    trials: int = 100,
    seed: int = 0,
    **options: Any,
) -> "Study":
    """A search that learns where good parameters lie, of so many trials. Options are those of `sweep`."""
    plan = {"objective": objective, "least_trades": least_trades, "trials": trials}
    return _studied("optimize", strategy, bars, ranges, plan, seed=seed, options=options)


def walk_forward(
    strategy: "What",
    bars: "Held",
    ranges: Mapping[str, Any] | None = None,
    *,
    objective: str = "sharpe",
    least_trades: int = 0,
    trials: int | None = None,
    folds: int = 5,
    train: int | None = None,
    test: int | None = None,
    purge: int = 0,
    anchored: bool = False,
    seed: int = 0,
    **options: Any,
) -> "Study":
    """Choose on one window, trade the next, move on. Options are those of `sweep`.

    `train` and `test`, in bars, take the place of `folds`; `purge` bars are left out between them.
    """
    plan = {
        "objective": objective,
        "least_trades": least_trades,
        "trials": trials,
        "folds": folds,
        "train": train,
        "test": test,
        "purge": purge,
        "anchored": anchored,
    }
    return _studied("walk_forward", strategy, bars, ranges, plan, seed=seed, options=options)


class Study:
    """What came of many trials. `document` is all of it as JSON."""

    def __init__(self, document: Mapping[str, Any], again: "Callable[[Mapping[str, Any]], Backtest] | None") -> None:
        self.document = document
        self._again = again

    @property
    def judgement(self) -> Mapping[str, Any]:
        """By name: winner, median, overfitting, deflated_sharpe and so on."""
        values: Mapping[str, Any] = self.document["judgement"]["values"]
        return values

    @property
    def missing(self) -> Mapping[str, str]:
        """Why a figure of the judgement is not there."""
        reasons: Mapping[str, str] = self.document["judgement"]["missing"]
        return reasons

    @property
    def winner(self) -> Mapping[str, Any] | None:
        """The parameters of the best trial, or of the last fold's."""
        if self.document["kind"] == "walk_forward":
            chosen = [fold["parameters"] for fold in self.document["folds"] if fold["parameters"] is not None]
            return chosen[-1] if chosen else None
        best = self.document["winner"]
        return None if best is None else best["parameters"]

    def backtest(self) -> "Backtest":
        """The winner's parameters over all the bars, as a backtest of its own."""
        from backend.domain.backtest_errors import CannotReplay

        if self._again is None:
            raise CannotReplay("This study was read from the disk. Run a backtest with the parameters that it names.")
        if self.winner is None:
            raise CannotReplay("No trial could be ranked, so there is no winner to run.")
        return self._again(self.winner)

    def to_frame(self) -> "pd.DataFrame":
        """The trials in their ranking, at most the first 1,000; of a walk forward its folds."""
        import pandas as pd

        from backend.backtesting.study_words import rows_of_study

        return pd.DataFrame(rows_of_study(self.document))

    def save(self) -> str:
        """Keep it below data_cache/studies; `tidemark backtest show ID` and `open_study` find it there."""
        from backend.bootstrap_research import open_studies

        return open_studies().save(self.document)

    def __repr__(self) -> str:
        from backend.backtesting.study_words import study_summary

        return study_summary(self.document)

    def _repr_html_(self) -> str:
        from backend.backtesting.report.study_page import study_html

        return study_html(self.document)


def open_study(study_id: str) -> Study:
    """A saved study. The beginning of its id is enough."""
    from backend.bootstrap_research import open_studies

    return Study(open_studies().load(study_id), None)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is tried and what stays, each apart; rules that are None keep their default."""

    strategy: "What"
    ranges: Mapping[str, Any]
    parameters: Mapping[str, Any]
    rules: Mapping[str, Any]
    plan: "StudyPlan"
    seed: int


def run_study(kind: str, bars: Sequence[Bars], asked: Asked, *, told: "Told | None" = None) -> Study:
    """Every trial is written into the ledger of this machine."""
    with first_time("study"):
        from backend.backtesting.options import trading_config
        from backend.backtesting.studies import run_study as study
        from backend.backtesting.sweep import untold
        from backend.bootstrap_research import open_ledger, predictions_for

        listed, given = strategy_of(asked.strategy)
        details = {one.symbol: one.detail for one in bars if one.detail is not None}
        lengths = [detail.series.timeframe for detail in details.values()]
        trading = trading_config({"detail": next(iter(lengths), None), **asked.rules})
        config = config_of(listed.name, {**given, **asked.parameters}, bars, trading, asked.seed)
        document = study(
            kind,
            config,
            asked.ranges,
            [one.loaded for one in bars],
            listed,
            plan=asked.plan,
            details=details,
            ledger=open_ledger(),
            told=told or untold,
            predictions=predictions_for(listed),
        )

    def again(winner: Mapping[str, Any]) -> "Backtest":
        return run_backtest(asked.strategy, bars, {**config.parameters, **winner}, asked.rules, seed=asked.seed)

    kept = {"id": None, "saved_at": None, **document}
    return Study({**kept, "config": config.model_dump(mode="json"), "source": asdict(source_of(bars))}, again)


def _studied(
    kind: str, strategy: "What", bars: "Held", ranges: Mapping[str, Any] | None, plan: Mapping[str, Any], **told: Any
) -> Study:
    with first_time("study"):
        from backend.backtesting.options import OPTIONS
        from backend.research.plans import checked_plan
        from backend.research.refusing import by_name

        held = held_of(bars)
        options: Mapping[str, Any] = told["options"]
        rules = {name: value for name, value in options.items() if name in OPTIONS}
        not_both(strategy_of(strategy)[0], rules)
        free = {name: value for name, value in options.items() if name not in OPTIONS}
        tried = {**{name: value for name, value in free.items() if _is_range(value)}, **by_name("ranges", ranges)}
        asked = Asked(
            strategy=strategy,
            ranges={name: _listed(value) for name, value in tried.items()},
            parameters={name: value for name, value in free.items() if not _is_range(value)},
            rules=rules,
            plan=checked_plan(plan),
            seed=told["seed"],
        )
    return run_study(kind, held, asked)


def _is_range(value: Any) -> bool:
    return value == "auto" if isinstance(value, str) else isinstance(value, Iterable)


def _listed(value: Any) -> Any:
    """Numbers of numpy and of ranges as plain ones."""
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return value
    return [each.item() if hasattr(each, "item") else each for each in value]
