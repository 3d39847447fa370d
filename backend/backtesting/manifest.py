"""What a result was made from, by content, so that it can be made again or the change be named."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from backend.backtesting.run import Run
from backend.domain.market_ports import Loaded
from backend.version import VERSION

FORMAT: Final = 1
_BACKEND: Final = Path(__file__).resolve().parent.parent
_ENGINE: Final = ("backtesting/engine.py", "backtesting/kernel.py", "domain/signals.py", "domain/trading/*.py")


def manifest_of(run: Run) -> dict[str, Any]:
    """A JSON document. What of it decides the result is compared by `changes`."""
    return {
        "format": FORMAT,
        "code": {"version": VERSION, "engine": engine_hash(), **_libraries()},
        "strategy": {
            "name": run.strategy.name,
            "origin": run.listed.origin,
            "source_hash": run.listed.source_hash,
        },
        "parameters": run.parameters,
        "data": [_data(history, run.details.get(history.series.symbol)) for history in run.histories],
        "trading": run.config.trading.model_dump(mode="json"),
        "seed": run.config.seed,
        "outcome": {
            "trades": len(run.result.trades),
            "trades_hash": _digest(run.result.trades),
            "equity_hash": _digest(run.result.equity),
        },
    }


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Which inputs differ, a sentence each; none when both were made from the same."""
    found = _data_changes(before["data"], now["data"])
    if before["strategy"]["source_hash"] != now["strategy"]["source_hash"]:
        found.append(
            f"The source of the strategy {now['strategy']['name']} changed:"
            f" {_short(before['strategy']['source_hash'])} then, {_short(now['strategy']['source_hash'])} now."
        )
    found += _value_changes("parameter", before["parameters"], now["parameters"])
    found += _value_changes("trading rule", _flat(before["trading"]), _flat(now["trading"]))
    if before["seed"] != now["seed"]:
        found.append(f"The seed changed: {before['seed']} then, {now['seed']} now.")
    for part, words in (("engine", "The engine's code"), ("version", "Tidemark's version")):
        if before["code"][part] != now["code"][part]:
            found.append(f"{words} changed: {_short(before['code'][part])} then, {_short(now['code'][part])} now.")
    return found


@cache
def engine_hash() -> str:
    """Of all that turns signals into fills; another hash may mean other fills."""
    digest = hashlib.sha256()
    for pattern in _ENGINE:
        for path in sorted(_BACKEND.glob(pattern)):
            digest.update(path.name.encode())
            digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def _data(history: Loaded, detail: Loaded | None) -> dict[str, Any]:
    bars, instrument = history.bars, history.instrument
    return {
        "provider": history.series.provider,
        "symbol": history.series.symbol,
        "timeframe": history.series.timeframe.value,
        "adjustment": history.series.adjustment.value,
        "content_hash": history.content_hash,
        "detail_hash": None if detail is None else detail.content_hash,
        "bars": len(bars),
        "first": bars["ts"].iloc[0].isoformat(),
        "last": bars["ts"].iloc[-1].isoformat(),
        "instrument": {
            "name": instrument.name,
            "calendar": instrument.calendar,
            "currency": instrument.currency,
            "tick": instrument.tick,
            "lot": instrument.lot,
            "is_simulated": instrument.is_simulated,
        },
    }


def _libraries() -> dict[str, str]:
    import numba  # noqa: PLC0415  # loaded by the engine already

    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "numba": numba.__version__,
    }


def _digest(values: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def _data_changes(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[str]:
    found = []
    old = {one["symbol"]: one for one in before}
    new = {one["symbol"]: one for one in now}
    for symbol in sorted(old.keys() ^ new.keys()):
        found.append(f"The symbol {symbol} was {'added' if symbol in new else 'left out'}.")
    for symbol in sorted(old.keys() & new.keys()):
        then, today = old[symbol], new[symbol]
        if then["content_hash"] != today["content_hash"]:
            found.append(
                f"The bars of {symbol} changed: {then['bars']:,} then ({_short(then['content_hash'])}),"
                f" {today['bars']:,} now ({_short(today['content_hash'])})."
            )
        if then["detail_hash"] != today["detail_hash"]:
            found.append(f"The shorter bars of {symbol}, which decide inside its bars, changed.")
        found += _value_changes(f"fact of {symbol}", then["instrument"], today["instrument"])
    return found


def _value_changes(kind: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [
        f"The {kind} {name} changed: {before.get(name, 'none')} then, {now.get(name, 'none')} now."
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]


def _flat(document: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in document.items():
        flat |= _flat(value, f"{at}{name}.") if isinstance(value, Mapping) else {f"{at}{name}": value}
    return flat


def _short(text: str) -> str:
    return text[:12]
