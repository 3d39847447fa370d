"""`scripts/prepare.py` ends at once when it is told to, and ends what it started."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "prepare.py"
STUBBORN = """#!/bin/sh
trap '' TERM INT HUP
echo $$ > "$(dirname "$0")/npm.pid"
while :; do sleep 1; done
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose npm takes long and does not listen, as the real one does while it downloads."""
    for name in ("scripts/locks", "frontend", "supabase/embedded", "bin"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(SCRIPT, tmp_path / "scripts")
    (tmp_path / "scripts/locks/run.txt").touch()
    (tmp_path / "scripts/locks/test.txt").touch()
    (tmp_path / "scripts/locks/bench.txt").touch()
    (tmp_path / "frontend/package-lock.json").write_text("{}")
    for name, text in (("npm", STUBBORN), ("node", "#!/bin/sh\necho v22.0.0\n")):
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_ends_with_everything_it_started(clone: Path, number: signal.Signals, code: int) -> None:
    pid_file = clone / "bin/npm.pid"
    setup = subprocess.Popen(
        [sys.executable, str(clone / "scripts/prepare.py"), "run"],
        env={**os.environ, "PATH": f"{clone / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (pid_file.exists() and pid_file.read_text()):
        time.sleep(0.05)
    setup.send_signal(number)
    _, said = setup.communicate(timeout=15)
    assert setup.returncode == code
    assert "stopped npm packages of frontend" in said
    assert "failed" not in said
    assert not is_alive(int(pid_file.read_text()))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
