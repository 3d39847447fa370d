"""The one door to TA-Lib. It brings pandas along and takes its time, so it is opened when first needed."""

import importlib
from typing import Any

import numpy as np

from backend.domain.indicators.declared import Floats
from backend.domain.strategy_errors import MissingValues


def ta(function: str, *inputs: Floats, outputs: int = 1, **parameters: Any) -> tuple[Floats, ...]:
    """What TA-Lib's function gives: NaN before its first value, as long as its inputs.

    Values may begin late, as those of another indicator do. A hole after that would spoil every later value without
    a word, so it is refused.
    """
    begins = max((begin_of(values, f"input {place + 1} of {function}") for place, values in enumerate(inputs)))
    if begins >= len(inputs[0]):
        return tuple(np.full(len(inputs[0]), np.nan) for _ in range(outputs))
    made = getattr(importlib.import_module("talib"), function)(*inputs, **parameters)
    return made if isinstance(made, tuple) else (made,)


def begin_of(values: Floats, what: str) -> int:
    """The first row with a value, or the length where there is none. Raises MissingValues for holes after it."""
    good = np.isfinite(values)
    if good.all():
        return 0
    begins = int(good.argmax()) if good.any() else len(values)
    holes = np.flatnonzero(~good[begins:])
    if len(holes):
        raise MissingValues(what, count=len(holes), of=len(values), first=begins + int(holes[0]))
    return begins
