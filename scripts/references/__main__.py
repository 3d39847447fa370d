"""Write docs/reference anew. `./scripts/reference` calls this; a test compares the pages with the code."""

import asyncio
import sys
import tempfile
from pathlib import Path

from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
from backend.infrastructure.supabase.migrator import migrate
from backend.settings import REPOSITORY
from scripts.references import api, commands, database, settings

FOLDER = REPOSITORY / "docs" / "reference"
FROM_CODE = {"api": api.page, "commands": commands.page, "settings": settings.page}


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    pages = {name: make() for name, make in FROM_CODE.items()} | {"database": _of_a_database()}
    for name, text in pages.items():
        (FOLDER / f"{name}.md").write_text(text)
    print(f"Wrote {', '.join(f'docs/reference/{name}.md' for name in sorted(pages))}.")
    return 0


def _of_a_database() -> str:
    """Of an embedded database that lives for this alone."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # Postgres runs as another user when root starts it
        postgres = EmbeddedPostgres(Path(folder), preferred_port=0, say=lambda _: None)
        dsn = postgres.start().dsn("postgres", "postgres")
        try:
            return asyncio.run(_migrated(dsn))
        finally:
            postgres.stop()


async def _migrated(dsn: str) -> str:
    await migrate(dsn, REPOSITORY / "supabase" / "migrations")
    return await database.page(dsn)


if __name__ == "__main__":
    sys.exit(main())
