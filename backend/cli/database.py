"""`tidemark database`: the embedded Postgres alone, for the Supabase CLI, psql or a dump while nothing serves it."""

import contextlib
import signal
import threading
from collections.abc import Iterator

import typer

from backend.cli.options import DataDir


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

    with (
        _stop_requests() as stop,
        instance.hold(settings.data_dir),
        open_database(settings, say) as dsn,
    ):
        print(f'DB_URL="{dsn}"', flush=True)
        say("Press Ctrl-C to stop.")
        stop.asked.wait()
    if stop.signal == signal.SIGINT:
        raise typer.Exit(130)


class Stop:
    def __init__(self) -> None:
        self.asked = threading.Event()
        self.signal: int | None = None

    def __call__(self, number: int, _frame: object) -> None:
        self.signal = number
        self.asked.set()


@contextlib.contextmanager
def _stop_requests() -> Iterator[Stop]:
    """From here on a signal asks for an orderly end, so that Postgres is stopped in any case."""
    stop = Stop()
    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
