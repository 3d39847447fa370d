"""What a benchmark says: figures, each beside the limit or the peer of the same run, for people or as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

OURS = "tidemark"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number. `goal` and `reached` are for our own rows alone."""

    work: str
    engine: str
    value: float
    unit: str
    # Against the limit or the peer of the same run; says what `ratio_to` is.
    ratio: float | None = None
    ratio_to: str | None = None
    goal: str | None = None
    reached: bool | None = None


def at_most(work: str, value: float, unit: str, most: float, **compared: Any) -> Figure:
    """Our figure, which should not be above the goal."""
    return _ours(work, value, unit, f"<= {most:g} {unit}".rstrip(), reached=value <= most, compared=compared)


def at_least(work: str, value: float, unit: str, least: float, **compared: Any) -> Figure:
    """Our figure, which should not be below the goal."""
    return _ours(work, value, unit, f">= {least:,g} {unit}".rstrip(), reached=value >= least, compared=compared)


def ratio_at_most(work: str, value: float, unit: str, other: float, most: float, *, to: str) -> Figure:
    """Our figure, which should be at most so many times the other's."""
    ratio = value / other
    return _ours(
        work, value, unit, f"<= {most:g}x {to}", reached=ratio <= most, compared={"ratio": ratio, "ratio_to": to}
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def present(name: str, figures: Sequence[Figure], *, as_json: bool) -> None:
    if as_json:
        rows = [{key: value for key, value in asdict(figure).items() if value is not None} for figure in figures]
        print(json.dumps({"bench": name, "machine": machine(), "figures": rows}, indent=1))
        return
    table = Table(
        title=f"{name} on {machine()['cores']} cores, Python {platform.python_version()}", title_justify="left"
    )
    for head, justify in (
        ("work", "left"),
        ("engine", "left"),
        ("value", "right"),
        ("ratio", "right"),
        ("goal", "left"),
    ):
        table.add_column(head, justify=justify, overflow="fold")  # type: ignore[arg-type]  # a literal in a tuple
    for figure in figures:
        table.add_row(figure.work, figure.engine, _value(figure), _ratio(figure), _goal(figure))
    Console().print(table)


def machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        # What else the machine did: figures of a busy one say less.
        "load_before": LOAD_BEFORE,
    }


LOAD_BEFORE = round(os.getloadavg()[0], 2)

Bench = Callable[[], Sequence[Figure]]


def _ours(work: str, value: float, unit: str, goal: str, *, reached: bool, compared: dict[str, Any]) -> Figure:
    # What numpy compares is a bool that JSON does not know.
    return Figure(work=work, engine=OURS, value=value, unit=unit, goal=goal, reached=bool(reached), **compared)


def _value(figure: Figure) -> str:
    digits = 0 if figure.value >= 1000 else 1 if figure.value >= 100 else 2 if figure.value >= 1 else 3
    return f"{figure.value:,.{digits}f} {figure.unit}"


def _ratio(figure: Figure) -> str:
    return "" if figure.ratio is None else f"{figure.ratio:,.2f}x {figure.ratio_to or ''}".strip()


def _goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    return f"{figure.goal}: {'reached' if figure.reached else 'MISSED'}"
