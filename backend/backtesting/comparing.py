"""Finished runs beside each other: what was different about them, what came out differently, and whether it is luck."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from backend.backtesting.record import Record
from backend.domain.bars import start_microseconds
from backend.domain.errors import InputError, InvalidInput
from backend.domain.trading.daily import DailyEquity
from backend.domain.trading.evidence import sharpe_interval
from backend.domain.trading.statistics import Missing

FEWEST, MOST = 2, 20

Floats = npt.NDArray[np.float64]


def comparison(records: Sequence[Record], *, seed: int = 0) -> dict[str, Any]:
    """As JSON: the runs, the inputs and figures in which they differ, and each later run against the first."""
    if not FEWEST <= len(records) <= MOST:
        detail = f"There are {len(records)} runs; from {FEWEST} to {MOST} can be compared."
        raise InvalidInput([InputError(pointer="/ids", detail=detail)], detail)
    return {
        "runs": [{"id": each.id, "title": each.title} for each in records],
        "inputs": _different([_inputs(each) for each in records]),
        "figures": _different([dict(each.statistics.values) for each in records]),
        "differences": [_difference(records[0], each, seed) for each in records[1:]],
    }


def _inputs(record: Record) -> dict[str, Any]:
    found: dict[str, Any] = {"strategy": record.config.strategy}
    found |= {f"parameter {name}": value for name, value in record.manifest["parameters"].items()}
    for one in record.manifest["data"]:
        about = f"{one['provider']} {one['timeframe']} {one['first'][:16]} to {one['last'][:16]}"
        found[f"bars of {one['symbol']}"] = f"{about}, {one['content_hash'][:12]}"
    found |= _flat(record.manifest["trading"])
    return {**found, "seed": record.config.seed, "engine": str(record.manifest["code"]["engine"])[:12]}


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in document.items():
        flat |= _flat(value) if isinstance(value, Mapping) else {name: value}
    return flat


def _different(several: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Only what is not the same in all of them; nothing where one lacks it."""
    names = list(dict.fromkeys(name for each in several for name in each))
    rows = [{"name": name, "values": [each.get(name) for each in several]} for name in names]
    return [row for row in rows if any(value != row["values"][0] for value in row["values"])]


def _difference(first: Record, other: Record, seed: int) -> dict[str, Any]:
    """How sure it is that one is better: of their daily difference, on the days that both have."""
    about: dict[str, Any] = {"of": other.id, "against": first.id}
    try:
        one, two = _daily(first), _daily(other)
        gained = _gained(one, two)
        found = sharpe_interval(gained, one.periods_a_year, seed=seed)
    except Missing as reason:
        return {**about, "missing": str(reason)}
    verdict = "better" if found.low > 0 else "worse" if found.high < 0 else "not told apart"
    interval = {"low": found.low, "high": found.high, "level": found.level}
    a_year = float(gained.mean()) * one.periods_a_year
    return {**about, "days": len(gained), "a_year": a_year, "ratio": interval, "verdict": verdict}


def _daily(record: Record) -> DailyEquity:
    timeframe = record.config.series[0].timeframe
    return DailyEquity.of(
        start_microseconds(record.equity) + timeframe.seconds * 1_000_000,
        record.equity["equity"].to_numpy(np.float64),
        start=record.config.trading.cash,
        calendar=record.manifest["data"][0]["instrument"]["calendar"],
        timeframe=timeframe,
    )


def _gained(one: DailyEquity, two: DailyEquity) -> Floats:
    """What the second made more than the first on each day that both have."""
    _, here, there = np.intersect1d(one.days, two.days, return_indices=True)
    if len(here) < FEWEST:
        raise Missing("They have no two days in common.")
    gained: Floats = two.returns[there] - one.returns[here]
    return gained
