"""`tidemark status`: addresses and keys of the running instance, under the names that `supabase status` uses."""

import json
import sys
from enum import StrEnum
from typing import Annotated

import typer

from backend.cli.options import DataDir


class Output(StrEnum):
    PRETTY = "pretty"
    ENV = "env"
    JSON = "json"


# The keys that let their holder do anything; hidden from a terminal unless asked for.
SECRETS = frozenset({"DB_URL", "SERVICE_ROLE_KEY", "SECRET_KEY", "JWT_SECRET"})


def status(
    output: Annotated[
        Output, typer.Option("-o", "--output", help="pretty hides secrets; env and json show them.")
    ] = Output.PRETTY,
    data_dir: DataDir = None,
) -> None:
    """Show where the running instance answers, and its keys."""
    from backend.bootstrap import read_settings
    from backend.bootstrap_operator import describe_project
    from backend.cli import instance

    settings = read_settings(data_dir=data_dir)
    running = instance.find(settings.data_dir)
    if running is None:
        state = "is starting or stopping" if instance.is_held(settings.data_dir) else "is not running"
        print(
            f"Tidemark {state} on {settings.data_dir}. Start it with ./scripts/run; one of another folder is found by"
            " --data-dir.",
            file=sys.stderr,
        )
        raise typer.Exit(1)
    values = describe_project(settings, running.url)
    if running.mailbox_url:
        values["MAILPIT_URL"] = running.mailbox_url
        values["INBUCKET_URL"] = running.mailbox_url
    match output:
        case Output.ENV:
            print("\n".join(f'{name}="{value}"' for name, value in sorted(values.items())))
        case Output.JSON:
            print(json.dumps(values, indent=2, sort_keys=True))
        case Output.PRETTY:
            print(f"Tidemark {running.version} ({running.mode}), process {running.pid}, since {running.started_at}")
            print(f"Data directory   {running.data_dir}")
            for name, value in sorted(values.items()):
                print(f"{name:<16} {'hidden; -o env shows it' if name in SECRETS else value}")
