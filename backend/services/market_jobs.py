"""What the jobs about market data carry: series and spans as JSON, and back."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from backend.domain.market import Adjustment, Series, Span, Timeframe
from backend.domain.market_ports import SeriesEntry


def fetch_payload(entry: SeriesEntry, spans: Sequence[Span]) -> dict[str, Any]:
    """What the handler of a fetch needs."""
    return {
        "series_id": str(entry.id),
        "series": series_facts(entry.series),
        "spans": [[span.start.isoformat(), span.end.isoformat()] for span in spans],
    }


def series_facts(series: Series) -> dict[str, Any]:
    """A series as JSON."""
    return {
        "provider": series.provider,
        "symbol": series.symbol,
        "timeframe": series.timeframe,
        "adjustment": series.adjustment,
        "owner": str(series.owner) if series.owner else None,
    }


def series_of(facts: Mapping[str, Any]) -> Series:
    """The series of such JSON."""
    return Series(
        provider=facts["provider"],
        symbol=facts["symbol"],
        timeframe=Timeframe(facts["timeframe"]),
        adjustment=Adjustment(facts["adjustment"]),
        owner=UUID(facts["owner"]) if facts["owner"] else None,
    )


def spans_of(payload: Mapping[str, Any]) -> list[Span]:
    return [
        Span(start=datetime.fromisoformat(start), end=datetime.fromisoformat(end)) for start, end in payload["spans"]
    ]
