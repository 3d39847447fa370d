"""Backtests that were kept: list, show, repeat, export and report them, and lay them beside each other."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backend.cli.backtest.choices import AsJson
from backend.cli.backtest.problems import problems
from backend.cli.backtest.studying import print_study

if TYPE_CHECKING:
    from backend.research import Backtest

RunId = Annotated[
    str, typer.Argument(metavar="ID", help="As `tidemark backtest list` shows it; its beginning is enough.")
]
Kind = Literal["json", "csv", "parquet"]


def list_runs(as_json: AsJson = False) -> None:
    """List what was saved on this machine, newest first."""
    from backend.cli.terminal import clean, print_columns
    from backend.domain import format as say
    from backend.research import saved

    with problems():
        found = saved()
    rows = found.astype(object).where(found.notna(), None).to_dict("records")
    if as_json:
        items = [{**row, "saved_at": row["saved_at"].isoformat()} for row in rows]
        print(json.dumps({"items": items}, indent=2))
    elif not rows:
        print("Nothing is saved yet. `tidemark backtest run ... --save` keeps a backtest.")
    else:
        print_columns(
            ["ID", "RETURN", "SHARPE", "DRAWDOWN", "TRADES", "WHAT"],
            [
                [
                    row["id"],
                    say.change(row["total_return"]),
                    say.ratio(row["sharpe"]),
                    say.change(row["max_drawdown"]),
                    say.integer(row["trades"]),
                    clean(row["title"]),
                ]
                for row in rows
            ],
        )


def show(run_id: RunId, *, as_json: AsJson = False) -> None:
    """Show a saved backtest or study again, without computing it."""
    from backend.research import open_backtest, open_study

    with problems():
        if run_id.startswith("study-"):
            print_study(open_study(run_id).document, as_json)
        else:
            print_run(open_backtest(run_id), as_json)


def replay(run_id: RunId, *, as_json: AsJson = False) -> None:
    """Run a saved backtest again: the trades are equal, or which input changed is said (1 when they are not equal)."""
    from backend.cli.terminal import clean
    from backend.research import replay as again

    with problems():
        done = again(run_id)
    if as_json:
        print(json.dumps({"id": done.before.id, "same": done.same, "changes": list(done.changes)}, indent=2))
    else:
        print(clean(done.verdict))
    if not done.same:
        raise typer.Exit(1)


def export_run(
    run_id: RunId,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder.", file_okay=False)] = Path(),
    kind: Annotated[Kind, typer.Option("--format", help="One JSON file, or tables beside it.")] = "parquet",
    as_json: AsJson = False,
) -> None:
    """Write a saved backtest into files, from which the same numbers can be read."""
    from backend.research import open_backtest

    with problems():
        files = [str(path) for path in open_backtest(run_id).export(output, kind)]
    print(json.dumps({"files": files}, indent=2) if as_json else "\n".join(files))


def report_run(
    run_id: RunId,
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: ID.html.", dir_okay=False)] = None,
) -> None:
    """Write a saved backtest as one HTML page that needs no network."""
    from backend.research import open_backtest

    with problems():
        result = open_backtest(run_id)
        print(result.report(output or Path(f"{result.id}.html")))


def print_run(result: "Backtest", as_json: bool) -> None:
    if as_json:
        print(json.dumps(result.record.document(), indent=2))
        return
    import shutil

    from backend.backtesting.summary import summary
    from backend.cli.terminal import clean

    print(clean(summary(result.record, shutil.get_terminal_size((100, 24)).columns)))
