"""The same server, driven by the official JavaScript client with Node's own test runner."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.auth.running import RunningAuth

FOLDER = Path(__file__).parent / "js"
NODE = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.test.mjs")))
def test_the_javascript_client(auth: RunningAuth, name: str) -> None:
    if NODE is None:
        pytest.fail("There is no Node to run the JavaScript client with; ./scripts/test brings one.")
    if not (FOLDER / "node_modules" / "@supabase" / "supabase-js").is_dir():
        pytest.fail("The JavaScript client is not installed: run `npm ci` in tests/integration/auth/js.")
    keys = {
        "AUTH_URL": auth.url,
        "MAILBOX_URL": auth.mailbox_url,
        "PUBLISHABLE_KEY": auth.keys.publishable_key,
        "ANON_KEY": auth.keys.anon_key,
        "SECRET_KEY": auth.keys.secret_key,
        "SERVICE_ROLE_KEY": auth.keys.service_role_key,
    }
    run = subprocess.run(
        [NODE, "--test", "--test-reporter=spec", name],
        cwd=FOLDER,
        env={**os.environ, **keys},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, f"{run.stdout}\n{run.stderr}"
