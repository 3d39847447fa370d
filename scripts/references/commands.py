"""docs/reference/commands.md: every command of `tidemark`, as `--help` knows it."""

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from backend.cli.main import app
from scripts.references.writing import cell, table

HEAD = """\
# Commands

`tidemark NOUN VERB --help` says the same at the terminal. Exit codes, and what each error means, are in
[operations](../operations.md#start-stop-look); completions come with `tidemark --install-completion`.
"""


def page() -> str:
    command = get_command(app)
    return "\n".join([HEAD, *_commands("tidemark", command)])


def _commands(name: str, command: Any) -> Iterator[str]:
    children = getattr(command, "commands", None)
    if children is None:
        yield _command(name, command)
        return
    if name != "tidemark":
        yield f"## {name}\n\n{_words(command)}\n"
    else:
        yield "## On its own\n"
    alone = {one: child for one, child in children.items() if not child.hidden and not hasattr(child, "commands")}
    nouns = {one: child for one, child in children.items() if not child.hidden and hasattr(child, "commands")}
    for one, child in (*alone.items(), *nouns.items()):
        yield from _commands(f"{name} {one}", child)


def _command(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [
        one for one in command.params if one.param_type_name == "option" and not one.hidden and one.name != "help"
    ]
    usage = " ".join([name, *map(_usage, arguments), *(["[options]"] if options else [])])
    parts = [f"### {name}", "", _words(command), "", f"```\n{usage}\n```", ""]
    rows = [(_names(one), _help(one), _default(one)) for one in (*arguments, *options)]
    if rows:
        parts += [table(("", "meaning", "default"), rows), ""]
    return "\n".join(parts)


def _words(command: Any) -> str:
    return " ".join((command.help or "").split("\f")[0].split())


def _usage(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper().strip("[]")
    name = f"{name}..." if argument.nargs != 1 and not name.endswith("...") else name
    return name if argument.required else f"[{name}]"


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{_usage(parameter)}`"
    names = ", ".join(f"`{name}`" for name in sorted(parameter.opts, key=len, reverse=True))
    return names + "".join(f" / `{name}`" for name in parameter.secondary_opts)


def _help(parameter: Any) -> str:
    words = cell(parameter.help or "")
    return f"{words} Can be repeated." if parameter.multiple and "often" not in words else words


def _default(parameter: Any) -> str:
    if parameter.required:
        return "needed"
    value = parameter.default
    if not value or callable(value):
        return ""
    return "on" if value is True else f"`{getattr(value, 'value', value)}`"
