"""What a strategy is: a name, parameters that become a form, and signals from a market."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import getdoc
from types import MappingProxyType
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from backend.domain.errors import InputError
from backend.domain.indicators.catalogue import indicator
from backend.domain.market import Timeframe, closest
from backend.domain.signals import Signals
from backend.domain.strategies.market import Market
from backend.domain.strategy_errors import InvalidParameters


class StrategyParameters(BaseModel):
    """The parameters of a strategy: fields with bounds, a title, a unit and a description."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def parameter(
    default: Any,
    *,
    title: str,
    description: str,
    ge: float | None = None,
    le: float | None = None,
    gt: float | None = None,
    unit: str = "",
) -> Any:
    """One field of the form."""
    extra: dict[str, Any] = {"unit": unit} if unit else {}
    return Field(default, title=title, description=description, ge=ge, le=le, gt=gt, json_schema_extra=extra)


@dataclass(frozen=True, kw_only=True)
class Plot:
    """An indicator that a chart of this strategy shows by default."""

    indicator: str
    parameters: Mapping[str, int | float] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()  # none = all
    levels: tuple[float, ...] = ()  # lines at these heights, such as an RSI's 30 and 70

    @property
    def first(self) -> int:
        return indicator(self.indicator).bars_before_first(self.parameters)

    @property
    def settled(self) -> int:
        return indicator(self.indicator).bars_until_settled(self.parameters)

    def describe(self) -> dict[str, Any]:
        meant = indicator(self.indicator)
        return {
            "indicator": self.indicator,
            "parameters": meant.complete(self.parameters),
            "outputs": list(self.outputs or meant.outputs),
            "pane": meant.pane.value,
            "levels": list(self.levels),
        }


class TradingStrategy(ABC):
    """When to be long, short or out.

    Signals at bar t may use bars up to and including t, nothing later. Which sides may be traded, how much, and with
    which stops is the run's matter; a strategy may bring stops of its own.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    markets: ClassVar[str] = ""  # where it is at home, in words
    needs_symbols: ClassVar[bool] = False  # it compares symbols, and is asked for each of them
    learns: ClassVar[bool] = False  # it asks models, which the market has for it; another beginning is another lesson

    class Parameters(StrategyParameters):
        """None, unless a strategy says otherwise."""

    def __init__(self, parameters: StrategyParameters | None = None) -> None:
        self.parameters = self.Parameters() if parameters is None else parameters

    @classmethod
    def given(cls, parameters: Mapping[str, Any] = MappingProxyType({}), *, at: str = "/parameters") -> Self:
        """With these parameters, the others by default. Raises InvalidParameters; `at` begins its pointers."""
        try:
            return cls(cls.Parameters.model_validate(dict(parameters)))
        except ValidationError as problem:
            known = list(cls.Parameters.model_fields)
            raise InvalidParameters(cls.name, _problems(problem, cls.name, known, at)) from None

    @classmethod
    def numbers_within(cls, parameters: Mapping[str, Any]) -> Mapping[str, int | float]:
        """Numbers inside of parameters, by where they stand there: they can be tried as if each were a parameter."""
        return {}

    @classmethod
    def placed(cls, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Parameters as `given` takes them, with such numbers put where they stand."""
        return parameters

    @abstractmethod
    def generate_signals(self, market: Market) -> Signals:
        """Where to stand, as of the close of each bar."""

    def plots(self) -> tuple[Plot, ...]:
        """The indicators that explain it."""
        return ()

    def warmup(self) -> int:
        """After how many bars it no longer matters where history began."""
        return max((plot.settled for plot in self.plots()), default=0)

    def longer_warmup(self) -> Mapping[Timeframe, int]:
        """How many longer bars must have closed, of each length that it looks at besides its own."""
        return {}

    def warmup_on(self, timeframe: Timeframe) -> int:
        """The warm-up in bars of this length, in which longer bars take many."""
        longer = (-(-bars * length.seconds // timeframe.seconds) for length, bars in self.longer_warmup().items())
        return max((self.warmup(), *longer))

    def least_bars(self) -> int:
        """With fewer it can say nothing at all."""
        return max((plot.first for plot in self.plots()), default=self.warmup()) + 1

    @classmethod
    def describe(cls) -> dict[str, Any]:
        """For people and for the web app's form."""
        strategy = cls()
        return {
            "name": cls.name,
            "title": cls.title or cls.name.replace("_", " ").capitalize(),
            "description": getdoc(cls) or "",
            "markets": cls.markets,
            "needs_symbols": cls.needs_symbols,
            "parameters": cls.Parameters.model_json_schema(),
            "plots": [plot.describe() for plot in strategy.plots()],
            "warmup": strategy.warmup(),
            "longer_warmup": {length.value: bars for length, bars in strategy.longer_warmup().items()},
        }


def _problems(problem: ValidationError, of: str, known: list[str], at: str) -> list[InputError]:
    found = []
    for each in problem.errors(include_url=False):
        name = "/".join(str(part) for part in each["loc"])
        found.append(InputError(pointer=f"{at}/{name}" if name else at, detail=_sentence(each, name, of, known)))
    return found


def _sentence(error: Any, name: str, of: str, known: list[str]) -> str:
    """What pydantic found, as a trader would be told."""
    facts, kind, value = error.get("ctx", {}), error["type"], error["input"]
    given = value if isinstance(value, int | float) else repr(value)[:40]
    limits = {
        "greater_than_equal": f"at least {facts.get('ge')} is needed",
        "less_than_equal": f"at most {facts.get('le')} is allowed",
        "greater_than": f"more than {facts.get('gt')} is needed",
        "less_than": f"less than {facts.get('lt')} is allowed",
        "literal_error": f"{facts.get('expected')} is needed",
        "enum": f"{facts.get('expected')} is needed",
        "finite_number": "a finite number is needed",
    }
    if kind == "extra_forbidden":
        meant = closest(name, known, most=1)
        hint = f"Did you mean '{meant[0]}'?" if meant else f"There are: {', '.join(known) or 'none'}."
        return f"{of} has no parameter '{name[:60]}'. {hint}"
    if kind == "value_error":
        return str(facts["error"])
    if kind in limits:
        return f"{name} is {given}; {limits[kind]}."
    if kind.startswith("int_"):
        return f"{name} is {given}; a whole number is needed."
    if kind.startswith("float_"):
        return f"{name} is {given}; a number is needed."
    return f"{name} is {given}; {error['msg'][:1].lower()}{error['msg'][1:]}."
