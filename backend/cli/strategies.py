"""`tidemark strategies ...`: what can be traded by, on this machine, without a server and without a database."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from backend.domain.strategies.registry import StrategyRegistry

app = typer.Typer(help="Strategies of this installation.", no_args_is_help=True, rich_markup_mode=None)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("list")
def list_strategies(*, as_json: AsJson = False) -> None:
    """All strategies, and the plugins that could not be loaded."""
    from backend.cli.terminal import clean, print_columns, say

    registry = _registry()
    items = [{"name": each.name, "title": each.describe()["title"], "origin": each.origin} for each in registry]
    broken = [{"name": each.name, "origin": each.origin, "reason": each.reason} for each in registry.broken]
    if as_json:
        print(json.dumps({"items": items, "broken": broken}, indent=2))
        return
    print_columns(["NAME", "TITLE", "FROM"], [[clean(value) for value in item.values()] for item in items])
    for problem in registry.broken:
        say(f"\n{problem.title}.\n{problem.detail}")


@app.command("show")
def show(
    *, name: Annotated[str, typer.Argument(help="As `tidemark strategies list` has it.")], as_json: AsJson = False
) -> None:
    """What it does, when it works and when it fails, and its parameters."""
    from backend.cli.failures import CommandFailed
    from backend.cli.terminal import clean
    from backend.domain.strategy_errors import StrategyBroken, UnknownStrategy

    try:
        described = _registry().get(name).describe()
    except UnknownStrategy as problem:
        raise typer.BadParameter(problem.detail) from None
    except StrategyBroken as problem:
        raise CommandFailed(problem.code, problem.title, problem.detail) from None
    print(json.dumps(described, indent=2) if as_json else clean(_words(described)))


@app.command("validate")
def validate(
    *,
    file: Annotated[
        Path | None, typer.Argument(help="Rules (.json) or a plugin (.py).", exists=True, dir_okay=False)
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of rules.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check rules or a plugin before anybody uses them."""
    if schema:
        from backend.domain.strategies.rules.schema import rules_schema

        print(json.dumps(rules_schema(), indent=2))
    elif file is None:
        raise typer.BadParameter("Name a file, or --schema.")
    elif file.suffix == ".py":
        _validate_plugin(file, as_json)
    elif file.suffix == ".json":
        _validate_rules(file, as_json)
    else:
        from backend.domain.errors import printable

        given = f"a {printable(file.suffix)} file" if file.suffix else "a file without an ending"
        raise typer.BadParameter(
            f"A strategy is a .py file, or rules in a .json file; {printable(file.name)} is {given}."
        )


def _validate_plugin(file: Path, as_json: bool) -> None:
    from backend.cli.failures import CommandFailed
    from backend.domain.strategies.registry import load_file
    from backend.domain.strategy_errors import StrategyBroken

    try:
        found = load_file(file)
    except StrategyBroken as problem:
        if as_json:
            print(json.dumps({"valid": False, "errors": [{"pointer": "", "detail": problem.reason}]}, indent=2))
        raise CommandFailed(problem.code, problem.title, problem.detail) from None
    names = [each.name for each in found]
    print(json.dumps({"valid": True, "strategies": names}, indent=2) if as_json else f"Good: {', '.join(names)}.")


def _validate_rules(file: Path, as_json: bool) -> None:
    from backend.cli.failures import CommandFailed
    from backend.cli.terminal import clean
    from backend.domain.strategies.rules.reading import read_rules, written
    from backend.domain.strategies.rules.tree import sentences
    from backend.domain.strategy_errors import InvalidRules

    try:
        rules = read_rules(file.read_text(encoding="utf-8", errors="replace"))
    except InvalidRules as problem:
        errors = [{"pointer": each.pointer, "detail": each.detail} for each in problem.errors]
        if as_json:
            print(json.dumps({"valid": False, "errors": errors}, indent=2))
        lines = "\n".join(f"{each['pointer'] or '/'}: {each['detail']}" for each in errors)
        raise CommandFailed(problem.code, problem.title, lines) from None
    if as_json:
        print(json.dumps({"valid": True, "rules": written(rules)}, indent=2))
    else:
        print(clean("\n".join(["Good.", *sentences(rules)])))


def _registry() -> "StrategyRegistry":
    from backend.bootstrap import read_settings
    from backend.bootstrap_market import open_strategies

    return open_strategies(read_settings())


def _words(described: dict[str, Any]) -> str:
    lines = [f"{described['title']} ({described['name']}, {described['origin']})", "", described["description"], ""]
    if described["markets"]:
        lines.append(f"At home in: {described['markets']}.")
    longer = "".join(f" and {bars:,} of {length}" for length, bars in described["longer_warmup"].items())
    lines.append(f"Warm-up: {described['warmup']:,} bars{longer} with the parameters below.")
    parameters = described["parameters"].get("properties", {})
    lines.extend(["", "Parameters:" if parameters else "It takes no parameters."])
    for name, facts in parameters.items():
        default = "" if facts.get("type") == "object" else f" = {json.dumps(facts.get('default'))}"
        lines.append(f"  {name}{default}{_bounds(facts)}: {facts.get('description', '')}")
    shown = [f"{plot['indicator']} {json.dumps(plot['parameters'])}" for plot in described["plots"]]
    if shown:
        lines.extend(["", f"Its charts show: {'; '.join(shown)}."])
    return "\n".join(lines)


def _bounds(facts: dict[str, Any]) -> str:
    if "enum" in facts:
        return f" ({', '.join(facts['enum'])})"
    least = facts.get("minimum", facts.get("exclusiveMinimum"))
    most, unit = facts.get("maximum", facts.get("exclusiveMaximum")), facts.get("unit", "")
    if least is None or most is None:
        return f" {unit}".rstrip()
    return f" ({least:,} to {most:,}{f' {unit}' if unit else ''})"
