"""The Chromium of the end-to-end tests: this machine's, or Debian's package `chromium`, installed."""

from __future__ import annotations

import os
import shutil
import sys

from scripts import debian

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """Its path; on Debian and Ubuntu a root gets it installed, anyone else is told its name."""
    found = find_chromium()
    if found is None and debian.is_ours():
        print("No Chromium on this machine; installing Debian's package `chromium`.", flush=True)
        with debian.fresh_lists():
            debian.apt_get("install", "-y", "--no-install-recommends", "chromium")
        found = find_chromium()
    if found is None:
        print(
            "The end-to-end tests need a Chromium and found none. Install the package `chromium` "
            "(Debian: apt-get install chromium), or name yours: CHROMIUM_PATH=/path/to/chromium",
            file=sys.stderr,
        )
    return found


def find_chromium() -> str | None:
    named = os.environ.get("CHROMIUM_PATH")
    return named or next((path for name in NAMES if (path := shutil.which(name))), None)


if __name__ == "__main__":
    sys.exit(0 if chromium() else 1)
