"""What the README tells people to type works."""

import os
import re
from pathlib import Path

from tests.serving import ROOT, data_folder, environment, serving
from tests.terminal import at_terminal

README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]


def test_the_two_commands_are_there() -> None:
    scripts = [line for line in COMMANDS if line.startswith("./scripts/")]
    assert scripts == ["./scripts/run", "./scripts/test"]
    assert all(os.access(ROOT / script, os.X_OK) for script in scripts)


def test_every_other_command_works_on_a_running_instance(tmp_path: Path) -> None:
    commands = [line.split() for line in COMMANDS if not line.startswith("./scripts/")]
    assert len(commands) >= 4
    shown = ""
    with data_folder() as folder, serving(folder):
        settings = environment(
            TIDEMARK_DATA_DIR=str(folder), TIDEMARK_CACHE_DIR=str(folder / "cache"), XDG_CONFIG_HOME=str(tmp_path)
        )
        for command in commands:
            with at_terminal(command, folder=ROOT, environment=settings) as terminal:
                if "login" in command:
                    terminal.wait_for("Password: ")
                    terminal.type(re.findall(r"Password: (\S+)", shown)[-1])
                assert terminal.wait() == 0, f"{command}\n{terminal.shown}"
                shown += terminal.shown
