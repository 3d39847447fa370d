"""The parameters that are tried: values of each, from the strategy's own bounds and from what somebody asks for."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import product
from typing import Any, Final, Literal, Self, get_args, get_origin

import numpy as np
from pydantic.fields import FieldInfo

from backend.domain.errors import InputError
from backend.domain.market import closest
from backend.domain.optimisation_errors import InvalidSpace
from backend.domain.strategies.base import StrategyParameters, TradingStrategy
from backend.domain.strategy_errors import InvalidParameters, InvalidRules

AUTO: Final = "auto"
MOST_VALUES: Final = 100_000
# Each is asked about by itself; of numbers only the ends are.
MOST_WORDS: Final = 100
_AUTO_VALUES: Final = 10
# Bounds that lie so far apart are walked by factors, not by steps.
_WIDE: Final = 50
# Of a step: what rounding may leave before the end of a range.
_ROUNDING: Final = 1e-9
# No parameter is larger, and numbers up to here neither overflow nor lose their whole part.
_FARTHEST: Final = 1e15
_RANGE: Final = frozenset({"from", "to", "step"})

Value = int | float | bool | str
Combination = tuple[Value, ...]


@dataclass(frozen=True, kw_only=True)
class Count:
    """How much there is to do, said before it starts."""

    combinations: int
    valid: int
    skipped: int
    why: str | None  # what the strategy says of the first one it does not take


@dataclass(frozen=True, kw_only=True)
class ParameterSpace:
    """Values of some parameters of a strategy; the others stay what they are."""

    strategy: type[TradingStrategy]
    values: Mapping[str, tuple[Value, ...]]
    fixed: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        strategy: type[TradingStrategy],
        ranges: Mapping[str, Any],
        *,
        fixed: Mapping[str, Any] | None = None,
        at: str = "/space",
    ) -> Self:
        """`ranges` has a list of values, {"from", "to", "step"}, or "auto" for each parameter that is tried.

        Raises InvalidSpace, whose pointers begin with `at`.
        """
        others = dict(fixed or {})
        problems: list[InputError] = []
        values: dict[str, tuple[Value, ...]] = {}
        within = strategy.numbers_within(others)
        fields = strategy.Parameters.model_fields | {
            name: FieldInfo(annotation=type(number)) for name, number in within.items()
        }
        if not ranges:
            problems.append(InputError(pointer=at, detail=f"No parameter is tried. {_there_are(list(fields))}"))
        for name, asked in ranges.items():
            try:
                values[name] = _values_of(name, asked, fields, others)
            except _Unusable as problem:
                problems.append(InputError(pointer=f"{at}/{name}{problem.where}", detail=str(problem)))
        problems += [each for name in others if (each := _unknown(name, fields, at)) is not None]
        problems += _torn(strategy, ranges, within, at)
        if problems:
            raise InvalidSpace(strategy.name, problems)
        space = cls(strategy=strategy, values=values, fixed=others)
        space._check_bounds(at)
        return space

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.values)

    @property
    def combinations(self) -> int:
        return math.prod(len(values) for values in self.values.values())

    def count(self) -> Count:
        """Asks the strategy about every combination."""
        valid, why = 0, None
        for combination in self:
            found = self.parameters(combination)
            if isinstance(found, str):
                why = why or found
            else:
                valid += 1
        return Count(combinations=self.combinations, valid=valid, skipped=self.combinations - valid, why=why)

    def __iter__(self) -> Iterator[Combination]:
        """All combinations, the last parameter changing fastest."""
        return product(*self.values.values())

    def at(self, place: int) -> Combination:
        """The combination of that number in the order of iteration."""
        found: list[Value] = []
        for values in reversed(list(self.values.values())):
            place, which = divmod(place, len(values))
            found.append(values[which])
        return tuple(reversed(found))

    def parameters(self, combination: Sequence[Value]) -> StrategyParameters | str:
        """As the strategy takes them, or why it does not."""
        try:
            return self.strategy.given(self.placed(dict(zip(self.names, combination, strict=True)))).parameters
        except (InvalidParameters, InvalidRules) as problem:
            return problem.errors[0].detail

    def placed(self, tried: Mapping[str, Value]) -> Mapping[str, Any]:
        """All parameters of a run, with what is tried in its place."""
        return self.strategy.placed({**self.fixed, **tried})

    def neighbours(self, combination: Combination, among: Sequence[Combination]) -> list[int]:
        """Where those stand that are at most one value away in each parameter, itself left out; in order of iteration.

        All that there could be are 3 to the power of the parameters, so they are not made but looked for.
        """
        around = self._around(combination)
        found = [
            at
            for at, each in enumerate(among)
            if each != combination and all(value in near for value, near in zip(each, around, strict=True))
        ]
        return sorted(found, key=lambda at: [near.index(value) for value, near in zip(among[at], around, strict=True)])

    def count_neighbours(self, combination: Combination) -> int:
        """How many there could be."""
        return math.prod(map(len, self._around(combination))) - 1

    def _around(self, combination: Combination) -> list[tuple[Value, ...]]:
        return [self._beside(name, value) for name, value in zip(self.names, combination, strict=True)]

    def _beside(self, name: str, value: Value) -> tuple[Value, ...]:
        values = self.values[name]
        if isinstance(value, bool | str):
            return (value,)
        place = self._places[name][value]
        return values[max(place - 1, 0) : place + 2]

    @cached_property
    def _places(self) -> Mapping[str, Mapping[Value, int]]:
        return {name: {value: place for place, value in enumerate(values)} for name, values in self.values.items()}

    def _check_bounds(self, at: str) -> None:
        """Each value by itself, without what two parameters say about each other."""
        problems = []
        for name, values in self.values.items():
            for place, value in _ends(values):
                detail = self._out_of_bounds(name, value)
                if detail is not None:
                    problems.append(InputError(pointer=f"{at}/{name}/{place}", detail=detail))
        if problems:
            raise InvalidSpace(self.strategy.name, problems)

    def _out_of_bounds(self, name: str, value: Value) -> str | None:
        is_within = name not in self.strategy.Parameters.model_fields
        try:
            self.strategy.given(self.placed({name: value}) if is_within else {name: value}, at="")
        except (InvalidParameters, InvalidRules) as problem:
            return next((each.detail for each in problem.errors if is_within or each.pointer == f"/{name}"), None)
        return None


class _Unusable(Exception):
    """A range that cannot be used, and which part of it."""

    def __init__(self, detail: str, where: str = "") -> None:
        self.where = where
        super().__init__(detail)


def _values_of(name: str, asked: Any, fields: Mapping[str, FieldInfo], fixed: Mapping[str, Any]) -> tuple[Value, ...]:
    unknown = _unknown(name, fields, "")
    if unknown is not None:
        raise _Unusable(unknown.detail)
    if name in fixed:
        raise _Unusable(f"{name} is both tried and fixed at {fixed[name]}. Choose one.")
    if asked == AUTO:
        return _automatic(name, fields[name])
    if isinstance(asked, Mapping):
        return _range(name, asked, whole=fields[name].annotation is int)
    if isinstance(asked, Sequence) and not isinstance(asked, str):
        return _list(name, asked, are_numbers=fields[name].annotation in (int, float))
    raise _Unusable(f'{name} is {str(asked)[:40]!r}; give a list of values, {{"from", "to", "step"}} or "auto".')


def _list(name: str, asked: Sequence[Any], *, are_numbers: bool) -> tuple[Value, ...]:
    if not asked:
        raise _Unusable(f"{name} has no values. Give at least one.")
    possible = "numbers" if are_numbers else "numbers, words and true or false"
    for place, value in enumerate(asked):
        if not (_is_number(value) or (isinstance(value, bool | str) and not are_numbers)):
            raise _Unusable(f"{name} has the value {str(value)[:40]!r}; {possible} are possible.", f"/{place}")
    values = tuple(dict.fromkeys(asked))
    are_numbers = all(map(_is_number, values))
    most = MOST_VALUES if are_numbers else MOST_WORDS
    if len(asked) > most:
        raise _Unusable(
            f"{name} has {len(asked):,} values; at most {most:,} {'' if are_numbers else 'words '}are possible."
        )
    return tuple(sorted(values)) if are_numbers else values


def _is_number(value: object) -> bool:
    """One that no comparison and no step loses itself in."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -_FARTHEST <= value <= _FARTHEST


