"""Strategies by what a caller has in hand: a name, a file, a class of one's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from backend.backtesting.record import Record
    from backend.domain.strategies.base import TradingStrategy
    from backend.domain.strategies.registry import Listed


def strategies() -> "pd.DataFrame":
    """All strategies of this installation, a row each.

    >>> "sma_cross" in set(strategies()["name"])
    True
    """
    import pandas as pd

    from backend.bootstrap_research import open_registry

    rows = []
    for listed in open_registry():
        told = listed.describe()
        defaults = {name: facts.get("default") for name, facts in told["parameters"].get("properties", {}).items()}
        about = told["description"].partition("\n")[0]
        rows.append({"name": listed.name, "about": about, "parameters": defaults, "from": listed.origin})
    return pd.DataFrame(rows)


def strategy_of(strategy: "str | Path | type[TradingStrategy] | TradingStrategy") -> "tuple[Listed, dict[str, Any]]":
    """Where it is listed, and the parameters that it brings. Raises UnknownStrategy, InvalidInput."""
    from backend.bootstrap_research import find_strategy
    from backend.domain.strategies.base import TradingStrategy
    from backend.domain.strategies.registry import Listed
    from backend.research.refusing import refused

    if isinstance(strategy, str | Path):
        return find_strategy(str(strategy)), {}
    if isinstance(strategy, TradingStrategy):
        return Listed(strategy=type(strategy), origin="this program"), strategy.parameters.model_dump()
    anything: Any = strategy
    if isinstance(anything, type) and issubclass(anything, TradingStrategy):
        return Listed(strategy=anything, origin="this program"), {}
    words = "A strategy is a name, the path of a .py file, or a class that inherits from TradingStrategy"
    raise refused("/strategy", f"{words}; this is {anything!r:.60}.")


def not_both(listed: "Listed", rules: Mapping[str, Any]) -> None:
    from backend.research.refusing import refused

    both = [name for name in rules if name in listed.strategy.Parameters.model_fields]
    if both:
        detail = (
            f"{both[0]} is a trading rule and also a parameter of {listed.name}."
            f" Give the parameter as parameters={{'{both[0]}': ...}}."
        )
        raise refused(f"/{both[0]}", detail)


def place_of(record: "Record") -> str:
    """A strategy of a file is found by its file, any other by its name."""
    origin = str(record.manifest["strategy"]["origin"])
    return origin if origin.endswith(".py") and Path(origin).is_file() else record.config.strategy
