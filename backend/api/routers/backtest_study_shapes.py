"""What the API of sweeps, searches and walks forward takes and says, with examples."""

from typing import Any, Self

from pydantic import Field, model_validator

from backend.api.routers.backtest_shapes import (
    ESTIMATE,
    STARTED,
    TRADES,
    WANTED,
    BacktestStarted,
    Name,
    RunEstimate,
    RunWanted,
    Tags,
)
from backend.domain.jobs import JobKind


class StudyWanted(RunWanted):
    """A run whose parameters are tried out. Those in `space` take the place of the ones in `parameters`."""

    space: dict[str, Any] = Field(
        min_length=1,
        max_length=20,
        description=(
            'By parameter: a list of values, {"from", "to", "step"}, or "auto". A number in rules is named by where it'
            " stands, such as `long.enter.right.parameters.period`."
        ),
    )
    objective: str = Field(default="sharpe", max_length=60, description="The metric that trials are ranked by.")
    least_trades: int = Field(default=0, ge=0, le=1_000_000, description="With fewer a trial is not ranked.")
    trials: int | None = Field(
        default=None, ge=1, le=1_000_000, description="So many by lot; of a search, in all. Left out = all, or 100."
    )
    name: Name | None = None
    tags: Tags = Field(default_factory=list)

    def how(self) -> dict[str, Any]:
        """As the study keeps it."""
        return {"objective": self.objective, "least_trades": self.least_trades, "trials": self.trials}


class WalkForwardWanted(StudyWanted):
    """In each fold all combinations are tried, and the winner trades the bars after it."""

    folds: int = Field(default=5, ge=1, le=200)
    train: int | None = Field(default=None, ge=2, description="In bars, with `test`, in place of `folds`.")
    test: int | None = Field(default=None, ge=2)
    purge: int = Field(default=0, ge=0, description="Bars left out between choosing and trading.")
    anchored: bool = Field(default=False, description="Every fold begins at the first bar.")

    @model_validator(mode="after")
    def _both_lengths(self) -> Self:
        if (self.train is None) != (self.test is None):
            raise ValueError("train and test belong together: give both, or folds")
        return self

    def how(self) -> dict[str, Any]:
        names = ("folds", "train", "test", "purge", "anchored")
        return {**super().how(), **{name: getattr(self, name) for name in names}}


class StudyStarted(BacktestStarted):
    """A queued study."""

    trials: int = Field(description="So many runs it makes at most.")


class StudyEstimate(RunEstimate):
    """What a study takes, before it starts."""

    trials: int = Field(description="So many runs it makes at most.")


STUDY: dict[str, Any] = {**WANTED, "space": {"fast": {"from": 5, "to": 50, "step": 5}, "slow": [50, 100, 200]}}
WALK = {**STUDY, "folds": 5}
STUDY_STARTED = StudyStarted(
    **STARTED.model_copy(update={"kind": JobKind.SWEEP, "name": "Sweep of sma_cross on BTC/USDT, 1h"}).model_dump(),
    trials=30,
)
STUDY_ESTIMATE = StudyEstimate(**ESTIMATE.model_dump(), trials=30)
TRIALS = TRADES.model_copy(
    update={
        "total": 30,
        "columns": {
            "number": [12],
            "value": [1.04],
            "parameter.fast": [15],
            "parameter.slow": [50],
            "metric.trades": [87],
        },
    }
)
