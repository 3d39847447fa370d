"""`tidemark backup ...`: all of an installation in one folder, made while it is at work, and back again."""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.options import DataDir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backend.bootstrap import Settings

app = typer.Typer(help="Back up this installation, and restore it.", no_args_is_help=True, rich_markup_mode=None)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of the backup.", show_default=False)]


@app.command("create")
def create(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A folder that is not there yet.", show_default=False)
    ],
    keys: Annotated[
        Path | None,
        typer.Option(
            "--keys",
            metavar="FILE",
            help="Also write the master key and the signing keys, into this file. Keep it apart from the backup: who"
            " has both opens all exchange keys.",
            show_default=False,
        ),
    ] = None,
    files_only: Annotated[
        bool, typer.Option("--files-only", help="Leave the database out; a Supabase project has backups of its own.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Save the database and the files of this installation as of one moment, while the server runs or not.

    Run it again when it was interrupted: the folder gets its name only when all of it is there.
    """
    from backend.bootstrap import read_settings
    from backend.bootstrap_backups import create_backup
    from backend.cli.terminal import say

    settings = read_settings(data_dir=data_dir)
    with _held(settings) as is_running:
        made = asyncio.run(
            create_backup(
                settings,
                folder.absolute(),
                keys=keys and keys.absolute(),
                files_only=files_only,
                is_running=is_running,
                say=say,
            )
        )
    _tell(made.words)
    for note in made.notes:
        say(note)


@app.command("check")
def check(folder: Folder) -> None:
    """Read every file of a backup, and say whether it is what was written (1 when one is not)."""
    from backend.bootstrap_backups import check_backup, failures_in_words

    with failures_in_words():
        _tell(check_backup(folder))


@app.command("restore")
def restore(
    folder: Folder,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", help="The file that `create --keys` wrote.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Put a backup into a data directory and a cache folder that are empty or not there yet.

    Its files are checked first, and every table is read back and compared. Run it again when it was interrupted.
    """
    from backend.bootstrap import read_settings
    from backend.bootstrap_backups import failures_in_words
    from backend.bootstrap_restoring import restore_backup
    from backend.cli.terminal import say

    settings = read_settings(data_dir=data_dir)
    with failures_in_words():
        made = asyncio.run(restore_backup(settings, folder, keys=keys, say=say))
    _tell(made.words)
    for note in made.notes:
        say(note)


@app.command("compare")
def compare(folder: Folder, data_dir: DataDir = None) -> None:
    """Compare every table and file of a backup with this installation, and name what differs (1 if something does)."""
    from backend.bootstrap import read_settings
    from backend.bootstrap_backups import compare_backup
    from backend.cli.terminal import say

    settings = read_settings(data_dir=data_dir)
    with _held(settings) as is_running:
        wrong = asyncio.run(compare_backup(settings, folder, is_running=is_running, say=say))
    for line in wrong:
        _tell(line)
    if wrong:
        raise typer.Exit(1)
    print("Every table and every file is the same.")


def _tell(text: str) -> None:
    """Names of files and tables are a stranger's words, which may not command the terminal."""
    from backend.domain.errors import printable

    print(printable(text))


@contextlib.contextmanager
def _held(settings: "Settings") -> "Iterator[bool]":
    """Whether a server runs; without one this command is the one that starts Postgres, so it holds the directory."""
    from backend.bootstrap_backups import failures_in_words
    from backend.cli import instance

    is_running = settings.embedded and instance.is_held(settings.data_dir)
    alone = settings.embedded and not is_running and settings.data_dir.is_dir()
    with failures_in_words(), instance.hold(settings.data_dir) if alone else contextlib.nullcontext():
        yield is_running
