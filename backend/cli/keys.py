"""`tidemark keys ...`: the keys of this installation."""

import typer

from backend.cli.options import DataDir

app = typer.Typer(help="Change the keys of this installation.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def keys() -> None:
    """Change the keys of this installation."""


@app.command("rotate-signing")
def rotate_signing(data_dir: DataDir = None) -> None:
    """Sign access tokens with a new key. Nobody is signed out: older tokens stay good until they expire."""
    from backend.bootstrap import read_settings
    from backend.bootstrap_operator import rotate_signing_key
    from backend.cli.instance import hold
    from backend.domain.errors import ConfigurationError

    settings = read_settings(data_dir=data_dir)
    if not settings.embedded:
        raise ConfigurationError(
            "A Supabase project keeps its own signing keys: rotate them in its settings, JWT keys."
        )
    # A running server holds the old key in memory, so it must not run meanwhile.
    with hold(settings.data_dir):
        print(f"The next start signs with the key {rotate_signing_key(settings)}.")


@app.command("rotate")
def rotate(data_dir: DataDir = None) -> None:
    """Seal exchange keys under a new master key, while the server runs or not. Run it again if it was interrupted.

    Keys that cannot be opened are named and stay as they are; the exit code is 1 then.
    """
    import asyncio
    import contextlib
    import sys

    from backend.bootstrap import read_settings
    from backend.bootstrap_operator import rotate_master_key
    from backend.cli import instance

    settings = read_settings(data_dir=data_dir)
    is_running = settings.embedded and instance.is_held(settings.data_dir)
    # Without a server this command is the one that starts Postgres on the data directory, so it holds it meanwhile.
    holding = instance.hold(settings.data_dir) if settings.embedded and not is_running else contextlib.nullcontext()
    with holding:
        rotated = asyncio.run(
            rotate_master_key(settings, is_running=is_running, say=lambda text: print(f"  {text}", file=sys.stderr))
        )
    print(rotated.words)
    for line in rotated.damaged:
        print(f"  {line}", file=sys.stderr)
    if rotated.damaged:
        raise typer.Exit(1)
