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
