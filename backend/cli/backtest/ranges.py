"""Ranges of parameters as they are typed: `fast=5:50:5` walks, `fast=10,20` lists, `fast=auto` chooses."""

from typing import Any

import typer

from backend.cli.backtest.choices import pairs, value_of

_PARTS = ("from", "to", "step")


def ranges_of(texts: list[str] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is tried, and what stays as it is."""
    tried: dict[str, Any] = {}
    fixed: dict[str, Any] = {}
    for name, text in pairs(texts):
        if text == "auto":
            tried[name] = text
        elif ":" in text and not text.startswith(("{", "[", "@", '"')):
            tried[name] = _walk(name, text)
        elif "," in text and not text.startswith(("{", "[", "@", '"')):
            tried[name] = [value_of(each.strip()) for each in text.split(",") if each.strip()]
        else:
            value = value_of(text)
            (tried if isinstance(value, list) else fixed)[name] = value
    if not tried:
        raise typer.BadParameter(
            "Nothing is tried. Give at least one parameter a range: -p fast=5:50:5, -p fast=10,20 or -p fast=auto."
        )
    return tried, fixed


def _walk(name: str, text: str) -> dict[str, Any]:
    parts = [value_of(each.strip()) for each in text.split(":")]
    if not 2 <= len(parts) <= len(_PARTS) or any(isinstance(each, bool | str) for each in parts):
        raise typer.BadParameter(
            f"--param {name}={text[:40]}: write a range as FROM:TO:STEP in numbers, such as {name}=5:50:5."
        )
    return dict(zip(_PARTS, parts, strict=False))
