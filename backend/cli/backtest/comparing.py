"""`tidemark backtest compare`: saved runs beside each other."""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from backend.cli.backtest.choices import AsJson
from backend.cli.backtest.problems import problems


def compare(
    run_ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="From 2 to 20, as `tidemark backtest list` shows them.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Lay saved backtests beside each other: what differs, and whether the difference may be luck."""
    from backend.cli.terminal import clean

    with problems():
        from backend.backtesting.comparing import comparison
        from backend.research import open_backtest

        records = [open_backtest(each).record for each in run_ids]
        document = comparison(records)
    if as_json:
        print(json.dumps(document, indent=2, allow_nan=False))
    else:
        print(clean(_words(document, records[0].currency)))


def _words(document: Mapping[str, Any], currency: str) -> str:
    runs = document["runs"]
    parts = ["\n".join(f"{chr(65 + place)}  {run['id']}  {run['title']}" for place, run in enumerate(runs))]
    for title, name in (("What was different", "inputs"), ("What came of it", "figures")):
        rows = [_row(each, currency, is_figure=name == "figures") for each in document[name]]
        parts.append(_table(title, len(runs), rows) if rows else f"{title}: nothing.")
    parts.append("\n".join(_difference(each, place) for place, each in enumerate(document["differences"], 1)))
    return "\n\n".join(parts)


def _row(each: Mapping[str, Any], currency: str, *, is_figure: bool) -> list[str]:
    from backend.backtesting.wording import kind_of, label_of, written
    from backend.domain.format import MISSING

    if not is_figure:
        return [each["name"].replace("_", " "), *(MISSING if one is None else str(one)[:40] for one in each["values"])]
    kind = kind_of(each["name"])
    return [
        label_of(each["name"]),
        *(MISSING if one is None else written(one, kind, currency) for one in each["values"]),
    ]


def _table(title: str, runs: int, rows: Sequence[Sequence[str]]) -> str:
    table = [[title, *(chr(65 + place) for place in range(runs))], *rows]
    widths = [max(len(row[column]) for row in table) for column in range(runs + 1)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in table
    )


def _difference(each: Mapping[str, Any], place: int) -> str:
    from backend.domain.format import change

    pair = f"{chr(65 + place)} against A"
    if "missing" in each:
        return f"{pair}: it cannot be said. {each['missing']}"
    ratio = each["ratio"]
    return (
        f"{pair}: {each['verdict']}. {change(each['a_year'])} a year on {each['days']:,} common days; the Sharpe ratio"
        f" of the difference lies between {ratio['low']:.2f} and {ratio['high']:.2f} in {ratio['level']:.0%} of drawn"
        " histories."
    )