def _range(name: str, asked: Mapping[str, Any], *, whole: bool) -> tuple[Value, ...]:
    strange = sorted(set(asked) - _RANGE)
    if strange:
        raise _Unusable(f"A range has no '{strange[0]}'. It has from, to and step.", f"/{strange[0]}")
    for part in ("from", "to"):
        if part not in asked:
            raise _Unusable(f"The range of {name} lacks '{part}'.")
    given = {"step": 1 if whole else None, **asked}
    if given["step"] is None:
        raise _Unusable(f"The range of {name} lacks 'step'; only whole numbers go by 1 without one.")
    for part, value in given.items():
        if not _is_number(value):
            raise _Unusable(f"'{part}' of {name} is {str(value)[:40]!r}; a number is needed.", f"/{part}")
    low, high, step = given["from"], given["to"], given["step"]
    if step <= 0:
        raise _Unusable(f"The step of {name} is {step:g}; it has to be above 0.", "/step")
    if high < low:
        raise _Unusable(f"The range of {name} goes from {low:g} down to {high:g}. Turn it around.", "/to")
    steps = (high - low) / step + _ROUNDING
    if steps >= MOST_VALUES:
        many = f"{math.floor(steps) + 1:,}" if steps < _FARTHEST else "countless"
        raise _Unusable(f"The range of {name} has {many} values; at most {MOST_VALUES:,} are possible.", "/step")
    count = math.floor(steps) + 1
    if all(isinstance(value, int) for value in (low, step)):
        return tuple(low + place * step for place in range(count))
    # 0.1 + 2 * 0.1 is not 0.3; people mean 0.3.
    return tuple(float(f"{low + place * step:.12g}") for place in range(count))


