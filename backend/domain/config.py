"""What a run is made of, as it is stored with its result: money, costs, sizing, and how orders are filled.

Percentages are what people write (2.0 is 2 %), costs are in basis points (10 bps is 0.1 %).
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.domain.market import Adjustment, Timeframe

_Bps = Annotated[float, Field(ge=0, le=5_000, allow_inf_nan=False)]
_Percent = Annotated[float, Field(gt=0, le=1_000, allow_inf_nan=False)]
_StopPercent = Annotated[float, Field(gt=0, lt=100, allow_inf_nan=False)]
_Money = Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)]


class _Config(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sides(StrEnum):
    """Which way may be traded. A signal of a way that may not be means: be out."""

    LONG = "long"
    SHORT = "short"
    BOTH = "both"


class IntrabarMode(StrEnum):
    """What is assumed where a bar hides the order of its prices."""

    PESSIMISTIC = "pessimistic"  # the worse came first; targets and limits must be traded through
    NEUTRAL = "neutral"  # what is nearer to the open came first
    OPTIMISTIC = "optimistic"  # the better came first; a touch fills targets and limits


class Remainder(StrEnum):
    """What becomes of the part of an order that a bar's volume did not fill."""

    CARRY = "carry"
    CANCEL = "cancel"


class SizingMethod(StrEnum):
    """How much an entry buys or sells."""

    ALL_IN = "all_in"  # all that the account may spend
    FRACTION = "fraction"  # `percent` of equity
    NOTIONAL = "notional"  # for `amount` of money
    QUANTITY = "quantity"  # `amount` of units
    VOLATILITY = "volatility"  # so that the position's yearly volatility is `percent` of equity
    RISK = "risk"  # so that the way to the stop loses `percent` of equity


class CostModel(_Config):
    """What trading costs."""

    maker_bps: _Bps = Field(default=10.0, description="Fee for limits and targets, in basis points of the value")
    taker_bps: _Bps = Field(default=10.0, description="Fee for market orders and stops, in basis points of the value")
    minimum_fee: float = Field(default=0.0, ge=0, le=1e6, allow_inf_nan=False, description="The least fee of an order")
    slippage_bps: _Bps = Field(default=0.0, description="How much worse than the price market orders and stops fill")
    spread_bps: _Bps = Field(default=0.0, description="The whole spread; market orders and stops pay half of it")
    impact_bps: _Bps = Field(
        default=0.0, description="Slippage of an order as large as the bar's volume; it grows with the square root"
    )
    borrow_percent_a_year: float = Field(
        default=0.0, ge=0, le=1_000, allow_inf_nan=False, description="Interest on what is sold short or owed in cash"
    )


class Sizing(_Config):
    """How much an entry buys or sells. Which of `percent` and `amount` is needed depends on the method."""

    method: SizingMethod = SizingMethod.ALL_IN
    percent: _Percent | None = Field(default=None, description="Of equity: for fraction, volatility and risk")
    amount: _Money | None = Field(default=None, description="Money for notional, units for quantity")
    volatility_bars: int = Field(default=20, ge=2, le=10_000, description="How many bars volatility is measured over")

    @model_validator(mode="after")
    def _has_its_number(self) -> Self:
        wanted = {
            SizingMethod.FRACTION: "percent",
            SizingMethod.VOLATILITY: "percent",
            SizingMethod.RISK: "percent",
            SizingMethod.NOTIONAL: "amount",
            SizingMethod.QUANTITY: "amount",
        }.get(self.method)
        for name in ("percent", "amount"):
            if name == wanted and getattr(self, name) is None:
                raise ValueError(f"sizing by {self.method} needs {name}")
            if name != wanted and getattr(self, name) is not None:
                raise ValueError(f"sizing by {self.method} takes no {name}")
        return self


class ExecutionRules(_Config):
    """How orders become fills."""

    sides: Sides = Sides.LONG
    intrabar: IntrabarMode = IntrabarMode.PESSIMISTIC
    detail: Timeframe | None = Field(default=None, description="Shorter bars that decide what came first inside a bar")
    limit_life_bars: int | None = Field(
        default=None, ge=1, le=1_000_000, description="A limit order not filled after so many bars is cancelled"
    )
    # For positions whose signal brings none of its own.
    stop_percent: _StopPercent | None = Field(default=None, description="Stop, this far from the fill")
    target_percent: _Percent | None = Field(default=None, description="Target, this far from the fill")
    trail_percent: _StopPercent | None = Field(default=None, description="Stop, this far from the best price since")
    volume_percent: float | None = Field(
        default=None,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="At most so much of a bar's volume; none = no limit",
    )
    remainder: Remainder = Remainder.CARRY
    leverage: float = Field(default=1.0, gt=0, le=100, allow_inf_nan=False, description="Positions to equity, at most")
    most_positions: int | None = Field(default=None, ge=1, le=10_000, description="Open at the same time, at most")


class TradingConfig(_Config):
    """All that decides which fills given bars and signals lead to."""

    cash: _Money = 100_000.0
    costs: CostModel = CostModel()
    sizing: Sizing = Sizing()
    execution: ExecutionRules = ExecutionRules()


class SeriesConfig(_Config):
    """Which bars."""

    provider: str
    symbol: str
    timeframe: Timeframe
    adjustment: Adjustment = Adjustment.RAW


class RunConfig(_Config):
    """One backtest: a strategy with its parameters on some bars. `model_dump(mode="json")` is its stored form."""

    strategy: str = Field(min_length=1, max_length=100)
    parameters: dict[str, Any] = Field(default_factory=dict)
    series: tuple[SeriesConfig, ...] = Field(min_length=1, max_length=500)
    start: datetime | None = Field(default=None, description="The first bar; none = as far back as there are bars")
    end: datetime | None = Field(default=None, description="Up to, not including; none = to the last bar")
    trading: TradingConfig = TradingConfig()
    seed: int = Field(default=0, ge=0, lt=2**32, description="For what is drawn by lot, such as the bootstrap")

    @model_validator(mode="after")
    def _is_about_some_time(self) -> Self:
        for moment in (self.start, self.end):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"{moment.isoformat()} has no time zone; write it as {moment.isoformat()}Z")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ValueError(f"the end, {self.end.isoformat()}, is not after the start, {self.start.isoformat()}")
        return self
