"""The real Supabase CLI, as npm brings it, against a database of the test cluster."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster import ROOT

PROGRAM = ROOT / "supabase" / "embedded" / "node_modules" / ".bin" / "supabase"


def supabase(*arguments: str, workdir: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run it without questions, without telemetry and without anything this machine may have stored for it."""
    if not PROGRAM.exists():
        raise FileNotFoundError(f"The Supabase CLI is missing. Run: npm ci --prefix {PROGRAM.parents[2]}")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PGSSLMODE": "disable",
        "DO_NOT_TRACK": "1",
        "SUPABASE_TELEMETRY_DISABLED": "1",
    }
    return subprocess.run(
        [PROGRAM, *arguments, "--agent", "no", "--yes", "--workdir", str(workdir)],
        env=environment,
        cwd=workdir,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def push(dsn: str, workdir: Path, home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return supabase("db", "push", f"--remote={dsn}", *options, workdir=workdir, home=home)


def advise(dsn: str, workdir: Path, home: Path) -> list[dict[str, Any]]:
    """Every finding of both advisors, from INFO on."""
    done = supabase(
        *("db", "advisors", f"--remote={dsn}", "--level", "info", "--output-format", "json"), workdir=workdir, home=home
    )
    assert done.returncode == 0, done.stderr
    findings: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return findings
