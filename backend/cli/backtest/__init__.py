"""`tidemark backtest ...`: run, try, keep, show and repeat backtests on this machine, without server or database."""

import typer

from backend.cli.backtest import comparing, guarding, running, stored, studying

app = typer.Typer(help="Backtests on this machine.", no_args_is_help=True, rich_markup_mode=None)
app.command("run")(running.run)
app.command("sweep")(studying.sweep)
app.command("optimize")(studying.optimize)
app.command("walk-forward")(studying.walk_forward)
app.command("guard")(guarding.guard)
app.command("compare")(comparing.compare)
app.command("list")(stored.list_runs)
app.command("show")(stored.show)
app.command("replay")(stored.replay)
app.command("export")(stored.export_run)
app.command("report")(stored.report_run)
