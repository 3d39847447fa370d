"""`tidemark user ...`: what an operator does with accounts, through Supabase Auth's admin API, embedded or hosted."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.options import DataDir
from backend.cli.terminal import answered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backend.bootstrap import Settings
    from backend.domain.accounts import Account
    from backend.domain.jobs import Plan
    from backend.domain.ports import AccountAdmin

app = typer.Typer(
    help="Create, list, promote, suspend and delete users, and give them plans.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

A_CENTURY = 876_000  # hours

Email = Annotated[str, typer.Argument(help="The user's email address.")]
FromStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Generated = Annotated[bool, typer.Option("--generate", help="Make a password and print it, once.")]


@app.command("create")
def create(
    email: Email,
    password_stdin: FromStdin = False,
    generate: Generated = False,
    admin: Annotated[bool, typer.Option("--admin", help="Make the user an administrator.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Create a user whose address counts as confirmed. The password is asked for, unless an option says otherwise."""
    password = _password(from_stdin=password_stdin, generate=generate)
    account = _accounts(data_dir).create(email, password, is_admin=admin)
    print(f"Created {account.email} ({account.id}){', an administrator' if admin else ''}.")
    if generate:
        print(f"Password: {password}")


@app.command("password")
def set_password(
    email: Email, password_stdin: FromStdin = False, generate: Generated = False, data_dir: DataDir = None
) -> None:
    """Give a user a new password, for one who forgot it and cannot be sent a mail. Signs all their devices out."""
    password = _password(from_stdin=password_stdin, generate=generate)
    account = _accounts(data_dir).set_password(email, password)
    print(f"{account.email} has a new password, and is signed out everywhere.")
    if generate:
        print(f"Password: {password}")


@app.command("list")
def list_users(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    data_dir: DataDir = None,
) -> None:
    """List all users, newest first."""
    import json

    accounts = list(_accounts(data_dir).everyone())
    if as_json:
        print(json.dumps([_document(account) for account in accounts], indent=2))
        return
    rows = [_row(account) for account in accounts]
    if not rows:
        print("There are no users yet. Create one: tidemark user create you@example.com")
        return
    _table(rows)


