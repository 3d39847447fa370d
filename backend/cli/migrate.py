"""`tidemark migrate`: bring the database to this version's tables, or say what would be done."""

from typing import Annotated

import typer

from backend.cli.options import DataDir


def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Name the pending migrations and change nothing.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Apply the migrations that this version brings and the database lacks."""
    import asyncio

    from backend.bootstrap import migrate_database
    from backend.settings import read_settings

    settings = read_settings(data_dir=data_dir)
    versions = asyncio.run(migrate_database(settings, dry_run=dry_run, say=lambda text: print(f"  {text}")))
    if not versions:
        print("The database is up to date.")
    for version in versions:
        print(f"{'pending' if dry_run else 'applied'}  {version}")
