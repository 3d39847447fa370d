"""Figures that are there or are missing for a reason: never 0 for what is not known, never NaN, never infinite."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Value = float | int | str
_NOTHING = 1e-15


class Missing(Exception):
    """A figure that cannot be computed; says why."""


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """By name: what was computed, and why the rest was not."""

    values: Mapping[str, Value]
    missing: Mapping[str, str]

    def __getitem__(self, name: str) -> Value:
        return self.values[name]

    def number(self, name: str) -> float | None:
        value = self.values.get(name)
        return float(value) if isinstance(value, int | float) else None

    def __or__(self, other: "Statistics") -> "Statistics":
        return Statistics(values={**self.values, **other.values}, missing={**self.missing, **other.missing})


@dataclass(kw_only=True)
class Sheet:
    """Statistics while they are written down."""

    values: dict[str, Value] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, compute: Callable[[], Value]) -> None:
        try:
            value = compute()
        except Missing as reason:
            self.missing[name] = str(reason)
        else:
            self._keep(name, value)

    def put_all(self, names: tuple[str, ...], compute: Callable[[], tuple[Value, ...]]) -> None:
        """Figures that come out of one computation, and lack together."""
        try:
            values = compute()
        except Missing as reason:
            self.missing.update(dict.fromkeys(names, str(reason)))
            return
        for name, value in zip(names, values, strict=True):
            self._keep(name, value)

    def done(self) -> Statistics:
        return Statistics(values=self.values, missing=self.missing)

    def _keep(self, name: str, value: Value) -> None:
        if isinstance(value, float) and not math.isfinite(value):
            self.missing[name] = "It is beyond what a number can say."
        else:
            self.values[name] = value


def over(numerator: float, denominator: float, why_not: str) -> float:
    """A quotient; a divisor of nothing is a reason, not an infinity."""
    if abs(denominator) < _NOTHING:
        raise Missing(why_not)
    return numerator / denominator
