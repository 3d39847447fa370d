"""How an indicator says what it is: forms, the rule builder and charts are made from these declarations."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.domain.errors import InputError
from backend.domain.market import closest
from backend.domain.strategy_errors import InvalidParameters, UnknownIndicator

Floats = npt.NDArray[np.float64]
Given = Mapping[str, Any]

PRICE_INPUTS = ("open", "high", "low", "close", "volume")


class Pane(StrEnum):
    """Where a chart draws it."""

    PRICE = "price"  # over the candles
    OWN = "own"  # beneath them, on a scale of its own
    VOLUME = "volume"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One number that an indicator takes."""

    name: str
    title: str
    default: int | float
    minimum: int | float
    maximum: int | float
    unit: str = ""

    @property
    def is_whole(self) -> bool:
        return isinstance(self.default, int)

    def check(self, value: object) -> str | None:
        """What is wrong with a value, in a sentence; nothing when it is good."""
        kind = "a whole number" if self.is_whole else "a number"
        # Any whole number is finite, also one that is too large to be a float.
        is_number = type(value) is int or (isinstance(value, float) and math.isfinite(value))
        if not is_number or (self.is_whole and value != int(value)):  # type: ignore[call-overload]
            return f"{self.name} is {shown(value)}; {kind} from {self.minimum:,} to {self.maximum:,} is needed."
        if not self.minimum <= value <= self.maximum:  # type: ignore[operator]
            return f"{self.name} is {value:,}; {self.minimum:,} to {self.maximum:,} is allowed."
        return None


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """One indicator: what it reads, takes and gives, and how long it needs."""

    name: str
    title: str
    group: str  # trend, momentum, volatility, volume
    inputs: tuple[str, ...]  # columns of the bars, in the order in which `function` takes them
    parameters: tuple[Parameter, ...]
    outputs: tuple[str, ...]
    pane: Pane
    function: Callable[..., Floats | tuple[Floats, ...]]
    # How many bars stand before the first value.
    first: Callable[[Given], int]
    # After how many bars where the history began no longer matters; for what looks at a window, that is the same.
    settled: Callable[[Given], int] | None = None
    scale: tuple[float, float] | None = None  # where all its values lie, when they have bounds

    def complete(self, given: Given = MappingProxyType({}), *, at: str = "") -> dict[str, int | float]:
        """All parameters, those that were not given by default. Raises InvalidParameters; `at` begins its pointers."""
        known = {parameter.name: parameter for parameter in self.parameters}
        problems = [
            InputError(pointer=f"{at}/{name}", detail=_unknown(name, self.name, list(known)))
            for name in given
            if name not in known
        ]
        for name, parameter in known.items():
            detail = parameter.check(given.get(name, parameter.default))
            if detail:
                problems.append(InputError(pointer=f"{at}/{name}", detail=detail))
        if problems:
            raise InvalidParameters(self.name, problems)
        return {
            name: (int if parameter.is_whole else float)(given.get(name, parameter.default))
            for name, parameter in known.items()
        }

    def compute(self, columns: Mapping[str, Any], given: Given = MappingProxyType({})) -> dict[str, Floats]:
        """Each output, as long as the bars; NaN where there is no value yet."""
        made = self.function(*(columns[name] for name in self.inputs), **self.complete(given))
        lines = made if isinstance(made, tuple) else (made,)
        return dict(zip(self.outputs, lines, strict=True))

    def bars_before_first(self, given: Given = MappingProxyType({})) -> int:
        return self.first(self.complete(given))

    def bars_until_settled(self, given: Given = MappingProxyType({})) -> int:
        return (self.settled or self.first)(self.complete(given))

    def describe(self) -> dict[str, Any]:
        """For the web app's rule builder and charts."""
        return {
            "name": self.name,
            "title": self.title,
            "group": self.group,
            "inputs": list(self.inputs),
            "parameters": [
                {
                    "name": each.name,
                    "title": each.title,
                    "type": "integer" if each.is_whole else "number",
                    "default": each.default,
                    "minimum": each.minimum,
                    "maximum": each.maximum,
                    "unit": each.unit,
                }
                for each in self.parameters
            ],
            "outputs": list(self.outputs),
            "pane": self.pane.value,
            "scale": list(self.scale) if self.scale else None,
            "warmup": self.bars_before_first(),
        }


def period(default: int, *, name: str = "period", title: str = "Period", minimum: int = 2) -> Parameter:
    """Over how many bars."""
    return Parameter(name=name, title=title, default=default, minimum=minimum, maximum=2_000, unit="bars")


def find(name: object, known: Mapping[str, Indicator]) -> Indicator:
    """Raises UnknownIndicator with what may have been meant."""
    if isinstance(name, str) and name in known:
        return known[name]
    raise UnknownIndicator(str(name)[:60], closest(str(name)[:60], list(known)))


def ema_settled(period_bars: int) -> int:
    """After that many bars less than a thousandth of what an exponential average knew at first is left in it."""
    return int(np.ceil(3.5 * (period_bars + 1)))


def wilder_settled(period_bars: int) -> int:
    """The same for Wilder's slower smoothing, as in RSI, ATR and ADX."""
    return 7 * period_bars


def shown(value: object) -> str:
    """A value that somebody gave, as short as it has to be in a sentence."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _unknown(name: str, of: str, known: Sequence[str]) -> str:
    if not known:
        return f"{of} takes no parameters."
    meant = closest(name, known, most=1)
    hint = f"Did you mean '{meant[0]}'?" if meant else f"There are: {', '.join(known)}."
    return f"{of} has no parameter '{name[:60]}'. {hint}"
