"""A series in the words of the data commands, and as the document that they print."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.domain.market import Series
    from backend.domain.market_ports import Manifest

# Whose what the terminal imports is: this machine's.
THIS_MACHINE = "00000000-0000-0000-0000-000000000000"


def is_ours(series: "Series") -> bool:
    """Everybody's, or imported on this machine."""
    return str(series.owner or THIS_MACHINE) == THIS_MACHINE


def named(series: "Series") -> str:
    """With whose it is, since two users may call their imports alike."""
    return str(series) if is_ours(series) else f"{series} of user {series.owner}"


def facts_of_series(series: "Series", problem: str | None = None) -> dict[str, Any]:
    return {
        "provider": series.provider,
        "symbol": series.symbol,
        "timeframe": series.timeframe,
        "adjustment": series.adjustment,
        "problem": problem,
    }


def facts_of(manifest: "Manifest") -> dict[str, Any]:
    return {
        **facts_of_series(manifest.series),
        "rows": manifest.rows,
        "size_bytes": manifest.size_bytes,
        "first": manifest.first.isoformat() if manifest.first else None,
        "last": manifest.last.isoformat() if manifest.last else None,
        "content_hash": manifest.content_hash,
        "is_simulated": manifest.instrument.is_simulated,
    }


def line_of(facts: dict[str, Any] | None) -> str:
    if facts is None:
        return "Nothing is stored."
    adjusted = "" if facts["adjustment"] == "raw" else f" adjusted for {facts['adjustment']}"
    what = f"{facts['provider']} {facts['symbol']} {facts['timeframe']}{adjusted}"
    if facts["problem"]:
        return f"{what}: cannot be read. {facts['problem']}"
    simulated = " (simulated)" if facts["is_simulated"] else ""
    if not facts["rows"]:
        return f"{what}{simulated}: no bars"
    first, last = (facts[name][:16].replace("T", " ") for name in ("first", "last"))
    return f"{what}{simulated}: {facts['rows']:,} bars, {first} to {last} UTC"
