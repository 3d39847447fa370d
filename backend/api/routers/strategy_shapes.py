"""What the API of strategies says and takes, with examples."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from backend.api.moments import Moment
from backend.domain.market import Adjustment, Timeframe
from backend.domain.saved_strategies import MOST_ABOUT, MOST_NAME, MOST_NOTE, MOST_PREVIEWED_BARS


class Kind(StrEnum):
    """Where a strategy comes from."""

    BUILT_IN = "built_in"
    PLUGIN = "plugin"
    OWN = "own"


class StrategyInBrief(BaseModel):
    """One line of the gallery."""

    name: str = Field(description="By which the API knows it: the name of an installed one, the id of one's own.")
    title: str
    kind: Kind
    description: str
    markets: str = Field(description="Where it is at home, in words.")
    needs_symbols: bool = Field(description="It compares symbols, so a run of it needs several.")
    version: int | None = Field(description="Of one's own: the newest version of its rules.")
    updated_at: datetime | None
    deleted_at: datetime | None


class BrokenStrategy(BaseModel):
    """A plugin that could not be loaded."""

    name: str
    reason: str


class StrategyList(BaseModel):
    """The installed ones first, then one's own, those that were changed last first."""

    items: list[StrategyInBrief]
    broken: list[BrokenStrategy]


class PlotShown(BaseModel):
    """An indicator that charts of it show by default."""

    indicator: str
    parameters: dict[str, float | int]
    outputs: list[str]
    pane: str = Field(description="price, own or volume")
    levels: list[float]


class RunAs(BaseModel):
    """What a run of it is configured with. One's own runs as `rules`, so that a stored run says all by itself."""

    strategy: str
    parameters: dict[str, Any]


class StrategyFound(StrategyInBrief):
    """A strategy with all that is known of it."""

    parameters: dict[str, Any] = Field(description="Their JSON Schema, with bounds, units and defaults.")
    plots: list[PlotShown]
    warmup: int = Field(description="Bars until it no longer matters where history began, with the default parameters.")
    longer_warmup: dict[str, int] = Field(description="How many longer bars must have closed too, by timeframe.")
    source_hash: str | None = Field(
        description="Of the file that it is written in; another hash may mean other signals."
    )
    run: RunAs
    rules: dict[str, Any] | None = Field(description="Of one's own: the newest rules, in their full form.")
    words: list[str] = Field(description="Of one's own: what the rules say.")
    note: str | None = Field(description="Of one's own: what the newest version was made for.")
    created_at: datetime | None


