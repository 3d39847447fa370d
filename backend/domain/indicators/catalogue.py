"""All indicators by name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from backend.domain.indicators.declared import Floats, Indicator, find
from backend.domain.indicators.momentum import MOMENTUM
from backend.domain.indicators.trend import TREND
from backend.domain.indicators.volatility import VOLATILITY
from backend.domain.indicators.volume import VOLUME

INDICATORS: Final[Mapping[str, Indicator]] = MappingProxyType(
    {each.name: each for each in (*TREND, *MOMENTUM, *VOLATILITY, *VOLUME)}
)


def indicator(name: object) -> Indicator:
    """Raises UnknownIndicator with what may have been meant."""
    return find(name, INDICATORS)


def compute(name: str, columns: Mapping[str, Any], **parameters: Any) -> dict[str, Floats]:
    """Each output of an indicator over columns of bars: `moments`, `open`, `high`, `low`, `close`, `volume`."""
    return indicator(name).compute(columns, parameters)


def describe() -> list[dict[str, Any]]:
    """All of them, for the web app."""
    return [each.describe() for each in INDICATORS.values()]
