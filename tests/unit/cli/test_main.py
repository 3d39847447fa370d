"""What the command line says of options that cannot be used."""

import pytest
from typer.testing import CliRunner

from backend.cli.main import app


@pytest.mark.parametrize(
    ("arguments", "option", "words"),
    [
        (("tasks", "list", "--state", "nope"), "--state", "'nope' is not one of 'queued', 'running'"),
        (("backtest", "sweep", "-s", "x", "--trials", "0"), "--trials", "greater than or equal to 1"),
    ],
)
def test_it_names_the_option_and_what_is_possible(arguments: tuple[str, ...], option: str, words: str) -> None:
    done = CliRunner().invoke(app, [*arguments], env={"COLUMNS": "200"})
    said = " ".join(done.output.split())
    assert done.exit_code == 2
    assert option in said
    assert words in said
    assert "Value error" not in said
    assert "Input " not in said
