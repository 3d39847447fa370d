"""`tidemark database`: the embedded Postgres alone, for the Supabase CLI, psql or a dump while nothing serves it."""

import signal

import typer

from backend.cli.options import DataDir
from backend.cli.stopping import Stop, stopped_by_signals


def database(data_dir: DataDir = None) -> None:
    """Run the embedded Postgres without Tidemark, and say its DB_URL. Nothing is migrated."""
    import sys

    from backend.bootstrap import read_settings
    from backend.bootstrap_operator import open_database
    from backend.cli import instance
    from backend.domain.errors import InvalidSetting

    settings = read_settings(data_dir=data_dir)
    if not settings.embedded:
        raise InvalidSetting("DATABASE_URL", "names a database that runs elsewhere; only the embedded one is run here.")

    def say(text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)

    stop = Stop()
    with (
        stopped_by_signals(stop),
        instance.hold(settings.data_dir),
        open_database(settings, say) as dsn,
    ):
        print(f'DB_URL="{dsn}"', flush=True)
        say("Press Ctrl-C to stop.")
        stop.wait()
    if stop.signal == signal.SIGINT:
        raise typer.Exit(130)
