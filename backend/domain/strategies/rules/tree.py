"""The nodes of a tree of rules, and how each is said in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from backend.domain.indicators.catalogue import indicator
from backend.domain.market import Timeframe
from backend.domain.patterns.catalogue import pattern

PRICES: Final = ("open", "high", "low", "close", "volume", "middle", "typical")
COMPARISONS: Final = (">", ">=", "<", "<=")
CROSSINGS: Final = ("crosses_above", "crosses_below")
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number."""

    number: float

    def __str__(self) -> str:
        return f"{self.number:g}"


@dataclass(frozen=True, kw_only=True)
class Line:
    """Something that has a value on every bar."""

    ago: int = 0  # the value so many bars before
    times: float = 1.0  # multiplied by this
    timeframe: Timeframe | None = None  # of longer bars, as of the last closed one

    def _said(self, name: str) -> str:
        longer = f" on {self.timeframe}" if self.timeframe else ""
        times = f"{self.times:g} times " if self.times != 1 else ""
        ago = f" {self.ago} {'bar' if self.ago == 1 else 'bars'} ago" if self.ago else ""
        return f"{times}{name}{longer}{ago}"


@dataclass(frozen=True, kw_only=True)
class Price(Line):
    """A column of the bars; `middle` is that of high and low, `typical` that of high, low and close."""

    price: str

    def __str__(self) -> str:
        return self._said(f"{'the volume' if self.price == 'volume' else f'the {self.price} price'}")


@dataclass(frozen=True, kw_only=True)
class Indicated(Line):
    """An output of an indicator."""

    indicator: str
    parameters: Mapping[str, int | float] = field(default_factory=dict, hash=False)
    output: str

    def __str__(self) -> str:
        meant = indicator(self.indicator)
        numbers = ", ".join(f"{value:g}" for value in self.parameters.values())
        output = f" {self.output}" if len(meant.outputs) > 1 else ""
        return self._said(f"{meant.name.upper().replace('_', ' ')}{f' ({numbers})' if numbers else ''}{output}")


Value = Number | Price | Indicated


@dataclass(frozen=True, kw_only=True)
class Compare:
    """One value against another."""

    op: str
    left: Value
    right: Value

    def __str__(self) -> str:
        return f"{self.left} {self.op} {self.right}"


@dataclass(frozen=True, kw_only=True)
class Cross:
    """A value gets to the other side of another on this bar."""

    op: str
    left: Value
    right: Value

    def __str__(self) -> str:
        return f"{self.left} {self.op.replace('_', ' ')} {self.right}"


@dataclass(frozen=True, kw_only=True)
class Joint:
    """All of several conditions, or any of them."""

    op: str  # and, or
    of: tuple["Condition", ...]

    def __str__(self) -> str:
        return f" {self.op} ".join(f"({each})" if isinstance(each, Joint) else str(each) for each in self.of)


@dataclass(frozen=True, kw_only=True)
class Not:
    """The contrary; what is not known is not known either way."""

    of: "Condition"

    def __str__(self) -> str:
        return f"not ({self.of})"


@dataclass(frozen=True, kw_only=True)
class Lasting:
    """`for`: on this and all of the bars before, so many in all. `within`: on at least one of them."""

    op: str
    bars: int
    of: "Condition"

    def __str__(self) -> str:
        inner = f"({self.of})" if isinstance(self.of, Joint) else str(self.of)
        return f"{inner} {'for' if self.op == 'for' else 'within the last'} {self.bars} bars"


@dataclass(frozen=True, kw_only=True)
class TimeOfDay:
    """The bar starts at or after one time and before another, on the clocks of a zone; it may span midnight."""

    start: int  # minutes since midnight
    end: int
    zone: str

    def __str__(self) -> str:
        return f"the time is {clock(self.start)} to {clock(self.end)} {self.zone}"


@dataclass(frozen=True, kw_only=True)
class Weekday:
    """The bar starts on one of these days, on the calendar of a zone."""

    days: tuple[str, ...]
    zone: str

    def __str__(self) -> str:
        return f"the day is {' or '.join(day.capitalize() for day in self.days)}"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The bar completes a pattern; `side` is which of its two forms, or any."""

    pattern: str
    side: str  # bullish, bearish, any

    def __str__(self) -> str:
        side = "" if self.side == "any" else f"{self.side} "
        return f"{side}pattern {pattern(self.pattern).title.lower()}"


Condition = Compare | Cross | Joint | Not | Lasting | TimeOfDay | Weekday | Seen


@dataclass(frozen=True, kw_only=True)
class Side:
    """When to enter on one side, and when to leave."""

    enter: Condition
    exit: Condition | None = None


@dataclass(frozen=True, kw_only=True)
class Rules:
    """A whole strategy. Percentages are measured from the fill."""

    long: Side | None = None
    short: Side | None = None
    stop_percent: float | None = None
    target_percent: float | None = None
    trail_percent: float | None = None


def clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def walk(condition: Condition | None) -> list[Condition]:
    """The condition and all within it."""
    if condition is None:
        return []
    if isinstance(condition, Joint):
        return [condition, *(each for part in condition.of for each in walk(part))]
    return [condition, *(walk(condition.of) if isinstance(condition, Not | Lasting) else ())]


def lines(rules: Rules) -> list[Line]:
    """All prices and indicators that the rules look at, in the order of the tree."""
    sides = [side for side in (rules.long, rules.short) if side]
    found = [each for side in sides for part in (side.enter, side.exit) for each in walk(part)]
    values = [value for each in found if isinstance(each, Compare | Cross) for value in (each.left, each.right)]
    return [value for value in values if isinstance(value, Line)]


def sentences(rules: Rules) -> list[str]:
    """All that the rules say, a line each."""
    said = []
    for name, side in (("long", rules.long), ("short", rules.short)):
        for verb, condition in (("Enter", side and side.enter), ("Leave", side and side.exit)):
            if condition:
                said.append(f"{verb} {name}: {condition}")
    percents = {"Stop": rules.stop_percent, "Target": rules.target_percent, "Trailing stop": rules.trail_percent}
    return [*said, *(f"{name}: {value:g} % from the fill" for name, value in percents.items() if value is not None)]
