"""`tidemark backtest run`: one strategy over bars, kept and reported where that is wanted."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.backtest.choices import (
    AsJson,
    FailUnder,
    Param,
    Seed,
    SeriesChoice,
    Strategy,
    TradingRules,
    parameters,
)
from backend.cli.backtest.problems import gates_of, judge, problems
from backend.cli.backtest.stored import Kind, print_run
from backend.cli.option_groups import with_groups

if TYPE_CHECKING:
    from backend.research import Backtest


@with_groups
def run(
    *,
    strategy: Strategy,
    param: Param = None,
    series: SeriesChoice,
    rules: TradingRules,
    seed: Seed = 0,
    save: Annotated[bool, typer.Option("--save", help="Keep it, to show, replay and export it later.")] = False,
    report: Annotated[Path | None, typer.Option("--report", help="Write an HTML page.", dir_okay=False)] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write files into this folder.", file_okay=False)
    ] = None,
    kind: Annotated[Kind, typer.Option("--format", help="Of --export.")] = "parquet",
    fail_under: FailUnder = None,
    trust: Annotated[
        bool, typer.Option("--trust/--no-trust", help="Ask what a sceptic would: look-ahead, luck, costs.")
    ] = True,
    thorough: Annotated[bool, typer.Option("--thorough", help="Ask hundreds of times; it takes longer.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a strategy over bars, and say what it came to and how far to trust it."""
    from dataclasses import asdict

    with problems():
        from backend.backtesting.wording import KNOWN_FIGURES

        given, gates = parameters(param), gates_of(fail_under, KNOWN_FIGURES)
        from backend.research.running import run_backtest

        result = run_backtest(strategy, series.load(), given, asdict(rules), seed=seed)
        if trust or thorough:
            result.trust(thorough=thorough)
        _keep(result, save=save, report=report, export=export, kind=kind)
    print_run(result, as_json)
    judge(result.statistics, result.missing, gates)


def _keep(result: "Backtest", *, save: bool, report: Path | None, export: Path | None, kind: Kind) -> None:
    from backend.cli.terminal import say

    if save:
        say(f"Saved as {result.save()}.")
    if report is not None:
        say(f"Wrote {result.report(report)}.")
    if export is not None:
        for path in result.export(export, kind):
            say(f"Wrote {path}.")
