"""docs/reference/settings.md: every environment variable that Tidemark reads, as `Settings` knows it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from backend.settings import REPOSITORY, Settings
from scripts.references.writing import cell, table

HEAD = """\
# Settings

None is needed. All are read from the environment, or from a file `.env` in the clone (another one:
`TIDEMARK_ENV_FILE`, which must be there; empty for none). The start and `tidemark doctor` name those that mean nothing.
What they are for is told in [operations](../operations.md).
"""
OTHERS = (
    ("`TIDEMARK_ENV_FILE`", "path", "`.env` in the clone", "The file of settings; empty for none."),
    ("`TIDEMARK_PYTHON`", "path", "`python3`", "Of the set-up alone: the Python 3.11, 3.12 or 3.13 to use."),
    ("`TIDEMARK_SERVER`", "address", "", "Of commands from afar: the server to talk to. Not read from the file."),
    ("`TIDEMARK_TOKEN`", "secret", "", "Of commands from afar: a personal access token. Not read from the file."),
)


def page() -> str:
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    return "\n".join([HEAD, table(("name", "kind", "default", "meaning"), [*rows, *OTHERS]), ""])


def _row(name: str, field: FieldInfo) -> tuple[str, str, str, str]:
    names = ", ".join(f"`{one}`" for one in _names(name, field))
    return names, _kind(field.annotation), _default(field), cell(field.description or "")


def _names(name: str, field: FieldInfo) -> Iterable[str]:
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return [str(one) for one in alias.choices]
    return [str(alias)] if alias else [f"TIDEMARK_{name.upper()}"]


def _kind(annotation: Any) -> str:
    inner = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{one}`" for one in get_args(annotation))
    if get_origin(annotation) is tuple:
        return "list, commas between"
    if inner:
        return _kind(inner[0])
    names = {SecretStr: "secret", Path: "path", bool: "`true`, `false`", int: "number", float: "number", str: "text"}
    return names[annotation]


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        value = field.default_factory()  # type: ignore[call-arg]
        place = Path(value)
        return (
            f"`{place.relative_to(REPOSITORY)}` in the clone"
            if place.is_relative_to(REPOSITORY)
            else "`.tidemark` in the clone"
        )
    if field.default in (None, ()):
        return ""
    value = field.default
    return (
        f"`{','.join(value) if isinstance(value, tuple) else str(value).lower() if isinstance(value, bool) else value}`"
    )
