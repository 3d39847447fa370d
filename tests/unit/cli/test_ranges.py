"""Ranges as they are typed, and options in groups."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from backend.cli.backtest.ranges import ranges_of
from backend.cli.option_groups import with_groups


@pytest.mark.parametrize(
    ("text", "tried", "fixed"),
    [
        ("fast=5:50:5", {"fast": {"from": 5, "to": 50, "step": 5}}, {}),
        ("fast=5:50", {"fast": {"from": 5, "to": 50}}, {}),
        ("k=0.5:2:0.25", {"k": {"from": 0.5, "to": 2, "step": 0.25}}, {}),
        ("fast=10,20", {"fast": [10, 20]}, {}),
        ("kind=up, down", {"kind": ["up", "down"]}, {}),
        ("fast=[10, 20]", {"fast": [10, 20]}, {}),
        ("fast=auto", {"fast": "auto"}, {}),
        ("at_once=true,False", {"at_once": [True, False]}, {}),
    ],
)
def test_a_range_is_tried(text: str, tried: dict[str, Any], fixed: dict[str, Any]) -> None:
    assert ranges_of([text]) == (tried, fixed)


def test_one_value_stays() -> None:
    rules = '{"a": "b:c"}'
    assert ranges_of(["fast=1,2", "slow=50", "name=word", f"rules={rules}"]) == (
        {"fast": [1, 2]},
        {"slow": 50, "name": "word", "rules": {"a": "b:c"}},
    )


@pytest.mark.parametrize("text", ["fast=5", "fast=5:x", "fast=1:2:3:4", "fast", "=5:6"])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        ranges_of([text])


@dataclass(frozen=True, kw_only=True)
class Place:
    where: Annotated[str, typer.Option("--where", help="Where.")]
    how_far: Annotated[int, typer.Option("--how-far", min=0, help="Metres.")] = 7


def test_options_of_a_group_are_options_of_the_command() -> None:
    app, heard = typer.Typer(), []

    @app.command()
    @with_groups
    def go(*, place: Place, fast: Annotated[bool, typer.Option("--fast")] = False) -> None:
        """Go there."""
        heard.append((place, fast))

    run = CliRunner().invoke
    assert run(app, ["--where", "home", "--fast"]).exit_code == 0
    assert run(app, ["--where", "home", "--how-far", "3"]).exit_code == 0
    assert heard == [(Place(where="home"), True), (Place(where="home", how_far=3), False)]
    assert run(app, []).exit_code == run(app, ["--where", "home", "--how-far", "-1"]).exit_code == 2
    assert "Go there." in run(app, ["--help"]).output
