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
        print(clean(_words(document)))


def _words(document: Mapping[str, Any]) -> str:
    runs = document["runs"]
    parts = ["\n".join(f"{_letter(place)}  {run['id']}  {run['title']}" for place, run in enumerate(runs))]
    inputs = [[row["path"], *map(_short, row["values"])] for row in document["config"]]
    figures = [_figure(row, runs[0]["currency"]) for row in document["metrics"] if row["differs"]]
    for title, rows in (("What was different", inputs), ("What came of it", figures)):
        parts.append(_table(title, len(runs), rows) if rows else f"{title}: nothing.")
    pairs = zip(document["differences"], document["trades"], strict=True)
    parts.append("\n".join(_against(place, *pair) for place, pair in enumerate(pairs, 1)))
    return "\n\n".join(parts)


def _letter(place: int) -> str:
    return chr(ord("A") + place)


def _short(value: Any) -> str:
    from backend.domain.format import MISSING

    return MISSING if value is None else str(value)[:40]


def _figure(row: Mapping[str, Any], currency: str) -> list[str]:
    from backend.backtesting.wording import kind_of, label_of, written
    from backend.domain.format import MISSING

    kind = kind_of(row["name"])
    return [
        label_of(row["name"]),
        *(MISSING if each is None else written(each, kind, currency) for each in row["values"]),
    ]


def _table(title: str, runs: int, rows: Sequence[Sequence[str]]) -> str:
    table = [[title, *map(_letter, range(runs))], *rows]
    widths = [max(len(row[column]) for row in table) for column in range(runs + 1)]
    return "\n".join("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in table)


def _against(place: int, found: Mapping[str, Any], entries: Mapping[str, Any]) -> str:
    from backend.domain.format import change

    pair = f"{_letter(place)} against A"
    common = "entry" if entries["both"] == 1 else "entries"
    both = f"They have {entries['both']:,} {common} in common, A {entries['only_first']['count']:,} of its own,"
    alone = f"{both} {_letter(place)} {entries['only_other']['count']:,}."
    gained = found.get("annual_return")
    if gained is None:
        return f"{pair}: it cannot be said which is better. {found.get('missing') or ''} {alone}"
    verdict = "better" if gained["low"] > 0 else "worse" if gained["high"] < 0 else "not told apart"
    return (
        f"{pair}: {verdict}. {change(gained['difference'])} a year; with the days drawn anew between"
        f" {change(gained['low'])} and {change(gained['high'])} in {found['level']:.0%} of {found['draws']:,}"
        f" histories. {alone}"
    )
