"""What is asked of a model: the question, how it is judged, and how it learns. Its stored form is a form for people."""

from enum import StrEnum
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# A file of about 11 MB, which takes 20 MB in the memory of the server that asks it.
MOST_LEAVES: Final = 100_000


class LabelKind(StrEnum):
    """What counts as up. The order is entered at the next bar's open in either case."""

    DIRECTION = "direction"  # the open `horizon` bars after the entry is above it
    TRIPLE_BARRIER = "triple_barrier"  # the upper barrier is touched first; at the horizon the sign decides


def _setting(default: Any, *, title: str, description: str, unit: str = "", **bounds: Any) -> Any:
    return Field(
        default,
        title=title,
        description=description,
        json_schema_extra={"unit": unit} if unit else None,
        **bounds,
    )


class ModelSpec(BaseModel):
    """All that a model is made from besides bars. The same spec, bars and seed give the same model, byte for byte."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    horizon: int = _setting(
        12, title="Horizon", description="How many bars ahead is predicted", unit="bars", ge=1, le=2_000
    )
    label: LabelKind = _setting(
        LabelKind.DIRECTION, title="Label", description="Up by the end of the horizon, or at the barrier touched first"
    )
    barrier: float = _setting(
        1.0,
        title="Barrier",
        description="Distance of both barriers, in volatilities over the horizon; for the triple barrier only",
        unit="volatilities",
        gt=0,
        le=20,
    )
    folds: int = _setting(
        5, title="Folds", description="How often it is tried on bars that come after its training", ge=2, le=20
    )
    embargo: int | None = _setting(
        None,
        title="Embargo",
        description="Bars left out between training and what comes after, besides the horizon; none = the horizon",
        unit="bars",
        ge=0,
        le=5_000,
    )
    rounds: int = _setting(200, title="Rounds", description="Trees at most", ge=5, le=2_000)
    patience: int = _setting(
        30, title="Patience", description="So many rounds without a better loss end it", unit="rounds", ge=2, le=500
    )
    learning_rate: float = _setting(0.05, title="Learning rate", description="The weight of each tree", gt=0, le=1)
    leaves: int = _setting(15, title="Leaves", description="Of each tree, at most", ge=2, le=255)
    least_in_leaf: int = _setting(
        100, title="Bars in a leaf", description="At least so many", unit="bars", ge=5, le=100_000
    )
    cost_bps: float = _setting(
        15.0,
        title="Costs",
        description="Fees and slippage of one order, taken off the returns of deciles at entry and exit",
        unit="bps",
        ge=0,
        le=1_000,
    )
    seed: int = _setting(7, title="Seed", description="For what is drawn by lot", ge=0, lt=2**31)

    @model_validator(mode="after")
    def _stays_small(self) -> Self:
        most = self.rounds * self.leaves
        if most > MOST_LEAVES:
            raise ValueError(
                f"{self.rounds:,} rounds of {self.leaves:,} leaves are {most:,} leaves; a model has at most"
                f" {MOST_LEAVES:,}"
            )
        return self

    @model_validator(mode="after")
    def _keeps_apart(self) -> Self:
        if self.embargo is not None and self.embargo < self.horizon:
            raise ValueError(f"an embargo of {self.embargo} bars is shorter than the horizon, {self.horizon} bars")
        return self

    @property
    def gap(self) -> int:
        """Bars between the last one that is learned from and the first one that is predicted."""
        return self.horizon + (self.horizon if self.embargo is None else self.embargo)

    @property
    def question(self) -> str:
        """Two models with the same question about the same series can be compared."""
        asked = f"{self.label}:{self.horizon}"
        return f"{asked}:{self.barrier:g}" if self.label is LabelKind.TRIPLE_BARRIER else asked
