"""Serves a fresh Tidemark for as long as frontend/scripts/pictures.mjs takes its pictures, and keeps them small."""

import os
import subprocess
import sys
from pathlib import Path

from tests.serving import ROOT, data_folder, serving

PICTURES = ROOT / "docs" / "pictures"
LARGEST_BYTES = 150_000


def main() -> int:
    with data_folder() as folder, serving(folder, TIDEMARK_CACHE_DIR=str(folder.parent / "cache")) as running:
        taken = subprocess.run(
            ["node", "scripts/pictures.mjs"],
            cwd=ROOT / "frontend",
            env={**os.environ, "TIDEMARK_URL": running.url},
            check=False,
        )
    if taken.returncode != 0:
        return taken.returncode
    large = [path for path in sorted(PICTURES.glob("*.png")) if path.stat().st_size > LARGEST_BYTES]
    for path in large:
        print(f"{_name(path)} has {path.stat().st_size:,} bytes; {LARGEST_BYTES:,} is the most.", file=sys.stderr)
    return 1 if large else 0


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    raise SystemExit(main())
