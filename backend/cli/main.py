"""The command `tidemark`: nouns, then verbs.

Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration or credentials, 4 data missing, 5 vendor, 6 gate unmet,
130 interrupted.
"""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from backend.cli import backtest, backup, data, keys, model, shares, strategies, tasks, tokens, users
from backend.cli.database import database
from backend.cli.doctor import doctor
from backend.cli.failures import CommandFailed, exit_code_of
from backend.cli.login import login, logout
from backend.cli.migrate import migrate
from backend.cli.serve import serve
from backend.cli.status import status
from backend.cli.terminal import clean
from backend.domain.errors import TidemarkError
from backend.version import VERSION


class _Commands(TyperGroup):
    """Wrong options are told in plain words, without those of the library that checks them."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # typer's own name for a click context
        try:
            return super().invoke(ctx)
        except typer.BadParameter as problem:
            problem.message = problem.message.removeprefix("Value error, ").removeprefix("Input ")
            raise


app = typer.Typer(
    name="tidemark",
    cls=_Commands,
    help="Research strategies, run backtests and train models, many users on one installation.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(serve)
app.command()(status)
app.command()(doctor)
app.command()(migrate)
app.command()(database)
app.command()(login)
app.command()(logout)
app.add_typer(data.app, name="data")
app.add_typer(backtest.app, name="backtest")
app.add_typer(model.app, name="model")
app.add_typer(strategies.app, name="strategies")
app.add_typer(tasks.app, name="tasks")
app.add_typer(tokens.app, name="tokens")
app.add_typer(shares.app, name="shares")
app.add_typer(users.app, name="user")
app.add_typer(keys.app, name="keys")
app.add_typer(backup.app, name="backup")


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"tidemark {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run a command; an error that has a name is said in one paragraph, without a traceback."""
    try:
        app()
    except TidemarkError as problem:
        print(f"{problem.title}.\n{problem.detail}\n(code: {problem.code})", file=sys.stderr)
        sys.exit(exit_code_of(problem))
    except CommandFailed as problem:
        print(clean(problem.words), file=sys.stderr)
        sys.exit(problem.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
