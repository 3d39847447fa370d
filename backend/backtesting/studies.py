"""Sweeps, searches and walks forward as jobs: stored forms and bars in, one plain JSON document out.

The command line, notebooks and the runner's children all call `run_study`.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.backtesting.course import Course
from backend.backtesting.ledger import Ledger
from backend.backtesting.objectives import Objective
from backend.backtesting.optimisation import Optimisation
from backend.backtesting.run import check_together, markets_of
from backend.backtesting.search import search
from backend.backtesting.space import ParameterSpace
from backend.backtesting.study_documents import found_document, walked_document
from backend.backtesting.sweep import never, sweep, untold
from backend.backtesting.trying import Cancelled, Told
from backend.backtesting.walk_forward import WalkForward, count_windows, plan, walk_forward
from backend.domain.config import RunConfig
from backend.domain.market_ports import Loaded
from backend.domain.optimisation_errors import CannotWalkForward
from backend.domain.strategies.market import Predictions
from backend.domain.strategies.registry import Listed

MOST_FOLDS: Final = 200
USUAL_SEARCH: Final = 100
USUAL_FOLDS: Final = 5
# Each fold chooses on so many times the bars that it trades.
_TRAIN_TIMES: Final = 3


class StudyKind(StrEnum):
    """Ways to try many parameters."""

    SWEEP = "sweep"  # every combination, or `trials` of them by lot
    OPTIMIZE = "optimize"  # a search that learns, of `trials` trials
    WALK_FORWARD = "walk_forward"  # a sweep in each fold, its winner traded on the bars after


class StudyPlan(BaseModel):
    """How a study goes about it, as it is stored. What is left out is usual; what a kind does not need is ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: str = "sharpe"
    least_trades: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    trials: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    folds: Annotated[int, Field(ge=1, le=MOST_FOLDS)] = USUAL_FOLDS
    train: Annotated[int, Field(ge=2)] | None = None  # in bars, in place of `folds`
    test: Annotated[int, Field(ge=2)] | None = None
    purge: Annotated[int, Field(ge=0)] = 0  # bars left out between choosing and trading
    anchored: bool = False  # every fold begins at the first bar

    @model_validator(mode="after")
    def _both_lengths(self) -> Self:
        if (self.train is None) != (self.test is None):
            raise ValueError("train and test belong together: give both, or folds")
        return self


USUAL: Final = StudyPlan()


def run_study(
    kind: StudyKind | str,
    config: RunConfig,
    space: Mapping[str, Any],
    histories: Sequence[Loaded],
    listed: Listed,
    *,
    plan: StudyPlan = USUAL,
    details: Mapping[str, Loaded] = MappingProxyType({}),
    ledger: Ledger | None = None,
    workers: int | None = None,
    told: Told = untold,
    is_cancelled: Cancelled = never,
    predictions: Predictions | None = None,
) -> dict[str, Any]:
    """Try the parameters of `space` over the bars of the config's series; the document says what came of it.

    `config.parameters` stay as they are, except those in `space`: a list of values, {"from", "to", "step"}, or "auto"
    for each. `config.seed` decides what is drawn by lot. `told(done, of, best)` hears how many trials are done, of how
    many, and the best so far (parameters and value, of the fold under way when walking forward), always from the
    calling thread. `is_cancelled` is asked between batches of trials; what there is by then comes back and says
    so (`is_cancelled`). The document is at most about a megabyte however many trials there were; its shapes are
    OptimisationDocument and WalkForwardDocument of `study_documents`. Strategies that ask models get `predictions`.

    Raises what a person can act on: InvalidSpace, UnknownObjective, NothingToTry, TooManyTrials, CannotWalkForward,
    CannotReplay, NotEnoughHistory, StrategyFailed, BadSignals.
    """
    found = study(
        kind,
        config,
        space,
        histories,
        listed,
        plan=plan,
        details=details,
        ledger=ledger,
        workers=workers,
        told=told,
        is_cancelled=is_cancelled,
        predictions=predictions,
    )
    return walked_document(found) if isinstance(found, WalkForward) else found_document(found)


def study(
    kind: StudyKind | str,
    config: RunConfig,
    space: Mapping[str, Any],
    histories: Sequence[Loaded],
    listed: Listed,
    *,
    plan: StudyPlan = USUAL,
    details: Mapping[str, Loaded] = MappingProxyType({}),
    ledger: Ledger | None = None,
    workers: int | None = None,
    told: Told = untold,
    is_cancelled: Cancelled = never,
    predictions: Predictions | None = None,
) -> Optimisation | WalkForward:
    """The same with the results themselves in place of their document."""
    kind = StudyKind(kind)
    check_together(histories, details, config)
    tried = space_of(listed, config, space)
    objective = Objective.named(plan.objective, least_trades=plan.least_trades)
    course = Course(
        strategy=listed.strategy,
        markets=tuple(markets_of(histories, predictions)),
        trading=config.trading,
        detail={symbol: detail.bars for symbol, detail in details.items()},
        hashes={one.series.symbol: one.content_hash for one in histories},
    )
    how: dict[str, Any] = {"seed": config.seed, "ledger": ledger, "told": told, "is_cancelled": is_cancelled}
    match kind:
        case StudyKind.SWEEP:
            return sweep(course, tried, objective, draw=plan.trials, workers=workers, **how)
        case StudyKind.OPTIMIZE:
            return search(course, tried, objective, trials=plan.trials or USUAL_SEARCH, **how)
        case StudyKind.WALK_FORWARD:
            train, test = windows_of(plan, bars=len(course.timeline))
            how |= {"purge": plan.purge, "anchored": plan.anchored, "draw": plan.trials, "workers": workers}
            return walk_forward(course, tried, objective, train=train, test=test, **how)


def space_of(listed: Listed, config: RunConfig, space: Mapping[str, Any], *, at: str = "/space") -> ParameterSpace:
    """What would be tried: `.combinations` says how much that is. Raises InvalidSpace, with pointers below `at`."""
    fixed = {name: value for name, value in config.parameters.items() if name not in space}
    return ParameterSpace.of(listed.strategy, space, fixed=fixed, at=at)


def windows_of(asked: StudyPlan, *, bars: int) -> tuple[int, int]:
    """How many bars each fold chooses on and trades. Raises CannotWalkForward."""
    if asked.train is not None and asked.test is not None:
        train, test = asked.train, asked.test
    else:
        test = (bars - asked.purge) // (asked.folds + _TRAIN_TIMES)
        train = bars - asked.purge - asked.folds * test
        if test < 2:
            raise CannotWalkForward(
                f"{bars:,} bars are too few for {asked.folds:,} folds. Choose fewer folds or a longer range."
            )
    folds = count_windows(bars, train=train, test=test, purge=asked.purge)
    if folds > MOST_FOLDS:
        raise CannotWalkForward(
            f"Windows of {train:,} and {test:,} bars make {folds:,} folds of {bars:,} bars; at most {MOST_FOLDS} are"
            " possible. Choose a longer test."
        )
    plan(bars, train=train, test=test, purge=asked.purge, anchored=asked.anchored)  # raises where not one fits
    return train, test
