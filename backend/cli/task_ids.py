"""Ids as people type them: whole, or the beginning of one."""

import re

import typer

SHORTEST_PREFIX = 8
_FORM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_EXAMPLE = "0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a"


def is_whole(given: str) -> bool:
    return _FORM.fullmatch(given.lower()) is not None


def prefix_of(given: str) -> str:
    """The beginning of an id, dashes where an id has them; anything else is a mistake in using the command."""
    prefix = given.lower()
    padded = prefix + _EXAMPLE[len(prefix) :]
    if len(prefix) < SHORTEST_PREFIX or not is_whole(padded):
        raise typer.BadParameter(
            f"{given} is no beginning of an id such as {_EXAMPLE}: 8 characters or more are needed."
        )
    return prefix
