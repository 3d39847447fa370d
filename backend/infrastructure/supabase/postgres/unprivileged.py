"""As whom Postgres runs: it refuses to be root, so root lends it a system user of its own."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.domain.errors import DataDirectoryUnusable

SYSTEM_USER = "tidemark"
_COMMAND_SECONDS = 120.0
_PROGRAM = Path(__file__).with_name("stepping_down.py")


@dataclass(frozen=True, kw_only=True)
class RunAs:
    """The user that owns the cluster; `steps_down` when we are root and must become that user."""

    uid: int
    gid: int
    name: str
    steps_down: bool

    def command(self, command: Sequence[str], *, tied_to_parent: bool = False) -> list[str]:
        """The command line that runs `command` as this user, and ends it with this process when tied."""
        if not self.steps_down and not tied_to_parent:
            return list(command)
        user = f"{self.uid}:{self.gid}" if self.steps_down else "-"
        parent = str(os.getpid()) if tied_to_parent else "-"
        return [sys.executable, "-I", "-S", str(_PROGRAM), user, parent, *command]

    def run(self, command: Sequence[str], *, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end, or to ours; away from this process's environment and folder."""
        return subprocess.run(  # noqa: S603  # our own binaries, no shell
            self.command(command, tied_to_parent=True),
            input=stdin,
            text=True,
            capture_output=True,
            check=False,
            cwd="/",
            env={"LC_ALL": "C", "TZ": "UTC"},
            timeout=_COMMAND_SECONDS,
        )

    def own(self, path: Path) -> None:
        if self.steps_down:
            os.chown(path, self.uid, self.gid)

    def check_reaches(self, path: Path) -> None:
        """Raise DataDirectoryUnusable, naming the folder, when this user can't get to `path`."""
        if not self.steps_down:
            return
        check = self.run(["can-reach", str(path)])
        if check.returncode != 0:
            raise DataDirectoryUnusable(
                f"Postgres never runs as root, and its user '{self.name}' cannot pass through"
                f" {check.stderr.strip()} to {path}. Choose a data directory outside it, for example"
                " --data-dir /var/lib/tidemark, or run Tidemark as an ordinary user."
            )


def choose_user(cluster: Path) -> RunAs:
    """Ourselves, unless we are root: then the owner of the existing cluster, or the system user."""
    owner = cluster.stat().st_uid if cluster.is_dir() else None
    if os.geteuid() != 0:
        if owner is not None and owner != os.geteuid():
            raise DataDirectoryUnusable(
                f"{cluster} belongs to the user '{_name(owner)}', and you are '{_name(os.geteuid())}'."
                " Run Tidemark as that user or as root, or choose another --data-dir."
            )
        return RunAs(uid=os.geteuid(), gid=os.getegid(), name=_name(os.geteuid()), steps_down=False)
    if owner:
        gid = cluster.stat().st_gid
        return RunAs(uid=owner, gid=gid, name=_name(owner), steps_down=True)
    entry = _system_user()
    return RunAs(uid=entry.pw_uid, gid=entry.pw_gid, name=entry.pw_name, steps_down=True)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _system_user() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise DataDirectoryUnusable(
            f"Postgres never runs as root. Create a system user '{SYSTEM_USER}', or run Tidemark as an ordinary user."
        )
    home = ["--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin"]
    made = subprocess.run(  # noqa: S603  # a fixed command, no shell
        [useradd, "--system", "--user-group", *home, SYSTEM_USER], capture_output=True, text=True, check=False
    )
    try:
        return pwd.getpwnam(SYSTEM_USER)  # another start may have made it meanwhile
    except KeyError:
        raise DataDirectoryUnusable(
            f"Postgres never runs as root, and its system user '{SYSTEM_USER}' could not be created:"
            f" {made.stderr.strip()}. Create it, or run Tidemark as an ordinary user."
        ) from None
