"""What the API says when backtests are compared and a trade is explained, with examples."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.api.routers.backtest_shapes import BACKTEST_ID, CHART
from backend.domain.backtests import MOST_COMPARED


class Comparison(BaseModel):
    """Which finished backtests to lay side by side; differences are between the first and each of the others."""

    model_config = ConfigDict(extra="forbid")

    ids: list[UUID] = Field(min_length=2, max_length=MOST_COMPARED)
    seed: int = Field(default=0, ge=0, lt=2**32, description="Of the drawn histories behind the intervals.")


class RunCompared(BaseModel):
    """A run as the comparison names it."""

    id: UUID
    name: str
    strategy: str
    symbols: list[str]
    timeframe: str
    currency: str
    days: int


class MetricCompared(BaseModel):
    """One statistic of each run; `missing` says why there is none."""

    name: str
    values: list[float | int | str | None]
    missing: list[str | None]
    differs: bool


class SettingCompared(BaseModel):
    """A part of the form that is not the same in all."""

    path: str = Field(examples=["trading.costs.taker_bps"])
    values: list[Any]


class CurvesCompared(BaseModel):
    """On one axis of at most 1,000 points, in milliseconds since 1970; null where a run has no bars."""

    ts: list[int]
    equity: list[list[float | None]] = Field(description="100 is the start of each run.")
    drawdown: list[list[float | None]] = Field(description="The deepest since the point before; -0.2 is 20 %.")


class Advantage(BaseModel):
    """By how much the other run is better than the first."""

    difference: float
    low: float
    high: float
    share_better: float = Field(description="In how many of all drawn histories it was better.")


class DifferenceFound(BaseModel):
    """By a block bootstrap of the days that both have; `missing` says why there is none."""

    id: UUID
    level: float
    days: int | None = None
    block_days: int | None = None
    draws: int | None = None
    annual_return: Advantage | None = None
    sharpe: Advantage | None = None
    missing: str | None = None


class EntryFound(BaseModel):
    """An entry that only one of two runs made."""

    symbol: str
    side: str
    entry_time: str
    pnl: float | None


class EntriesFound(BaseModel):
    """How many, what they came to, and the first 200."""

    count: int
    pnl: float
    trades: list[EntryFound]


class TradesCompared(BaseModel):
    """Entries are the same when symbol, side and time are."""

    id: UUID
    both: int
    both_pnl: list[float] = Field(description="Of the first run, and of the other.")
    only_first: EntriesFound
    only_other: EntriesFound


class ComparisonFound(BaseModel):
    """Lists of values are in the order of `runs`."""

    runs: list[RunCompared]
    metrics: list[MetricCompared]
    config: list[SettingCompared]
    curves: CurvesCompared
    correlation: list[list[float | None]] = Field(description="Of daily returns, on common days.")
    differences: list[DifferenceFound]
    trades: list[TradesCompared]


class IndicatorSeen(BaseModel):
    """An indicator at the close of one bar."""

    name: str
    values: dict[str, float | None]


class Moment(BaseModel):
    """A bar at which something was decided or filled."""

    what: str = Field(description="`entry_signal`, `entry_fill`, `exit_signal` or `exit_fill`.")
    why: str = Field(description="The strategy's reason in its words, else the rule.")
    bar: dict[str, float]
    indicators: list[IndicatorSeen]


class OrderSeen(BaseModel):
    """One end of the trade: the order, the rule by which it was filled, and where."""

    end: str
    side: str
    quantity: float
    price: float
    time: str
    rule: str
    sentence: str
    why: str
    is_filled: bool = Field(description="False when the bars ended before it was left.")
    worse_than_open_bps: float | None = Field(description="Spread, slippage and impact, of what fills at an open.")


class CostSeen(BaseModel):
    """A part of the costs, in money and against what was entered."""

    name: str
    money: float
    bps: float | None


class CostsSeen(BaseModel):
    """What the trade cost."""

    entered_value: float
    pnl_before_costs: float
    parts: list[CostSeen]


class TradeExplained(BaseModel):
    """One trade with all that led to it."""

    number: int
    total: int
    trade: dict[str, Any] = Field(description="As in the table of trades; `mae` and `mfe` are shares of the entry.")
    symbol: str
    timeframe: str
    bars: dict[str, list[float]]
    indicators: list[dict[str, Any]]
    is_cut: bool = Field(description="The trade is longer than the bars that are here.")
    moments: list[Moment]
    orders: list[OrderSeen]
    costs: CostsSeen
    notes: list[str]


_ENTRIES = EntriesFound(
    count=1,
    pnl=12.5,
    trades=[EntryFound(symbol="BTC/USDT", side="long", entry_time="2023-01-09T14:00:00Z", pnl=12.5)],
)
_OTHER_ID = UUID("7a1c6f0e-3b0a-4c39-8a87-2f1f6f3a5b10")
_RUN = RunCompared(
    id=BACKTEST_ID,
    name="sma_cross on BTC/USDT, 1h",
    strategy="sma_cross",
    symbols=["BTC/USDT"],
    timeframe="1h",
    currency="USDT",
    days=365,
)
COMPARED = ComparisonFound(
    runs=[_RUN, _RUN.model_copy(update={"id": _OTHER_ID, "name": "Slow cross"})],
    metrics=[MetricCompared(name="sharpe", values=[0.81, 1.02], missing=[None, None], differs=True)],
    config=[SettingCompared(path="parameters.slow", values=[50, 100])],
    curves=CurvesCompared(ts=[1672534800000], equity=[[100.0], [100.1]], drawdown=[[0.0], [0.0]]),
    correlation=[[1.0, 0.62], [0.62, 1.0]],
    differences=[
        DifferenceFound(
            id=_OTHER_ID,
            level=0.95,
            days=365,
            block_days=7,
            draws=1_000,
            annual_return=Advantage(difference=0.031, low=-0.12, high=0.18, share_better=0.66),
            sharpe=Advantage(difference=0.21, low=-0.7, high=1.1, share_better=0.67),
        )
    ],
    trades=[TradesCompared(id=_OTHER_ID, both=41, both_pnl=[310.0, 402.5], only_first=_ENTRIES, only_other=_ENTRIES)],
)
EXPLAINED = TradeExplained(
    number=0,
    total=87,
    trade={"symbol": "BTC/USDT", "side": "long", "entry_time": "2023-01-09T14:00:00Z", "pnl": 12.5, "mae": -0.004},
    **CHART.model_dump(exclude={"next_start"}),
    is_cut=False,
    moments=[
        Moment(
            what="entry_signal",
            why="SMA 20 crossed above SMA 50",
            bar={"ts": 1673269200000, "open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 10.0},
            indicators=[IndicatorSeen(name="SMA 20", values={"sma": 1.4})],
        )
    ],
    orders=[
        OrderSeen(
            end="entry",
            side="buy",
            quantity=0.185,
            price=53_741.23,
            time="2023-01-09T14:00:00Z",
            rule="market order",
            sentence="Known at the close of the bar before, a market order fills at the next open: 53,714.4.",
            why="SMA 20 crossed above SMA 50",
            is_filled=True,
            worse_than_open_bps=5.0,
        )
    ],
    costs=CostsSeen(entered_value=9_942.13, pnl_before_costs=37.3, parts=[CostSeen(name="fees", money=19.9, bps=20.0)]),
    notes=[],
)
