"""What a person at a terminal sees, and what a program at the other end of a pipe gets instead."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TextIO, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console

Answer = TypeVar("Answer")


def is_plain(stream: TextIO | None = None) -> bool:
    """No colour, no frame, nothing that moves: for a pipe or a file, for NO_COLOR, and for a terminal that cannot."""
    stream = stream or sys.stdout
    return not stream.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def console() -> "Console":
    """Texts go to it as they are: nothing in them is markup."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def clean(text: str) -> str:
    """What a task or a server wrote, without what would command the terminal."""
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
        for each in text.expandtabs(4)
    )


def answered(ask: Callable[[], Answer]) -> Answer:
    """What a person answers before something is deleted. A pipe cannot, and has to say --yes."""
    if not sys.stdin.isatty():
        raise typer.BadParameter("No terminal to confirm it on. Use --yes.")
    try:
        return ask()
    except typer.Abort:
        raise KeyboardInterrupt from None


def print_columns(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table of plain text, the last column as long as it likes."""
    table = [titles, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(titles))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def say(text: str) -> None:
    """Progress, notes and warnings: never part of the output."""
    print(clean(text), file=sys.stderr, flush=True)
