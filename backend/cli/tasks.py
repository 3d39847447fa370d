"""`tidemark tasks ...`: one's own tasks on a server: listed, read, followed, cancelled and run again."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.options import Server
from backend.domain.jobs import JobKind, JobState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backend.cli.remote import Remote

app = typer.Typer(help="Your tasks on a server.", no_args_is_help=True, rich_markup_mode=None)

PATH = "/api/system/tasks"
LARGEST_PAGE = 200

TaskId = Annotated[
    str, typer.Argument(metavar="ID", help="The task's id, or its first 8 characters and more.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
AndWatch = Annotated[bool, typer.Option("--watch", help="Follow the task until it ends.")]


@app.command("list")
def list_tasks(
    *,
    state: Annotated[
        list[JobState] | None, typer.Option("--state", help="Only in this state; may be repeated.")
    ] = None,
    kind: Annotated[list[JobKind] | None, typer.Option("--kind", help="Only of this kind; may be repeated.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=LARGEST_PAGE, help="How many at most.")] = 50,
    everything: Annotated[bool, typer.Option("--all", help="All of them, however many.")] = False,
    as_json: AsJson = False,
    server: Server = None,
) -> None:
    """List your tasks, newest first."""
    from backend.cli.remote import remote

    filters = {"state": [one.value for one in state or ()], "kind": [one.value for one in kind or ()]}
    with remote(server) as there:
        if everything:
            pages = there.pages(PATH, {**filters, "limit": LARGEST_PAGE})
            found: dict[str, Any] = {"items": [task for page in pages for task in page["items"]], "next_cursor": None}
        else:
            found = there.read(PATH, {**filters, "limit": limit})
        if as_json:
            _print_json(found)
        else:
            _print_list(found, is_narrowed=bool(state or kind))


@app.command("show")
def show(task_id: TaskId, as_json: AsJson = False, server: Server = None) -> None:
    """Show everything about one task: how far it is, why it failed, what it wrote."""
    from backend.cli.remote import remote

    with remote(server) as there:
        task = there.read(f"{PATH}/{_whole_id(there, task_id)}")
        if as_json:
            _print_json(task)
        else:
            _print_page(task)


@app.command("watch")
def watch(
    task_id: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="One task, until it ends. Without: all of yours.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    server: Server = None,
) -> None:
    """Follow your tasks live, over cuts of the line. With an id it ends with the task: 0 when it completed, else 1."""
    from backend.cli.remote import remote
    from backend.cli.watching import follow_all, follow_one

    with remote(server) as there:
        if task_id is None:
            follow_all(there, as_json=as_json)
        elif follow_one(there, _whole_id(there, task_id), as_json=as_json) != JobState.COMPLETED:
            raise typer.Exit(1)


@app.command("cancel")
def cancel(task_id: TaskId, and_watch: AndWatch = False, as_json: AsJson = False, server: Server = None) -> None:
    """Cancel a task. One that waits is gone at once; one that runs is asked to stop, and has to within seconds."""
    from backend.cli.remote import remote
    from backend.cli.watching import follow_one

    with remote(server) as there:
        whole = _whole_id(there, task_id)
        task = there.change(f"{PATH}/{whole}/cancel")
        if and_watch:
            if follow_one(there, whole, as_json=as_json) != JobState.CANCELLED:
                raise typer.Exit(1)
        elif as_json:
            _print_json(task)
        else:
            print(_cancelled(task))


@app.command("retry")
def retry(task_id: TaskId, and_watch: AndWatch = False, as_json: AsJson = False, server: Server = None) -> None:
    """Run a failed or cancelled task again."""
    from backend.cli.remote import remote
    from backend.cli.task_words import short
    from backend.cli.watching import follow_one

    with remote(server) as there:
        whole = _whole_id(there, task_id)
        task = there.change(f"{PATH}/{whole}/retry")
        if and_watch:
            if follow_one(there, whole, as_json=as_json) != JobState.COMPLETED:
                raise typer.Exit(1)
        elif as_json:
            _print_json(task)
        else:
            print(f"Queued again. Follow it: tidemark tasks watch {short(task)}")


def _whole_id(there: "Remote", given: str) -> str:
    """The id that begins like this, if there is exactly one."""
    from backend.cli.failures import CommandFailed, ExitCode
    from backend.cli.task_ids import is_whole, prefix_of

    if is_whole(given):
        return given.lower()
    prefix = prefix_of(given)
    found = [
        task["id"]
        for page in there.pages(PATH, {"limit": LARGEST_PAGE})
        for task in page["items"]
        if task["id"].startswith(prefix)
    ]
    if len(found) == 1:
        return str(found[0])
    if not found:
        raise CommandFailed(
            "job_not_found",
            "No such task",
            f"You have no task whose id begins with {prefix}. `tidemark tasks list --all` shows yours.",
            exit_code=ExitCode.DATA_MISSING,
        )
    raise CommandFailed(
        "task_id_ambiguous",
        f"{len(found)} tasks begin with {prefix}",
        "\n".join(["Type more of the id:", *found[:10]]),
    )


def _cancelled(task: dict[str, Any]) -> str:
    from backend.cli.task_words import FINAL, short

    match task["state"]:
        case "cancelled":
            return f"Task {short(task)} is cancelled."
        case ended if ended in FINAL:
            return f"Task {short(task)} has {ended} already; there is nothing to cancel."
        case _:
            return f"Task {short(task)} is asked to stop. Follow it: tidemark tasks watch {short(task)}"


def _print_list(found: dict[str, Any], *, is_narrowed: bool) -> None:
    from backend.cli.terminal import say

    tasks = found["items"]
    if not tasks:
        say("No task is like that." if is_narrowed else "There are no tasks yet.")
        return
    _print_table(tasks)
    if found["next_cursor"] is not None:
        say(f"These are the newest {len(tasks)}. --all lists the rest too.")


def _print_table(tasks: "Sequence[dict[str, Any]]") -> None:
    from datetime import UTC, datetime

    from backend.cli import task_words, terminal

    now, is_plain = datetime.now(UTC), terminal.is_plain()
    rows = [task_words.row(task, now, is_plain=is_plain) for task in tasks]
    if is_plain:
        terminal.print_columns(task_words.COLUMNS, rows)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in task_words.COLUMNS:
        table.add_column(name, overflow="fold" if name == "detail" else "ellipsis", no_wrap=name != "detail")
    for task, cells in zip(tasks, rows, strict=True):
        table.add_row(*cells, style=task_words.STATE_STYLES.get(task["state"], ""))
    terminal.console().print(table)


def _print_page(task: dict[str, Any]) -> None:
    from datetime import UTC, datetime

    from backend.cli import task_words, terminal

    styles = {"heading": "bold", "failure": "bold red", "log": "dim"}
    console = None if terminal.is_plain() else terminal.console()
    for role, text in task_words.page(task, datetime.now(UTC)):
        if console is None:
            print(text)
        else:
            console.print(text, style=styles.get(role, ""), soft_wrap=True)


def _print_json(document: dict[str, Any]) -> None:
    print(json.dumps(document, indent=2))
