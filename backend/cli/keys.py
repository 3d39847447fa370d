"""`tidemark keys ...`: the keys of the embedded project."""

import typer

from backend.cli.options import DataDir

app = typer.Typer(help="Change the keys of the embedded project.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def keys() -> None:
    """Change the keys of the embedded project."""


@app.command("rotate-signing")
def rotate_signing(data_dir: DataDir = None) -> None:
    """Sign access tokens with a new key. Nobody is signed out: older tokens stay good until they expire."""
    from backend.bootstrap import read_settings, rotate_signing_key
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
