"""`tidemark` as an older or newer version of it: one that brings the migrations of another folder.

python -m tests.with_migrations FOLDER serve --data-dir DATA
"""

import sys
from pathlib import Path

from backend import bootstrap, bootstrap_backups, bootstrap_ground, bootstrap_operator, bootstrap_restoring
from backend.cli.main import main

if __name__ == "__main__":
    folder = Path(sys.argv.pop(1))
    for module in (bootstrap, bootstrap_backups, bootstrap_restoring, bootstrap_ground, bootstrap_operator):
        vars(module)["MIGRATIONS"] = folder
    main()
