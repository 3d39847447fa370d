"""promtool, which checks what Prometheus is given: this machine's, or the one in Debian's package, taken out of it.

The package is unpacked, never installed: it would start a Prometheus.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts import debian

ROOT = Path(__file__).resolve().parent.parent
UNPACKED = ROOT / ".setup" / "promtool"
# Newer releases have it in a package of its own.
PACKAGES = ("promtool", "prometheus")


def promtool() -> str | None:
    """Its path; on Debian and Ubuntu a root gets it fetched, anyone else is told the package's name."""
    found = find_promtool()
    if found is None and debian.is_ours() and shutil.which("dpkg-deb"):
        print("No promtool on this machine; taking it out of Debian's package `prometheus`.", flush=True)
        fetch()
        found = find_promtool()
    if found is None:
        print(
            "The tests of docs/monitoring need promtool and found none. Install the package `prometheus` "
            "(Debian: apt-get install prometheus), or name yours: PROMTOOL_PATH=/path/to/promtool",
            file=sys.stderr,
        )
    return found


def find_promtool() -> str | None:
    named = os.environ.get("PROMTOOL_PATH")
    ours = UNPACKED / "usr" / "bin" / "promtool"
    return named or shutil.which("promtool") or (str(ours) if ours.exists() else None)


def fetch() -> None:
    """Download the package and unpack it into the folder of the set-up."""
    shutil.rmtree(UNPACKED, ignore_errors=True)
    UNPACKED.mkdir(parents=True)
    with debian.fresh_lists():
        for package in PACKAGES:
            # The sandbox user of apt may not write here; as root there is nothing to protect.
            asked = ("download", "-o", "APT::Sandbox::User=root", package)
            debian.apt_get(*asked, cwd=UNPACKED, stderr=subprocess.DEVNULL)
            for archive in UNPACKED.glob("*.deb"):
                subprocess.run(("dpkg-deb", "--extract", archive, UNPACKED), check=False)
                archive.unlink()
            if find_promtool() is not None:
                return


if __name__ == "__main__":
    sys.exit(0 if promtool() else 1)
