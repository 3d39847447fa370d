"""What a tree of rules says on each bar: yes, no, or nothing, where what it looks at is not known yet."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.indicators.catalogue import indicator
from backend.domain.patterns.catalogue import marks
from backend.domain.signals import LONG, SHORT, Signals
from backend.domain.strategies.market import Joined, Market
from backend.domain.strategies.rules.tree import (
    DAYS,
    Compare,
    Condition,
    Cross,
    Indicated,
    Joint,
    Lasting,
    Not,
    Number,
    Price,
    Rules,
    Seen,
    TimeOfDay,
    Value,
    Weekday,
)
from backend.domain.strategies.saying import EQUAL, crossed, positions

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# A reason is read on a chart, not studied.
LONGEST_REASON = 300


class Answer(NamedTuple):
    """On which bars a condition holds, and on which it does not; on the others nobody knows."""

    yes: Mask
    no: Mask


def signals_from(rules: Rules, market: Market) -> Signals:
    """Entries and exits, with the rule as the reason."""
    view = _View(market)
    never = np.zeros(len(market), np.bool_)
    masks, reasons = [], []
    for name, side in (("long", rules.long), ("short", rules.short)):
        for verb, condition in (("Enter", side and side.enter), ("Leave", side and side.exit)):
            masks.append(view.answer(condition).yes if condition else never)
            reasons.append(f"{verb} {name}: {condition}"[:LONGEST_REASON] if condition else "")
    made = positions(
        enter_long=masks[0], exit_long=masks[1], enter_short=masks[2], exit_short=masks[3], reasons=reasons
    )
    percents = {name: getattr(rules, name) for name in ("stop_percent", "target_percent", "trail_percent")}
    enters = (made.direction == LONG) | (made.direction == SHORT)
    columns = {name: np.where(enters, value, np.nan) for name, value in percents.items() if value is not None}
    return Signals(direction=made.direction, reason=made.reason, reasons=made.reasons, **columns)


@dataclass(frozen=True)
class _View:
    """A market through the eyes of rules; what several of them look at is calculated once."""

    market: Market
    known: dict[str, Floats] = field(default_factory=dict)
    longer: "dict[str, tuple[Joined, _View]]" = field(default_factory=dict)

    def answer(self, condition: Condition) -> Answer:  # noqa: PLR0911
        match condition:
            case Compare():
                return self._compared(condition)
            case Cross():
                return self._crossed(condition)
            case Joint():
                return _joined(condition.op, [self.answer(each) for each in condition.of])
            case Not():
                inner = self.answer(condition.of)
                return Answer(inner.no, inner.yes)
            case Lasting():
                return _lasting(condition, self.answer(condition.of))
            case TimeOfDay():
                return self._timed(condition)
            case Weekday():
                local = self._local(condition.zone)
                return _certain(np.isin(local.day_of_week, [DAYS.index(day) for day in condition.days]))
            case Seen():
                side = {"bullish": [1], "bearish": [-1], "any": [1, -1]}[condition.side]
                return _certain(np.isin(marks(condition.pattern, self.columns), side))

    @cached_property
    def columns(self) -> dict[str, npt.NDArray[Any]]:
        given = self.market.inputs
        high, low, close = given["high"], given["low"], given["close"]
        return {**given, "middle": (high + low) / 2, "typical": (high + low + close) / 3}

    def _line(self, value: Value) -> Floats:
        if isinstance(value, Number):
            return np.full(len(self.market), value.number)
        if value.timeframe is None or value.timeframe is self.market.timeframe:
            line = self._own(value)
        else:
            if value.timeframe not in self.longer:
                joined = self.market.other(timeframe=value.timeframe)
                self.longer[value.timeframe] = joined, _View(joined.market)
            joined, view = self.longer[value.timeframe]
            line = joined.line(lambda _: view._own(value))
        if value.ago:
            line = np.concatenate((np.full(min(value.ago, len(line)), np.nan), line[: -value.ago]))
        return line if value.times == 1 else line * value.times

    def _own(self, value: Price | Indicated) -> Floats:
        if isinstance(value, Price):
            return self.columns[value.price]
        key = f"{value.indicator} {sorted(value.parameters.items())}"
        if f"{key} {value.output}" not in self.known:
            made = indicator(value.indicator).compute(self.columns, value.parameters)
            self.known.update({f"{key} {output}": line for output, line in made.items()})
        return self.known[f"{key} {value.output}"]

    def _compared(self, node: Compare) -> Answer:
        left, right = self._line(node.left), self._line(node.right)
        is_known = np.isfinite(left) & np.isfinite(right)
        distance, near = left - right, EQUAL * np.abs(right)
        yes = {
            ">": distance > near,
            ">=": distance >= -near,
            "<": distance < -near,
            "<=": distance <= near,
        }[node.op] & is_known
        return Answer(yes, is_known & ~yes)

    def _crossed(self, node: Cross) -> Answer:
        left, right = self._line(node.left), self._line(node.right)
        yes = crossed(left, right) == (1 if node.op == "crosses_above" else -1)
        return Answer(yes, np.isfinite(left) & np.isfinite(right) & ~yes)

    def _timed(self, node: TimeOfDay) -> Answer:
        local = self._local(node.zone)
        minutes = np.asarray(local.hour) * 60 + np.asarray(local.minute)
        if node.start < node.end:
            return _certain((minutes >= node.start) & (minutes < node.end))
        return _certain((minutes >= node.start) | (minutes < node.end))

    def _local(self, zone: str) -> pd.DatetimeIndex:
        starts = pd.DatetimeIndex(self.market.starts.view("datetime64[us]"), tz="UTC")
        return starts if zone == "UTC" else starts.tz_convert(zone)


def _certain(yes: Mask) -> Answer:
    return Answer(yes, ~yes)


def _joined(op: str, parts: list[Answer]) -> Answer:
    """All of them are needed for an `and`; one that says no is enough against it. For an `or` it is the reverse."""
    if op == "and":
        return Answer(
            np.logical_and.reduce([part.yes for part in parts]), np.logical_or.reduce([part.no for part in parts])
        )
    return Answer(
        np.logical_or.reduce([part.yes for part in parts]), np.logical_and.reduce([part.no for part in parts])
    )


def _lasting(node: Lasting, inner: Answer) -> Answer:
    all_of, any_of = (inner.yes, inner.no) if node.op == "for" else (inner.no, inner.yes)
    throughout, once = _count(all_of, node.bars) == node.bars, _count(any_of, node.bars) > 0
    return Answer(throughout, once) if node.op == "for" else Answer(once, throughout)


def _count(mask: Mask, bars: int) -> npt.NDArray[np.int64]:
    """On how many of the last bars it holds, this one included."""
    total = np.concatenate(([0], np.cumsum(mask)))
    begins = np.maximum(np.arange(len(mask)) + 1 - bars, 0)
    return total[1:] - total[begins]
