"""All patterns by name: candlesticks, chart patterns, and breaks of levels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from backend.domain.indicators.declared import Floats
from backend.domain.market import closest
from backend.domain.patterns import chart
from backend.domain.patterns.candlesticks import CANDLESTICKS, Marks, Tells, candlestick, title
from backend.domain.patterns.chart import Found, Shape
from backend.domain.patterns.pivots import level_breaks, levels
from backend.domain.strategy_errors import UnknownPattern

# What TA-Lib's candlesticks look back at most, the averages of bodies and shadows included.
_CANDLES_LOOK_BACK = 16
# About how long the last turning points that make the levels reach back.
_LEVELS_LOOK_BACK = 500


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """One pattern: what it is called, which way it is read, and after how many bars it can be there at the soonest."""

    name: str
    title: str
    kind: str  # candlestick, chart, level
    tells: Tells
    warmup: int
    settled: int  # after so many bars it no longer matters where history began

    def describe(self) -> dict[str, Any]:
        """For the web app."""
        return {"name": self.name, "title": self.title, "kind": self.kind, "tells": self.tells.value}


CHART: Final[Mapping[str, tuple[Callable[[Floats, Floats, Floats, Shape], Found], Tells]]] = MappingProxyType(
    {
        "double_top": (chart.double_top, Tells.BEARISH),
        "double_bottom": (chart.double_bottom, Tells.BULLISH),
        "head_and_shoulders": (chart.head_and_shoulders, Tells.BEARISH),
        "inverse_head_and_shoulders": (chart.inverse_head_and_shoulders, Tells.BULLISH),
        "ascending_triangle": (chart.ascending_triangle, Tells.BOTH),
        "descending_triangle": (chart.descending_triangle, Tells.BOTH),
        "symmetric_triangle": (chart.symmetric_triangle, Tells.BOTH),
    }
)
LEVEL_BREAK: Final = "level_break"

PATTERNS: Final[Mapping[str, Pattern]] = MappingProxyType(
    {
        **{
            name: Pattern(
                name=name,
                title=title(name),
                kind="candlestick",
                tells=tells,
                warmup=_CANDLES_LOOK_BACK,
                settled=_CANDLES_LOOK_BACK,
            )
            for name, (_, tells) in CANDLESTICKS.items()
        },
        **{
            name: Pattern(
                name=name,
                title=title(name),
                kind="chart",
                tells=tells,
                warmup=4 * Shape().swing,
                settled=2 * Shape().longest,
            )
            for name, (_, tells) in CHART.items()
        },
        LEVEL_BREAK: Pattern(
            name=LEVEL_BREAK,
            title="Break of support or resistance",
            kind="level",
            tells=Tells.BOTH,
            warmup=4 * Shape().swing,
            settled=_LEVELS_LOOK_BACK,
        ),
    }
)


def pattern(name: object) -> Pattern:
    """Raises UnknownPattern with what may have been meant."""
    if isinstance(name, str) and name in PATTERNS:
        return PATTERNS[name]
    raise UnknownPattern(str(name)[:60], closest(str(name)[:60], list(PATTERNS)))


def marks(name: str, columns: Mapping[str, Floats], shape: Shape | None = None) -> Marks:
    """The bars that complete a pattern: 1 speaks for rising prices, -1 for falling ones, 0 is no pattern."""
    wanted, shape = pattern(name), shape or Shape()
    opened, high, low, close = (columns[each] for each in ("open", "high", "low", "close"))
    if wanted.kind == "candlestick":
        return candlestick(name, opened, high, low, close)
    if wanted.kind == "level":
        return level_breaks(close, *levels(high, low, close, swing=shape.swing))
    return CHART[name][0](high, low, close, shape).marks


def describe() -> list[dict[str, Any]]:
    """All of them, for the web app."""
    return [each.describe() for each in PATTERNS.values()]