class StrategyWanted(BaseModel):
    """A name, and rules."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=MOST_NAME * 4, description=f"1 to {MOST_NAME} visible characters, yours alone.")
    about: str = Field(default="", max_length=MOST_ABOUT * 4)
    rules: Any = Field(description="As `GET /api/strategies/rules/grammar` describes them.")
    note: str = Field(default="", max_length=MOST_NOTE * 4, description="What this version is for.")


class Version(BaseModel):
    """One version of the rules."""

    version: int
    note: str
    created_at: datetime


class VersionFound(Version):
    """The rules as they were then; they never change."""

    rules: dict[str, Any]
    words: list[str]


class RulesGiven(BaseModel):
    """Rules to be looked at."""

    model_config = ConfigDict(extra="forbid")

    rules: Any = Field(description="As `GET /api/strategies/rules/grammar` describes them.")


class RuleProblem(BaseModel):
    """One thing that is wrong with rules."""

    pointer: str = Field(description="A JSON pointer to the node.")
    detail: str


class RulesExamined(BaseModel):
    """What is wrong with rules, or what they mean."""

    is_valid: bool
    errors: list[RuleProblem]
    rules: dict[str, Any] | None = Field(description="In their full form, with every default written out.")
    words: list[str]
    indicators: list[str]
    timeframes: list[str] = Field(description="Of longer bars that they look at.")
    warmup: int
    longer_warmup: dict[str, int] = Field(description="How many longer bars must have closed too, by timeframe.")
    least_bars: int


class Example(BaseModel):
    """Rules to begin from."""

    title: str
    rules: dict[str, Any]


class Grammar(BaseModel):
    """All that rules can be made of."""

    rules_schema: dict[str, Any] = Field(description="The JSON Schema of rules.")
    indicators: list[dict[str, Any]]
    patterns: list[dict[str, Any]]
    prices: list[str]
    comparisons: list[str]
    crossings: list[str]
    days: list[str]
    timeframes: list[str]
    deepest: int = Field(description="How many levels of conditions there may be.")
    most_nodes: int
    most_bars: int
    most_ago: int
    examples: list[Example]


class SeriesNamed(BaseModel):
    """Which bars."""

    model_config = ConfigDict(extra="forbid")

    provider: str = Field(default="demo", max_length=60)
    symbol: str = Field(max_length=41)
    timeframe: Timeframe
    adjustment: Adjustment = Adjustment.RAW


class PreviewAsked(BaseModel):
    """Which strategy on which bars."""

    model_config = ConfigDict(extra="forbid")

    strategy: str = Field(default="rules", max_length=60, description="A name, or the id of one's own.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Of one's own there are none.")
    series: SeriesNamed
    start: Moment | None = Field(default=None, description="Not before this.")
    end: Moment | None = Field(default=None, description="Up to, not including; the last bar, when left out.")
    bars: int = Field(default=500, ge=1, le=MOST_PREVIEWED_BARS, description="How many of the last bars of the range.")


class PreviewBars(BaseModel):
    """By columns; `ts` is the start of each bar in milliseconds since 1970."""

    ts: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]


class PreviewLine(BaseModel):
    """One line of an indicator, a value for each bar; null before its first."""

    indicator: str
    title: str
    parameters: dict[str, float | int]
    output: str
    pane: str
    levels: list[float]
    values: list[float | None]


class PreviewSignals(BaseModel):
    """By columns: the bars on which something is said. It acts at the open of the next bar."""

    ts: list[int]
    side: list[str] = Field(description="long, short, or flat: leave.")
    close: list[float]
    reason: list[int | None] = Field(description="A place in `reasons`.")
    stop_percent: list[float | None] = Field(default_factory=list)
    target_percent: list[float | None] = Field(default_factory=list)
    trail_percent: list[float | None] = Field(default_factory=list)
    stop: list[float | None] = Field(default_factory=list)
    target: list[float | None] = Field(default_factory=list)
    limit: list[float | None] = Field(default_factory=list)


class Preview(BaseModel):
    """What a strategy says on some bars."""

    bars: PreviewBars
    lines: list[PreviewLine]
    lines_left_out: int
    signals: PreviewSignals
    reasons: list[str]
    warmup: int
    bars_before: int = Field(
        description="Read before the first bar shown; with fewer than the warm-up, early signals may differ."
    )
    is_simulated: bool


OWN_ID = UUID("0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a")
_NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
RULES = {
    "long": {
        "enter": {"op": "crosses_above", "left": {"price": "close"}, "right": {"indicator": "sma"}},
        "exit": {"op": "crosses_below", "left": {"price": "close"}, "right": {"indicator": "sma"}},
    },
    "stop_percent": 5,
}
_SMA = {"indicator": "sma", "parameters": {"period": 20}, "output": "sma"}
_FULL = {
    "long": {
        "enter": {"op": "crosses_above", "left": {"price": "close"}, "right": _SMA},
        "exit": {"op": "crosses_below", "left": {"price": "close"}, "right": _SMA},
    },
    "stop_percent": 5.0,
}
_WORDS = [
    "Enter long: the close price crosses above SMA (20)",
    "Leave long: the close price crosses below SMA (20)",
    "Stop: 5 % from the fill",
]
OWN = StrategyFound(
    name=str(OWN_ID),
    title="Above its average",
    kind=Kind.OWN,
    description="Long while the price is above its average.",
    markets="",
    needs_symbols=False,
    version=2,
    updated_at=_NOW,
    deleted_at=None,
    parameters={"type": "object", "properties": {}},
    plots=[PlotShown(indicator="sma", parameters={"period": 20}, outputs=["sma"], pane="price", levels=[])],
    warmup=19,
    longer_warmup={},
    source_hash="5f4a1c0de9b8473696a5b4c3d2e1f0a95f4a1c0de9b8473696a5b4c3d2e1f0a9",
    run=RunAs(strategy="rules", parameters={"rules": _FULL}),
    rules=_FULL,
    words=_WORDS,
    note="A stop",
    created_at=_NOW,
)
BUILT_IN = OWN.model_copy(
    update={
        "name": "sma_cross",
        "title": "SMA cross",
        "kind": Kind.BUILT_IN,
        "description": "Long when the fast simple average crosses above the slow one.",
        "markets": "Trending markets",
        "version": None,
        "updated_at": None,
        "parameters": {
            "type": "object",
            "properties": {"fast": {"type": "integer", "default": 20, "minimum": 2, "maximum": 1000, "unit": "bars"}},
        },
        "run": RunAs(strategy="sma_cross", parameters={}),
        "rules": None,
        "words": [],
        "note": None,
        "created_at": None,
    }
)
LISTED = StrategyList(
    items=[
        StrategyInBrief.model_validate(one.model_dump(include=set(StrategyInBrief.model_fields)))
        for one in (BUILT_IN, OWN)
    ],
    broken=[BrokenStrategy(name="wrong", reason="ModuleNotFoundError: No module named 'nothing'")],
)
WANTED = {"name": "Above its average", "about": "", "rules": RULES, "note": "A stop"}
VERSION = VersionFound(version=2, note="A stop", created_at=_NOW, rules=_FULL, words=_WORDS)
EXAMINED = RulesExamined(
    is_valid=True,
    errors=[],
    rules=_FULL,
    words=_WORDS,
    indicators=["sma"],
    timeframes=[],
    warmup=19,
    longer_warmup={},
    least_bars=20,
)
GRAMMAR = Grammar(
    rules_schema={"title": "Rules", "type": "object"},
    indicators=[{"name": "sma", "title": "Simple moving average", "outputs": ["sma"]}],
    patterns=[{"name": "hammer", "title": "Hammer", "kind": "candlestick", "tells": "bullish"}],
    prices=["open", "high", "low", "close"],
    comparisons=[">", ">=", "<", "<="],
    crossings=["crosses_above", "crosses_below"],
    days=["mon", "tue"],
    timeframes=["1h", "1d"],
    deepest=12,
    most_nodes=200,
    most_bars=1000,
    most_ago=1000,
    examples=[Example(title="Above its average", rules=RULES)],
)
PREVIEW_WANTED = {
    "strategy": "sma_cross",
    "parameters": {"fast": 10},
    "series": {"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"},
    "bars": 500,
}
PREVIEW = Preview(
    bars=PreviewBars(
        ts=[1735689600000], open=[93500.0], high=[93710.5], low=[93420.0], close=[93650.25], volume=[12.5]
    ),
    lines=[
        PreviewLine(
            indicator="sma",
            title="Simple moving average",
            parameters={"period": 10},
            output="sma",
            pane="price",
            levels=[],
            values=[93010.2],
        )
    ],
    lines_left_out=0,
    signals=PreviewSignals(ts=[1735689600000], side=["long"], close=[93650.25], reason=[0]),
    reasons=["The 10-bar average crossed above the 50-bar average"],
    warmup=49,
    bars_before=3000,
    is_simulated=True,
)
