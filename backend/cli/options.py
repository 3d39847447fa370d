"""Options that several commands take."""

from pathlib import Path
from typing import Annotated

import typer

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Where the database, keys and logs are kept. Default: TIDEMARK_DATA_DIR, or .tidemark in the clone "
        "(below /var/lib/tidemark for a root whose clone nobody else can reach).",
        show_default=False,
    ),
]

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        help="The address of a Tidemark. Default: TIDEMARK_SERVER, else the one you are signed in to, else the one "
        "that runs on this machine.",
        show_default=False,
    ),
]
