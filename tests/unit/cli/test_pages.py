"""What docs/operations.md and docs/security.md tell people to type are real commands with real options."""

import re
from typing import Any

import pytest
from pydantic import AliasChoices
from typer.main import get_command

from backend.cli.main import app
from backend.settings import Settings
from scripts.lanes import LANES
from tests.cluster import ROOT
from tests.pages import OPERATIONS, SECURITY, Line, blocks, commands_in_text, lines

# What else a shell on such a machine has.
OTHERS = {"openssl", "git", "psql", "supabase", "set", ".", "eval", "echo"}
TYPED = [line for text in blocks(OPERATIONS) for line in lines(text)]


@pytest.mark.parametrize("line", TYPED, ids=lambda line: " ".join(line.words or line.settings)[:60])
def test_every_line_of_a_block_can_be_typed(line: Line) -> None:
    assert set(line.settings) <= settings_known()
    match line.words:
        case ():
            pass
        case ("tidemark", *words):
            command, rest = command_of(words)
            command.make_context("tidemark", rest)
        case ("./scripts/run", *words):
            command_of(["serve"])[0].make_context("serve", words)
        case (program, *_):
            assert program in OTHERS, line


def test_every_command_within_a_sentence_has_the_options_that_it_shows() -> None:
    told = [words for page in (OPERATIONS, SECURITY) for words in commands_in_text(page, "tidemark")]
    assert len(told) > 60
    for _, *words in told:
        command, rest = command_of(words)
        assert not hasattr(command, "commands") or not rest, words
        for word in rest:
            assert not word.startswith("--") or word in options_of(command), words


def test_every_command_has_its_place_in_the_table_of_commands() -> None:
    rows = re.findall(r"^\| (`tidemark [^|]+) \| .* \|$", OPERATIONS.read_text(), re.MULTILINE)
    told = {" ".join(words) for words in commands_in_text(OPERATIONS, "tidemark")}
    for head in rows:
        group, *others = [words.split() for words in re.findall(r"`(?:tidemark )?([^`]+)`", head)]
        told |= {f"tidemark {group[0]} {words[0]}" for words in others if len(words) == 1}
    wanted = {" ".join(("tidemark", *path)) for path in paths_of(get_command(app))}
    missing = {path for path in wanted if not any(words == path or words.startswith(f"{path} ") for words in told)}
    assert missing == set()


def test_options_told_in_the_table_of_commands_are_those_of_the_command() -> None:
    rows = re.findall(r"^\| (`tidemark [^|]+) \| (.*) \|$", OPERATIONS.read_text(), re.MULTILINE)
    assert len(rows) > 40
    for head, text in rows:
        commands = [command_of(words.split())[0] for words in re.findall(r"`tidemark ([^`]+)`", head)]
        if "sweep" in head:
            commands += [command_of(["backtest", name])[0] for name in ("optimize", "walk-forward")]
        known = {option for command in commands for option in options_of(command)}
        assert set(re.findall(r"(?<!\w)--[a-z][a-z-]+", text)) <= known, head


def test_lanes_and_tests_that_are_named_are_there() -> None:
    [text] = re.findall(r"^```\n(.*?)^```$", SECURITY.read_text(), re.DOTALL | re.MULTILINE)
    names = {path.stem for path in (ROOT / "tests").rglob("test_*.py")} | {
        found
        for path in (ROOT / "tests" / "api").glob("test_*.py")
        for found in re.findall(r"def (\w+)", path.read_text())
    }
    for line in lines(text):
        program, lane, *rest = line.words
        assert program == "./scripts/test"
        assert lane in {each.name for each in LANES}
        wanted = rest[rest.index("-k") + 1].split(" or ") if "-k" in rest else []
        assert all(any(word in name for name in names) for word in wanted), wanted


def settings_known() -> set[str]:
    known = {"COLUMNS"}
    for name, field in Settings.model_fields.items():
        match field.validation_alias:
            case AliasChoices(choices=choices):
                known |= {str(choice) for choice in choices}
            case str(alias):
                known.add(alias)
            case _:
                known.add(f"TIDEMARK_{name.upper()}")
    return known


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words begin with, and the rest of them."""
    command: Any = get_command(app)
    rest = list(words)
    while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
        command = command.commands[rest.pop(0)]
    return command, rest


def paths_of(command: Any, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """All commands below this one, in words."""
    if not hasattr(command, "commands"):
        return [before]
    return [path for name, each in command.commands.items() for path in paths_of(each, (*before, name))]


def options_of(command: Any) -> set[str]:
    return {"--help"} | {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
