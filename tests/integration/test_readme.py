"""What the README tells people to type works, and what it points to is there."""

import os
import re
import subprocess

from tests.serving import ROOT, data_folder, environment, serving

README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


def test_the_two_commands_are_there() -> None:
    scripts = [line for line in COMMANDS if line.startswith("./scripts/")]
    assert scripts == ["./scripts/run", "./scripts/test"]
    assert all(os.access(ROOT / script, os.X_OK) for script in scripts)


def test_every_other_command_works_on_a_running_instance() -> None:
    commands = [line for line in COMMANDS if not line.startswith("./scripts/")]
    assert len(commands) >= 4
    with data_folder() as folder, serving(folder):
        for command in commands:
            ended = subprocess.run(
                command.split(),
                cwd=ROOT,
                env=environment(TIDEMARK_DATA_DIR=str(folder)),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"


def test_every_link_of_the_docs_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} points to {target}"
