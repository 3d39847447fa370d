"""The report's tables. Every text goes through `text`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from backend.backtesting.report.escaping import text
from backend.backtesting.wording import Line
from backend.domain import format as say

if TYPE_CHECKING:
    import pandas as pd

_MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_STRONG, _SOME, _LITTLE = 0.08, 0.03, 0.0005
_MOST_GROUPS: Final = 24
_SHOWN_TRADES: Final = 5


def tone(value: str) -> str:
    """Gain or loss, for shares and money; a ratio or a skew is neither."""
    if value.lstrip(f"+{say.MINUS}").replace(".", "").replace(",", "").isdigit():
        return ""
    return "down" if value.startswith(say.MINUS) else "up" if value.startswith("+") else ""


def statistics_card(title: str, lines: Sequence[Line]) -> str:
    rows = "".join(_statistic(line) for line in lines)
    return f'<section class="card"><h2>{text(title)}</h2><table><tbody>{rows}</tbody></table></section>'


def _statistic(line: Line) -> str:
    if line.reason:
        return (
            f'<tr><th scope="row">{text(line.label)}<span class="why">{text(line.reason)}</span></th>'
            f'<td><span aria-label="not computed">{line.value}</span></td></tr>'
        )
    return f'<tr><th scope="row">{text(line.label)}</th><td class="{tone(line.value)}">{text(line.value)}</td></tr>'


def months_table(months: Sequence[Mapping[str, Any]]) -> str:
    years: dict[str, dict[int, float]] = {}
    for month in months:
        year, number = str(month["month"]).split("-")
        years.setdefault(year, {})[int(number)] = float(month["value"])
    if not years:
        return '<p class="hint">There is no whole month to show.</p>'
    head = "".join(f'<th scope="col">{name}</th>' for name in (*_MONTHS, "Year"))
    rows = "".join(
        f'<tr><th scope="row">{text(year)}</th>'
        + "".join(_month(values.get(number)) for number in range(1, 13))
        + f'<td class="total">{say.change(_compound(values), 1)}</td></tr>'
        for year, values in sorted(years.items())
    )
    return (
        f'<div class="scroll"><table class="months"><thead><tr><th scope="col"></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _month(value: float | None) -> str:
    if value is None:
        return "<td></td>"
    size = abs(value)
    level = 3 if size >= _STRONG else 2 if size >= _SOME else 1 if size >= _LITTLE else 0
    kind = f"{'g' if value > 0 else 'l'}{level}" if level else ""
    return f'<td class="{kind}">{say.change(value, 1)}</td>'


def _compound(values: Mapping[int, float]) -> float:
    whole = 1.0
    for value in values.values():
        whole *= 1.0 + value
    return whole - 1.0


def groups_card(title: str, rows: Sequence[Mapping[str, Any]], currency: str) -> str:
    """Trades that have something in common; of very many the latest."""
    shown = rows[-_MOST_GROUPS:]
    hint = f'<p class="hint">The latest {len(shown)} of {len(rows):,}.</p>' if len(shown) < len(rows) else ""
    body = "".join(
        f'<tr><th scope="row">{text(row["key"])}</th><td>{say.integer(row["count"])}</td>'
        f"<td>{say.percent(row['won'] / row['count'], 0)}</td>"
        f'<td class="{tone(say.change(row["pnl"]))}">{text(_money(row["pnl"], currency))}</td></tr>'
        for row in shown
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("", "Trades", "Won", "Profit"))
    return (
        f'<section class="card"><h2>{text(title)}</h2><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table>{hint}</section>"
    )


def _money(value: float, currency: str) -> str:
    return say.money(value, currency, signed=True) if abs(value) < 1e6 else f"{say.compact(value)} {currency}"


def trades_table(trades: "pd.DataFrame", currency: str) -> str:
    """The best and the worst of those that are closed."""
    closed = trades.loc[~trades["is_open"]]
    if closed.empty:
        return ""
    ordered = closed.sort_values("return", ascending=False, kind="stable")
    if len(ordered) > 2 * _SHOWN_TRADES:
        best, worst = ordered.head(_SHOWN_TRADES), ordered.tail(_SHOWN_TRADES)
        rows = [*best.to_dict("records"), *worst.to_dict("records")]
        title = f"The {_SHOWN_TRADES} best and the {_SHOWN_TRADES} worst of {len(closed):,} closed trades"
    else:
        rows, title = ordered.to_dict("records"), "Closed trades, the best first"
    names = ("Symbol", "Side", "Entered", "Left", "Entry", "Exit", "Return", "Profit")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(_trade(row, currency) for row in rows)
    return (
        f'<section class="card long"><h2>{title}</h2><div class="scroll"><table><thead><tr>{head}'
        f"</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _trade(row: Mapping[str, Any], currency: str) -> str:
    result = say.change(row["return"])
    cells = (
        text(row["symbol"]),
        text(row["side"]),
        f'<span title="{text(row["entry_reason"])}">{row["entry_time"]:%Y-%m-%d %H:%M}</span>',
        f'<span title="{text(row["exit_reason"])}">{row["exit_time"]:%Y-%m-%d %H:%M}</span>',
        say.price(f"{row['entry_price']:.8g}"),
        say.price(f"{row['exit_price']:.8g}"),
        f'<span class="{tone(result)}">{result}</span>',
        text(_money(row["pnl"], currency)),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def trust_card(trust: Mapping[str, Any]) -> str:
    """What a sceptic asked, with the answers, and what is left of the return under other assumptions."""
    rows = "".join(
        f'<tr><th scope="row">{text(check["title"])}</th><td class="words">{text(check["verdict"])}</td>'
        f'<td class="words">{text(check["sentence"])}</td></tr>'
        for check in trust["checks"]
    )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Question", "Verdict", "Answer"))
    return (
        f'<section class="card long"><h2>How far to trust it</h2><table class="trust"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table>{_band_table(trust['band'])}</section>"
    )


def _band_table(band: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{text(str(one["mode"]).capitalize())}, costs {one["cost_times"]:g} times</th>'
        f'<td class="{tone(say.change(one["total_return"]))}">{say.change(one["total_return"])}</td></tr>'
        for one in band
    )
    head = '<th scope="col">Fills inside a bar</th><th scope="col">Total return</th>'
    return f'<table class="trust"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>' if band else ""


def facts_card(title: str, facts: Mapping[str, object]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>'
        for name, value in facts.items()
        if value not in (None, "")
    )
    return (
        f'<section class="card long"><h2>{text(title)}</h2><table class="facts"><tbody>{rows}</tbody></table></section>'
    )