@app.command("promote")
def promote(
    email: Email,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the administrator's role away again.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Make a user an administrator. It holds at once."""
    account = _accounts(data_dir).set_admin(email, not revoke)
    print(f"{account.email} is {'no longer' if revoke else 'now'} an administrator.")


@app.command("plan")
def set_plan(
    email: Email,
    plan: Annotated[str, typer.Argument(help="One of those that `tidemark user plans` lists.")],
    data_dir: DataDir = None,
) -> None:
    """Give a user another plan: how many tasks may wait and run at once, how many backtests and models are kept."""
    from backend.domain.errors import NotFound

    known = {one.quota.plan: one for one in _plans(data_dir)}
    if plan not in known:
        raise NotFound(f"There is no plan {plan}. There are: {', '.join(known)}.")
    account, quota = _accounts(data_dir).set_plan(email, plan), known[plan].quota
    print(
        f"{account.email} has the plan {plan}: {quota.queued:,} tasks may wait, {quota.running:,} run at once, "
        f"{known[plan].backtests:,} backtests and {known[plan].models:,} models are kept. It holds at once."
    )


@app.command("plans")
def list_plans(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    data_dir: DataDir = None,
) -> None:
    """List the plans, the smallest first, and how many users have each."""
    import json

    plans = _plans(data_dir)
    if as_json:
        print(
            json.dumps(
                [
                    {**vars(one.quota), "backtests": one.backtests, "models": one.models, "users": one.accounts}
                    for one in plans
                ],
                indent=2,
            )
        )
        return
    _table(
        [
            {
                "plan": one.quota.plan,
                "may wait": f"{one.quota.queued:,}",
                "run at once": f"{one.quota.running:,}",
                "backtests kept": f"{one.backtests:,}",
                "models kept": f"{one.models:,}",
                "users": f"{one.accounts:,}",
            }
            for one in plans
        ]
    )


@app.command("suspend")
def suspend(
    email: Email,
    lift: Annotated[bool, typer.Option("--lift", help="End the suspension.")] = False,
    hours: Annotated[
        int, typer.Option("--hours", min=1, max=A_CENTURY, help="How long. Default: 100 years.", show_default=False)
    ] = A_CENTURY,
    data_dir: DataDir = None,
) -> None:
    """Suspend a user. It holds at once, also for tokens that are still valid, and ends the user's tasks."""
    account = _accounts(data_dir).suspend(email, hours=0 if lift else hours)
    until = f" until {account.suspended_until:%Y-%m-%d %H:%M} UTC" if account.suspended_until else ""
    print(f"{account.email} {'may sign in again' if lift else f'is suspended{until}'}.")


@app.command("delete")
def delete(
    email: Email,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Delete a user with everything that is theirs, files included. There is no way back.

    Lines of the audit log stay, with the id of the account and without its address.
    """
    import asyncio

    from backend.bootstrap_operator import delete_account
    from backend.domain.errors import NotFound

    account = _accounts(data_dir).find(email)
    if not yes:
        _require_typed(account)
    # The server that runs stops the user's tasks; then this removes the rows and the files.
    if not asyncio.run(delete_account(_settings(data_dir), account.id, "Deleted at the terminal.")):
        raise NotFound(f"There is no user with the address {email} any more.")
    print(f"{account.email} ({account.id}) is deleted with everything that was theirs.")


def _require_typed(account: "Account") -> None:
    """The address once more: nobody types it by accident."""

    def ask() -> str:
        role = ", an administrator" if account.is_admin else ""
        print(
            f"This deletes {account.email} ({account.id}{role}), created {account.created_at:%Y-%m-%d}, with everything"
        )
        print("that is theirs: backtests, models, predictions, keys, imported series. There is no way back.")
        return str(typer.prompt("Type the address to go on", err=True))

    if answered(ask).strip().lower() != account.email:
        raise typer.BadParameter("That is not the address. Nothing was deleted.")


def _password(*, from_stdin: bool, generate: bool) -> str:
    import secrets

    if generate and from_stdin:
        raise typer.BadParameter("--generate and --password-stdin exclude each other.")
    if generate:
        return secrets.token_urlsafe(15)
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if sys.stdin.isatty():
        return _ask_for_password()
    raise typer.BadParameter("No terminal to ask for the password on. Use --password-stdin or --generate.")


def _accounts(data_dir: "DataDir") -> "AccountAdmin":
    from backend.bootstrap_operator import open_auth_admin
    from backend.cli import instance

    settings = _settings(data_dir)
    running = instance.find(settings.data_dir) if settings.embedded else None
    return open_auth_admin(settings, running.url if running else None)


def _settings(data_dir: "DataDir") -> "Settings":
    """Of a hosted project, or of an instance that is running."""
    from backend.bootstrap import read_settings
    from backend.cli import instance
    from backend.domain.errors import ServiceUnavailable

    settings = read_settings(data_dir=data_dir)
    if settings.embedded and instance.find(settings.data_dir) is None:
        raise ServiceUnavailable(
            f"Tidemark is not running on {settings.data_dir}. Start it with ./scripts/run, then try again."
        )
    return settings


def _plans(data_dir: "DataDir") -> "Sequence[Plan]":
    import asyncio

    from backend.bootstrap_operator import read_plans

    return asyncio.run(read_plans(_settings(data_dir)))


def _table(rows: "Sequence[Mapping[str, str]]") -> None:
    """At least one row, under the names of its columns."""
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) for column in rows[0]}
    for row in ({column: column for column in widths}, *rows):
        print("  ".join(row[column].ljust(width) for column, width in widths.items()).rstrip())


def _ask_for_password() -> str:
    try:
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    except typer.Abort:  # Ctrl-C, or the end of the input
        raise KeyboardInterrupt from None


def _is_suspended(account: "Account") -> bool:
    from datetime import UTC, datetime

    return account.suspended_until is not None and account.suspended_until > datetime.now(UTC)


def _row(account: "Account") -> dict[str, str]:
    return {
        "email": account.email or ("(demo user)" if account.is_anonymous else "(none)"),
        "role": _role(account),
        "plan": account.plan or "standard",
        "state": "suspended" if _is_suspended(account) else "active",
        "created": f"{account.created_at:%Y-%m-%d}",
        "last sign-in (UTC)": f"{account.last_sign_in_at:%Y-%m-%d %H:%M}" if account.last_sign_in_at else "never",
        "id": str(account.id),
    }


def _document(account: "Account") -> dict[str, str | bool | None]:
    """The same for programs: whole times, and null where there is nothing."""
    return {
        "id": str(account.id),
        "email": account.email,
        "role": _role(account),
        "plan": account.plan or "standard",
        "state": "suspended" if _is_suspended(account) else "active",
        "is_demo": account.is_anonymous,
        "suspended_until": account.suspended_until.isoformat() if account.suspended_until else None,
        "created_at": account.created_at.isoformat(),
        "last_sign_in_at": account.last_sign_in_at.isoformat() if account.last_sign_in_at else None,
    }


def _role(account: "Account") -> str:
    return "admin" if account.is_admin else "user"
