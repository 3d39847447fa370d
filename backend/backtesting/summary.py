"""A finished run in plain text, for a terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from backend.backtesting.wording import Line, groups_of
from backend.domain import format as say

if TYPE_CHECKING:
    from backend.backtesting.record import Record

# Two groups side by side, and what they take at least.
_COLUMN: Final = 46
_GAP: Final = 3


def summary(record: "Record", width: int = 100) -> str:
    """Statistics in groups, the missing ones with their reasons, the notes, and the trust panel where there is one."""
    groups = groups_of(record.statistics, record.currency)
    blocks = [_block(title, lines) for title, lines in groups.items()]
    parts = [_head(record), *(_side_by_side(blocks) if width >= 2 * _COLUMN + _GAP else ["\n".join(b) for b in blocks])]
    if reasons := _reasons(groups):
        parts.append("\n".join(["Not computed", *reasons]))
    if record.notes:
        parts.append("\n".join(["Notes", *(f"  {note['text']}" for note in record.notes)]))
    if record.trust is not None:
        parts.append("\n".join(["Trust", *map(_check, record.trust["checks"])]))
    return "\n\n".join(parts)


def _check(check: Mapping[str, Any]) -> str:
    return f"  {check['verdict']:<9} {check['title']}: {check['sentence']}"


def _head(record: "Record") -> str:
    data = record.manifest["data"]
    simulated = " (simulated)" if record.is_simulated else ""
    lines = [
        f"{record.title}{simulated}",
        f"{sum(one['bars'] for one in data):,} bars, {_minute(data[0]['first'])} to {_minute(data[0]['last'])} UTC",
        parameters_in_words(record.manifest["parameters"]) or "no parameters",
        rules_in_words(record.config.trading.model_dump(mode="json")),
    ]
    if record.id:
        lines.append(f"saved as {record.id}")
    return "\n".join(lines)


def parameters_in_words(parameters: "dict[str, Any]") -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in parameters.items())


def rules_in_words(trading: "dict[str, Any]") -> str:
    """What trading cost, and all rules that are not the default."""
    return ", ".join([*_costs(trading["costs"]), *_entries(trading), *_exits(trading["execution"])])


def _entries(trading: "dict[str, Any]") -> list[str]:
    sizing, execution = trading["sizing"], trading["execution"]
    percent, amount = f"{sizing['percent'] or 0:g} %", f"{sizing['amount'] or 0:,g}"
    sizes = {
        "fraction": f"{percent} of equity an entry",
        "notional": f"{amount} of money an entry",
        "quantity": f"{amount} units an entry",
        "volatility": f"sized for {percent} volatility a year",
        "risk": f"{percent} of equity at risk an entry",
    }
    parts = [{"both": "long and short", "short": "short only"}.get(execution["sides"]), sizes.get(sizing["method"])]
    if execution["leverage"] != 1:
        parts.append(f"leverage {execution['leverage']:g}")
    if execution["most_positions"]:
        parts.append(f"positions at most {execution['most_positions']:,}")
    if execution["limit_life_bars"]:
        parts.append(f"limits for {execution['limit_life_bars']:,} bars")
    if execution["volume_percent"]:
        rest = "carried over" if execution["remainder"] == "carry" else "cancelled"
        parts.append(f"at most {execution['volume_percent']:g} % of a bar's volume and the rest {rest}")
    return [part for part in parts if part]


def _exits(execution: "dict[str, Any]") -> list[str]:
    names = {"stop_percent": "stop", "target_percent": "target", "trail_percent": "trailing stop"}
    parts = [f"{name} {execution[field]:g} %" for field, name in names.items() if execution[field] is not None]
    if execution["intrabar"] != "pessimistic":
        parts.append(f"{execution['intrabar']} inside a bar")
    if execution["detail"]:
        parts.append(f"bars of {execution['detail']} inside")
    return parts


def _costs(costs: "dict[str, float]") -> list[str]:
    parts = [f"fee {say.bps(costs['taker_bps'])}"]
    if costs["maker_bps"] != costs["taker_bps"]:
        parts.append(f"maker {say.bps(costs['maker_bps'])}")
    for name in ("slippage", "spread", "impact"):
        if costs[f"{name}_bps"]:
            parts.append(f"{name} {say.bps(costs[f'{name}_bps'])}")
    if costs["minimum_fee"]:
        parts.append(f"at least {say.fixed(costs['minimum_fee'], 2)} an order")
    if costs["borrow_percent_a_year"]:
        parts.append(f"interest {say.fixed(costs['borrow_percent_a_year'], 2)} % a year")
    return parts


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _minute(iso: str) -> str:
    return iso[:16].replace("T", " ")


def _block(title: str, lines: Sequence[Line]) -> list[str]:
    return [title, *(f"  {line.label:<26} {line.value:>16}" for line in lines)]


def _side_by_side(blocks: Sequence[list[str]]) -> list[str]:
    rows = []
    for place in range(0, len(blocks), 2):
        left = blocks[place]
        right = blocks[place + 1] if place + 1 < len(blocks) else []
        height = max(len(left), len(right))
        pairs = zip(left + [""] * (height - len(left)), right + [""] * (height - len(right)), strict=True)
        rows.append("\n".join(f"{one:<{_COLUMN + _GAP}}{two}".rstrip() for one, two in pairs))
    return rows


def _reasons(groups: "dict[str, list[Line]]") -> list[str]:
    """Each reason once, with all that it keeps away."""
    by_reason: dict[str, list[str]] = {}
    for lines in groups.values():
        for line in lines:
            if line.reason:
                by_reason.setdefault(line.reason, []).append(line.label)
    return [f"  {', '.join(labels)}: {reason}" for reason, labels in by_reason.items()]
