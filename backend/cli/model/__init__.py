"""`tidemark model ...`: train, judge, keep and ask models on this machine, without server or database."""

import typer

from backend.cli.model import asking, stored, training

app = typer.Typer(help="Models on this machine.", no_args_is_help=True, rich_markup_mode=None)
app.command("train")(training.train)
app.command("predict")(asking.predict)
app.command("evaluate")(asking.evaluate)
app.command("list")(stored.list_models)
app.command("show")(stored.show)
app.command("drift")(asking.drift)
app.command("promote")(stored.promote)
