"""The part of the composition root that research opens: bars, strategies and stored runs, without a database.

Each function imports and reads only what it needs: a run over a file reads no settings.
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from backend.backtesting.ledger import Ledger
    from backend.data.storage.model_shelf import ModelShelf
    from backend.data.storage.runs import RunShelf
    from backend.data.storage.studies import StudyShelf
    from backend.domain.market import Series, Timeframe
    from backend.domain.market_ports import Loaded, TradingCalendar
    from backend.domain.ml.forecaster import Forecaster
    from backend.domain.ml.walk_forward import WalkForward
    from backend.domain.strategies.registry import Listed, StrategyRegistry


def bars_of_file(path: Path, *, symbol: str, timeframe: "Timeframe | None", **reading: Any) -> "Loaded":
    from backend.data.research_bars import from_file

    return from_file(path, symbol=symbol, timeframe=timeframe, **reading)


def bars_of_cache(series: "Series", start: datetime | None, end: datetime | None) -> "Loaded":
    from backend.data.research_bars import from_cache

    return from_cache(_cache_dir(), series, start, end)


def bars_within(bars: "pd.DataFrame", start: datetime | None, end: datetime | None, what: str) -> "pd.DataFrame":
    from backend.data.research_bars import within

    return within(bars, start, end, what)


def open_registry() -> "StrategyRegistry":
    from backend.bootstrap_market import open_strategies
    from backend.settings import read_settings

    return open_strategies(read_settings())


def find_strategy(name: str) -> "Listed":
    """By its name, or the path of a file that holds one. Settings are only read for what is not built in."""
    from backend.domain.strategies.registry import StrategyRegistry, load_file

    if name.endswith(".py"):
        from backend.domain.errors import InputError, InvalidInput
        from backend.domain.strategy_errors import StrategyBroken

        if not Path(name).is_file():
            detail = f"There is no file {name}. Name a .py file with a strategy in it, or one that is built in."
            raise InvalidInput([InputError(pointer="/strategy", detail=detail)], detail)
        found = load_file(Path(name).resolve())
        if len(found) > 1:
            names = ", ".join(one.name for one in found)
            raise StrategyBroken(Path(name).stem, name, f"it holds {len(found)} strategies ({names}); one is needed")
        return found[0]
    built_in = StrategyRegistry(points=tuple)
    return built_in.get(name) if name in built_in.names else open_registry().get(name)


def predictions_for(listed: "Listed") -> "WalkForward | None":
    """None for strategies that ask no models: they need not wait for what models need."""
    if not listed.strategy.learns:
        return None
    from backend.bootstrap_market import open_predictions

    return open_predictions()


def open_forecaster() -> "Forecaster":
    from backend.bootstrap_market import open_forecaster as opened

    return opened()


def open_runs() -> "RunShelf":
    from backend.data.storage.runs import RunShelf

    return RunShelf(_cache_dir())


def open_model_shelf() -> "ModelShelf":
    from backend.data.storage.model_shelf import ModelShelf

    return ModelShelf(_cache_dir())


def open_studies() -> "StudyShelf":
    from backend.data.storage.studies import StudyShelf

    return StudyShelf(_cache_dir())


def open_ledger() -> "Ledger":
    """Of all that was tried on this machine."""
    from backend.backtesting.ledger import Ledger

    return Ledger(_cache_dir() / "ledger")


def open_calendar() -> "TradingCalendar":
    from backend.data.calendars import TradingCalendars

    return TradingCalendars()


def export_run(
    folder: Path, kind: str, document: Mapping[str, Any], tables: "Mapping[str, pd.DataFrame]", stem: str
) -> list[Path]:
    from backend.data.run_files import export

    return export(folder, kind, document, tables, stem)


def _cache_dir() -> Path:
    from backend.bootstrap_market import usable_cache_dir
    from backend.settings import read_settings

    return usable_cache_dir(read_settings().cache_dir)
