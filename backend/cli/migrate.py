"""`tidemark migrate`: bring the database to this version's tables, or say what would be done."""

from typing import Annotated

import typer

from backend.cli.options import DataDir


def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Name the pending migrations and change nothing.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Apply pending migrations. They are those that this version brings and the database lacks."""
    import asyncio
    import contextlib
    import sys

    from backend.bootstrap import read_settings
    from backend.bootstrap_operator import migrate_database
    from backend.cli import instance

    settings = read_settings(data_dir=data_dir)
    is_running = settings.embedded and instance.is_held(settings.data_dir)
    # Without a server this command is the one that starts Postgres on the data directory, so it holds it meanwhile.
    holding = instance.hold(settings.data_dir) if settings.embedded and not is_running else contextlib.nullcontext()
    with holding:
        versions = asyncio.run(
            migrate_database(
                settings, is_running=is_running, dry_run=dry_run, say=lambda text: print(f"  {text}", file=sys.stderr)
            )
        )
    if not versions:
        print("The database is up to date.")
    for version in versions:
        print(f"{'pending' if dry_run else 'applied'}  {version}")