def _automatic(name: str, field: FieldInfo) -> tuple[Value, ...]:
    """About ten values between the strategy's own bounds."""
    kind = field.annotation
    if kind is bool:
        return (False, True)
    if get_origin(kind) is Literal:
        return get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(each.value for each in kind)
    low, high = _bounds(field)
    if kind not in (int, float) or low is None or high is None:
        raise _Unusable(f"{name} has no bounds to choose values from. Give a list of values or a range.")
    is_wide = low > 0 and high / low > _WIDE
    spread = (np.geomspace if is_wide else np.linspace)(low, high, _AUTO_VALUES)
    if kind is int:
        return tuple(sorted({int(value) for value in np.clip(np.round(spread), low, high)}))
    return tuple(min(max(float(f"{value:.6g}"), low), high) for value in spread)


def _bounds(field: FieldInfo) -> tuple[float | None, float | None]:
    low = high = None
    for limit in field.metadata:
        low = getattr(limit, "ge", getattr(limit, "gt", low))
        high = getattr(limit, "le", getattr(limit, "lt", high))
    return low, high


def _ends(values: tuple[Value, ...]) -> Iterator[tuple[int, Value]]:
    """Of a row of numbers the first and the last are enough; of words, all."""
    places = sorted({0, len(values) - 1}) if all(map(_is_number, values)) else range(len(values))
    return ((place, values[place]) for place in places)


def _torn(
    strategy: type[TradingStrategy], ranges: Mapping[str, Any], within: Mapping[str, Any], at: str
) -> list[InputError]:
    """What is tried as a whole has no places that could be tried besides."""
    whole = next((name for name in ranges if name in strategy.Parameters.model_fields), None)
    detail = f"{whole} is tried as a whole, so no number in it can be tried besides. Choose one."
    return [InputError(pointer=f"{at}/{name}", detail=detail) for name in ranges if name in within and whole]


def _unknown(name: str, fields: Mapping[str, FieldInfo], at: str) -> InputError | None:
    if name in fields:
        return None
    meant = closest(name, list(fields), most=1)
    hint = f"Did you mean '{meant[0]}'?" if meant else _there_are(list(fields))
    return InputError(pointer=f"{at}/{name}", detail=f"There is no parameter '{name[:60]}'. {hint}")


def _there_are(names: Sequence[str]) -> str:
    return f"There are: {', '.join(names)}." if names else "The strategy has none."
