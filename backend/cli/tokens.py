"""`tidemark tokens ...`: one's own personal access tokens on a server: listed, made and revoked."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backend.cli.options import Server
from backend.domain.tokens import LONGEST_LIFE_DAYS, SENTENCES, Scope

if TYPE_CHECKING:
    from backend.cli.remote import Remote

app = typer.Typer(
    help="Your personal access tokens on a server. It takes a login with email and password.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PATH = "/api/me/tokens"
LARGEST_PAGE = 200
COLUMNS = ("id", "state", "scopes", "expires", "last used", "name")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("list")
def list_tokens(*, as_json: AsJson = False, server: Server = None) -> None:
    """List your tokens, newest first, with those that ended in the last 30 days."""
    from backend.cli.remote import remote
    from backend.cli.terminal import clean, print_columns, say

    with remote(server) as there:
        found = [token for page in there.pages(PATH, {"limit": LARGEST_PAGE}) for token in page["items"]]
        if as_json:
            print(json.dumps({"items": found, "next_cursor": None}, indent=2))
        elif found:
            print_columns(COLUMNS, [[clean(cell) for cell in _row(token)] for token in found])
        else:
            say("There are no tokens. Make one with `tidemark tokens create NAME --scope read`.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What will use it.", show_default=False)],
    *,
    scope: Annotated[
        list[Scope],
        typer.Option(
            "--scope",
            help="What it may do; may be repeated. "
            + " ".join(f"{scope}: {said}" for scope, said in SENTENCES.items()),
            show_default=False,
        ),
    ],
    days: Annotated[
        int, typer.Option("--days", min=1, max=LONGEST_LIFE_DAYS, help="So many days later it expires.")
    ] = 90,
    as_json: AsJson = False,
    server: Server = None,
) -> None:
    """Make a token and print it: this once, and nobody can show it again."""
    from backend.cli.remote import remote
    from backend.cli.terminal import say

    wanted = {"name": name, "scopes": [one.value for one in dict.fromkeys(scope)], "expires_in_days": days}
    with remote(server) as there:
        made = there.make(PATH, wanted)
        if as_json:
            print(json.dumps(made, indent=2))
            return
        print(made["token"])
        say(f"It may {', '.join(made['scopes'])} until {made['expires_at'][:10]}. Nothing shows it again.")


@app.command("revoke")
def revoke(
    token_id: Annotated[
        str, typer.Argument(metavar="ID", help="The token's id, or how it begins.", show_default=False)
    ],
    server: Server = None,
) -> None:
    """Revoke a token. Whatever uses it is refused from now on; it cannot be taken back."""
    from backend.cli.remote import remote
    from backend.cli.terminal import clean

    with remote(server) as there:
        found = _live(there, token_id.lower())
        there.remove(f"{PATH}/{found['id']}")
        print(clean(f"Token {found['hint']} ({found['name']}) is revoked."))


def _live(there: "Remote", begins: str) -> dict[str, Any]:
    """The live token whose id begins like this, if there is exactly one."""
    from backend.cli.failures import CommandFailed, ExitCode

    pages = there.pages(PATH, {"limit": LARGEST_PAGE})
    live = [token for page in pages for token in page["items"] if token["state"] == "live"]
    found = [token for token in live if token["id"].startswith(begins)]
    if len(found) == 1:
        return dict(found[0])
    if found:
        raise CommandFailed("token_id_ambiguous", f"{len(found)} tokens begin with {begins}", "Type more of the id.")
    raise CommandFailed(
        "token_not_found",
        "No such token",
        f"You have no live token whose id begins with {begins}. `tidemark tokens list` shows yours.",
        exit_code=ExitCode.DATA_MISSING,
    )


def _row(token: dict[str, Any]) -> tuple[str, ...]:
    return (
        token["id"],
        token["state"],
        ",".join(token["scopes"]),
        token["expires_at"][:10],
        (token["last_used_at"] or "never")[:16],
        token["name"],
    )
