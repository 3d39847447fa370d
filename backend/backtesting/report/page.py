"""A run as one page that needs nothing else."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from backend.backtesting.record import Record
from backend.backtesting.report.charts import Curve, drawdown_chart, equity_chart, histogram
from backend.backtesting.report.escaping import text
from backend.backtesting.report.style import STYLE
from backend.backtesting.report.tables import (
    facts_card,
    groups_card,
    months_table,
    statistics_card,
    tone,
    trades_table,
    trust_card,
)
from backend.backtesting.report.whole import whole_page
from backend.backtesting.reproduce import command_of, python_of
from backend.backtesting.summary import parameters_in_words, rules_in_words
from backend.backtesting.wording import KEY_FIGURES, groups_of, line_of
from backend.domain import format as say
from backend.domain.bars import start_microseconds
from backend.domain.errors import InputError, InvalidInput

Chart = Literal["equity", "drawdown", "months", "trades"]
_GROUPS: Final = {
    "exit_reason": "By how they ended",
    "side": "By side",
    "year": "By year of the exit",
    "weekday": "By weekday of the exit",
    "hour": "By hour of the exit, UTC",
    "month": "By month of the exit",
}


def report_html(record: Record) -> str:
    return whole_page(record.title, _body(record))


def notebook_html(record: Record) -> str:
    """The beginning of it, for the output of a cell."""
    return _fragment(f"{_header(record)}{_tiles(record)}{_card('Equity', _equity(record))}{_notes(record)}")


def chart_page(record: Record, what: Chart) -> str:
    """Raises InvalidInput."""
    draw = {"equity": _equity, "drawdown": _drawdown, "months": _months, "trades": _histogram}
    if what not in draw:
        detail = f"There is no chart '{what}'. There are: {', '.join(draw)}."
        raise InvalidInput([InputError(pointer="/what", detail=detail)], detail)
    return _fragment(_card(what.capitalize(), draw[what](record)))


def _fragment(inside: str) -> str:
    return f'<div class="tm"><style>{STYLE}</style><main>{inside}</main></div>'


def _body(record: Record) -> str:
    groups = groups_of(record.statistics, record.currency)
    return "".join(
        (
            _header(record),
            _tiles(record),
            _notes(record),
            _card("Equity", _equity(record)),
            _card("Drawdown", _drawdown(record)),
            _card("Return by month", _months(record)),
            f'<div class="pair">{_card("Trades", _histogram(record))}{_half_groups(record)}</div>',
            f'<div class="cards">{"".join(statistics_card(title, lines) for title, lines in groups.items())}</div>',
            "" if record.trust is None else trust_card(record.trust),
            trades_table(record.trades, record.currency),
            _other_groups(record),
            f'<div class="pair">{_config(record)}{_manifest(record)}</div>',
            _reproduce(record),
            f"<footer>Tidemark {text(record.manifest['code']['version'])}. {_saved(record)}Past results say little"
            " about future ones.</footer>",
        )
    )


def _header(record: Record) -> str:
    data = record.manifest["data"]
    bars = sum(one["bars"] for one in data)
    first, last = min(one["first"] for one in data), max(one["last"] for one in data)
    badge = '<p class="badge">SIMULATED MARKET</p>' if record.is_simulated else ""
    parts = [
        ", ".join(sorted({one["provider"] for one in data})),
        f"{say.integer(bars)} bars, {first[:16].replace('T', ' ')} to {last[:16].replace('T', ' ')} UTC",
        parameters_in_words(record.manifest["parameters"]),
        rules_in_words(record.manifest["trading"]),
    ]
    words = text(" · ".join(filter(None, parts)))
    return f'<header>{badge}<h1>{text(record.title)}</h1><p class="sub">{words}</p></header>'


def _tiles(record: Record) -> str:
    lines = [line_of(record.statistics, name, record.currency) for name in KEY_FIGURES]
    tiles = "".join(
        f'<div class="tile"><dt>{text(line.label)}</dt><dd class="{tone(line.value)}">{text(line.value)}</dd></div>'
        for line in lines
    )
    return f'<dl class="card tiles">{tiles}</dl>'


def _notes(record: Record) -> str:
    if not record.notes:
        return ""
    items = "".join(f"<li>{text(note['text'])}</li>" for note in record.notes)
    return f'<section class="card"><h2>What to know about this run</h2><ul>{items}</ul></section>'


def _card(title: str, inside: str) -> str:
    return f'<section class="card"><h2>{text(title)}</h2>{inside}</section>'


def _equity(record: Record) -> str:
    equity = record.equity
    curves = [
        Curve(kind="own", label=record.config.strategy, values=equity["equity"].to_numpy(np.float64)),
        Curve(kind="held", label="Buy and hold", values=equity["benchmark"].to_numpy(np.float64)),
    ]
    return equity_chart(_starts(equity), curves)


def _drawdown(record: Record) -> str:
    return drawdown_chart(_starts(record.equity), record.equity["equity"].to_numpy(np.float64))


def _months(record: Record) -> str:
    return months_table(record.months)


def _histogram(record: Record) -> str:
    trades = record.trades
    return histogram(trades.loc[~trades["is_open"], "return"].to_numpy(np.float64))


def _starts(equity: pd.DataFrame) -> Any:
    return start_microseconds(equity)


def _half_groups(record: Record) -> str:
    shown = "".join(
        groups_card(_GROUPS[name], record.groups[name], record.currency)
        for name in ("exit_reason", "side")
        if record.groups.get(name)
    )
    return f'<div class="stack">{shown}</div>' if shown else ""


def _other_groups(record: Record) -> str:
    names = [name for name in ("year", "weekday", "hour", "month") if record.groups.get(name)]
    cards = "".join(groups_card(_GROUPS[name], record.groups[name], record.currency) for name in names)
    return f'<div class="trio">{cards}</div>' if cards else ""


def _config(record: Record) -> str:
    facts: dict[str, object] = {"Strategy": record.config.strategy}
    facts |= {f"Parameter {name}": _short(value) for name, value in record.manifest["parameters"].items()}
    facts |= {name: value for name, value in _flat(record.manifest["trading"]).items() if value is not None}
    return facts_card("Configuration", {**facts, "Seed": record.config.seed})


def _manifest(record: Record) -> str:
    code, strategy = record.manifest["code"], record.manifest["strategy"]
    facts: dict[str, object] = {}
    for one in record.manifest["data"][:20]:
        where = one["instrument"]
        facts[f"{one['symbol']} {one['timeframe']}"] = (
            f"{one['provider']}, {one['bars']:,} bars, prices {one['adjustment']}, calendar {where['calendar']},"
            f" {where['currency']}, tick {where['tick'] or 'not known'}, lot {where['lot'] or 'not known'}"
        )
        facts[f"Content of {one['symbol']}"] = one["content_hash"]
    facts |= {
        "Strategy from": strategy["origin"],
        "Strategy source": strategy["source_hash"],
        "Engine": code["engine"],
        "Tidemark": code["version"],
        "Python, numpy, pandas, numba": ", ".join(str(code[name]) for name in ("python", "numpy", "pandas", "numba")),
        "Trades": record.manifest["outcome"]["trades_hash"],
        "Equity": record.manifest["outcome"]["equity_hash"],
    }
    return facts_card("Manifest", facts)


def _reproduce(record: Record) -> str:
    again = f"<h3>Replay and compare</h3><pre>tidemark backtest replay {text(record.id)}</pre>" if record.id else ""
    if record.manifest["strategy"]["origin"] == "this program":
        return _card(
            "Reproduce",
            '<p class="hint">The strategy was written in a program or a notebook. Save it in a .py file, and'
            " --strategy FILE.py runs it.</p>",
        )
    return _card(
        "Reproduce",
        f"<h3>At the terminal</h3><pre>{text(command_of(record))}</pre>"
        f"<h3>In Python</h3><pre>{'&#10;'.join(text(line) for line in python_of(record).splitlines())}</pre>{again}",
    )


def _saved(record: Record) -> str:
    return f"Run {text(record.id)}, saved {say.date_time(record.saved_at)}. " if record.id else ""


def _flat(document: Mapping[str, Any]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in document.items():
        if isinstance(value, Mapping):
            flat |= {f"{inner.replace('_', ' ').capitalize()}": each for inner, each in value.items()}
        else:
            flat[name.replace("_", " ").capitalize()] = value
    return flat


def _short(value: object) -> str:
    shown = str(value)
    return shown if len(shown) <= 300 else f"{shown[:297]}..."
