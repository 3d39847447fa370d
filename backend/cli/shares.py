"""`tidemark shares ...`: the links that show results of one's own to others: listed and revoked."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.options import Server

if TYPE_CHECKING:
    from backend.cli.remote import Remote

app = typer.Typer(
    help="Links that show your results to others.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PATH = "/api/shares"
LARGEST_PAGE = 200
COLUMNS = ("id", "state", "expires", "opened", "title")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("list")
def list_shares(*, as_json: AsJson = False, server: Server = None) -> None:
    """List your links, newest first, with those that ended in the last 30 days."""
    from backend.cli.remote import remote
    from backend.cli.terminal import clean, print_columns, say

    with remote(server) as there:
        found = _all(there)
        if as_json:
            print(json.dumps({"items": found, "next_cursor": None}, indent=2))
        elif found:
            print_columns(COLUMNS, [[clean(cell) for cell in _row(share)] for share in found])
        else:
            say("You share nothing. A finished backtest can be shared from its page in the web app.")


@app.command("revoke")
def revoke(
    share_id: Annotated[str, typer.Argument(metavar="ID", help="The link's id, or how it begins.", show_default=False)],
    server: Server = None,
) -> None:
    """Revoke a link: it shows nothing any more. It cannot be taken back."""
    from backend.cli.remote import remote
    from backend.cli.terminal import clean

    with remote(server) as there:
        found = _live(there, share_id.lower())
        there.remove(f"{PATH}/{found['id']}")
        print(clean(f"The link to {found['title']} is revoked."))


def _all(there: "Remote") -> list[dict[str, Any]]:
    return [share for page in there.pages(PATH, {"limit": LARGEST_PAGE}) for share in page["items"]]


def _live(there: "Remote", begins: str) -> dict[str, Any]:
    """The live link whose id begins like this, if there is exactly one."""
    from backend.cli.failures import CommandFailed, ExitCode

    found = [share for share in _all(there) if share["state"] == "live" and share["id"].startswith(begins)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandFailed("share_id_ambiguous", f"{len(found)} links begin with {begins}", "Type more of the id.")
    raise CommandFailed(
        "share_not_found",
        "No such link",
        f"You have no live link whose id begins with {begins}. `tidemark shares list` shows yours.",
        exit_code=ExitCode.DATA_MISSING,
    )


def _row(share: dict[str, Any]) -> tuple[str, ...]:
    return (share["id"], share["state"], share["expires_at"][:10], str(share["opened"]), share["title"])
