"""Charts as SVG that stretches to its place, with labels as text beside it: readable on a phone and on paper."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.backtesting.report.escaping import text
from backend.domain import format as say

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

# Below it a logarithm has no number.
_FINEST: Final = 1e-300
_WIDE: Final = 1000
_HIGH: Final = 400
_STRETCHES: Final = 600  # a curve is drawn with at most two points of each
_MANY_TIMES: Final = 8.0
_BINS: Final = 31


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One line of a chart: its class, what it is called, and a value a bar; NaN where there is none."""

    kind: str
    label: str
    values: Floats


def equity_chart(starts: Ints, curves: Sequence[Curve]) -> str:
    """On a logarithmic scale where money grew or shrank manifold."""
    known = np.concatenate([curve.values[np.isfinite(curve.values)] for curve in curves])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    logarithmic = low > 0 and high / low > _MANY_TIMES
    if logarithmic:
        low, high, steps = math.log(low), math.log(high), 4
        labels = [say.compact(float(f"{math.exp(low + (high - low) * at / steps):.3g}")) for at in range(steps + 1)]
    else:
        low, high, steps = _round_range(low, high)
        labels = [say.compact(float(f"{low + (high - low) * at / steps:.9g}")) for at in range(steps + 1)]

    def height(values: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            return ((np.log(values) if logarithmic else values) - low) / (high - low)

    paths = "".join(f'<path class="{curve.kind}" d="{_path(starts, height(curve.values))}"/>' for curve in curves[::-1])
    legend = "".join(
        f'<span><svg viewBox="0 0 20 8" aria-hidden="true"><path class="{curve.kind}" d="M0 4H20"/></svg>'
        f"{text(curve.label)}</span>"
        for curve in curves
    )
    told = f"{curves[0].label} from {say.compact(_first(curves[0]))} to {say.compact(_last(curves[0]))}"
    hints = [hint for hint in (_thinned(len(starts)), "Logarithmic scale." if logarithmic else "") if hint]
    return _figure(paths, labels, _dates(starts), steps, told, "tall", legend=legend, hint=" ".join(hints))


def drawdown_chart(starts: Ints, equity: Floats) -> str:
    peaks = np.maximum.accumulate(equity)
    depth = np.divide(equity, peaks, out=np.ones_like(equity), where=peaks > 0) - 1.0
    low, _, steps = _round_range(float(depth.min(initial=0.0)), 0.0)
    low = min(low, -1e-4)
    labels = [say.percent(low * (1 - at / steps), 0 if low <= -0.05 else 2) for at in range(steps + 1)]
    path = _path(starts, 1.0 - depth / low)
    filled = f"{path}V0H0Z" if path else ""
    told = f"The deepest fall below a peak was {say.percent(float(depth.min(initial=0.0)))}"
    return _figure(
        f'<path class="under" d="{filled}"/>', labels, _dates(starts), steps, told, "low", hint=_thinned(len(starts))
    )


def histogram(returns: Floats) -> str:
    """Of the returns of trades; the outermost bars hold all that lies beyond them."""
    if not len(returns):
        return '<p class="hint">There is no closed trade to show.</p>'
    reach = float(np.quantile(np.abs(returns), 0.98)) or 0.01
    width = _round_step(2 * reach / _BINS)
    half = max(1, min(_BINS // 2 + 1, math.ceil(reach / width)))
    # What is 0 belongs to the losses, as it is not won.
    places = np.clip(np.ceil(returns / width) - 1, -half, half - 1).astype(np.int64) + half
    counts = np.bincount(places, minlength=2 * half)
    _, high, steps = _round_range(0.0, float(counts.max()))
    each = _WIDE / (2 * half)
    bars = "".join(
        f'<rect class="{"lost" if place < half else "won"}" x="{place * each + each * 0.08:.1f}"'
        f' y="{_HIGH - count / high * _HIGH:.1f}" width="{each * 0.84:.1f}" height="{count / high * _HIGH:.1f}">'
        f"<title>{count:,} {'trade' if count == 1 else 'trades'},"
        f" {_between(place, half, width)}</title></rect>"
        for place, count in enumerate(counts.tolist())
        if count
    )
    digits = 0 if width >= 0.01 else 1 if width >= 0.001 else 2
    labels = [say.change((at - 2) / 2 * half * width, digits) for at in range(5)]
    told = f"{len(returns):,} closed trades by their return, {int((returns > 0).sum()):,} of them won"
    zero = f'<line class="zero" x1="{_WIDE / 2}" x2="{_WIDE / 2}" y1="0" y2="{_HIGH}"/>'
    counted = [say.integer(round(high * at / steps)) for at in range(steps + 1)]
    return _figure(bars + zero, counted, labels, steps, told, "middle", hint="Trades by return, after costs.")


def thin(values: Floats, stretches: int = _STRETCHES) -> Ints:
    """Which rows to draw: of each stretch the lowest and the highest, so that no peak and no trough is lost."""
    count = len(values)
    if count <= 2 * stretches:
        return np.arange(count)
    edges = np.linspace(0, count, stretches + 1).astype(np.int64)
    kept = {0, count - 1}
    for begin, end in pairwise(edges):
        part = values[begin:end]
        if np.isfinite(part).any():
            kept.update((int(begin + np.nanargmin(part)), int(begin + np.nanargmax(part))))
    return np.array(sorted(kept))


def _path(starts: Ints, heights: Floats) -> str:
    """`heights` are 0 at the bottom and 1 at the top."""
    if not len(starts):
        return ""
    rows = thin(heights)
    rows = rows[np.isfinite(heights[rows])]
    span = max(int(starts[-1] - starts[0]), 1)
    across = (starts[rows] - starts[0]) / span * _WIDE
    down = (1.0 - heights[rows]) * _HIGH
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(across.tolist(), down.tolist(), strict=True))


def _figure(
    inside: str,
    y_labels: Sequence[str],
    x_labels: Sequence[str],
    steps: int,
    told: str,
    size: str,
    *,
    legend: str = "",
    hint: str = "",
) -> str:
    lines = "".join(
        f'<line class="grid" x1="0" x2="{_WIDE}" y1="{_HIGH * at / steps:g}" y2="{_HIGH * at / steps:g}"/>'
        for at in range(steps + 1)
    )
    beside = "".join(f"<span>{text(label)}</span>" for label in y_labels[::-1])
    beneath = "".join(
        f'<span class="{"wide" if at % 2 else "end"}">{text(label)}</span>' for at, label in enumerate(x_labels)
    )
    return (
        "<figure>"
        + (f'<div class="legend">{legend}</div>' if legend else "")
        + f'<div class="plot {size}"><div class="y" aria-hidden="true">{beside}</div>'
        f'<svg viewBox="0 0 {_WIDE} {_HIGH}" preserveAspectRatio="none" role="img" aria-label="{text(told)}">'
        f'{lines}{inside}</svg><div class="x" aria-hidden="true">{beneath}</div></div>'
        + (f"<figcaption>{text(hint)}</figcaption>" if hint else "")
        + "</figure>"
    )


def _thinned(points: int) -> str:
    if points <= 2 * _STRETCHES:
        return ""
    drawn = f"Drawn with about {2 * _STRETCHES:,} of {points:,} points"
    return f"{drawn}: the lowest and the highest of each stretch are kept."


def _dates(starts: Ints) -> list[str]:
    if not len(starts):
        return []
    short = (starts[-1] - starts[0]) < 4 * 86_400_000_000
    at = [int(starts[0] + (starts[-1] - starts[0]) * part // 4) for part in range(5)]
    unit = "datetime64[m]" if short else "datetime64[D]"
    return [str(np.datetime64(one, "us").astype(unit)).replace("T", " ") for one in at]


def _round_range(low: float, high: float) -> tuple[float, float, int]:
    """A range of round ends around these, and into how many round steps it falls."""
    if high <= low:
        high, low = (low * 1.01, low * 0.99) if low > 0 else (low + 1.0, low)
    step = _round_step(max((high - low) / 4, _FINEST))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return first * step, last * step, max(1, last - first)


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * times for times in (1.0, 2.0, 2.5, 5.0, 10.0) if power * times >= least * (1 - 1e-9))


def _between(place: int, half: int, width: float) -> str:
    low, high = say.change((place - half) * width), say.change((place - half + 1) * width)
    if place == 0:
        return f"up to {high}"
    return f"above {low}" if place == 2 * half - 1 else f"{low} to {high}"


def _first(curve: Curve) -> float:
    return float(curve.values[0])


def _last(curve: Curve) -> float:
    return float(curve.values[-1])
