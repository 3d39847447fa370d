"""`tidemark login` and `tidemark logout`: this user's session at a server, for the commands that work against one."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from backend.cli.options import Server

if TYPE_CHECKING:
    import httpx

    from backend.cli.credentials import Login
    from backend.cli.supabase_auth import Session, SupabaseAuth

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# What the auth server calls a session that is over already.
OVER = frozenset({"bad_jwt", "user_banned"})


def login(
    server: Server = None,
    email: Annotated[
        str | None, typer.Option("--email", help="Who you are there. Asked for when it is left out.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            metavar="-",
            help="Keep a personal access token instead: read from standard input, else from TIDEMARK_TOKEN, else asked"
            " for.",
        ),
    ] = None,
) -> None:
    """Sign in to a server. The session is kept for you alone; it replaces and ends the one before."""
    from backend.cli import remote
    from backend.cli.credentials import locked, write_login

    if token is not None:
        _keep_token(server, token, is_alone=email is None and not password_stdin)
        return
    _require_somebody_to_ask(email, from_stdin=password_stdin)
    address = remote.chosen_server(server)
    with remote.open_client() as client:
        auth = _auth(client, address)
        warn_of_plain_http(auth.url)
        session = auth.sign_in(email or _ask("Email"), _password(from_stdin=password_stdin))
        _require_no_second_factor(session, auth)
        with locked():
            former = _kept()
            write_login(_login(address, auth, session))
        _end_former(client, former)
    print(f"Signed in to {address} as {session.email}.")
    _mention_given_token()


def logout() -> None:
    """End the session at the server, and forget it here."""
    from backend.cli import remote
    from backend.cli.credentials import forget_login, locked

    with locked():
        kept = _kept()
        forget_login()
    if kept is None:
        print("Nobody is signed in here.")
        return
    if kept.is_token:
        print(
            f"Forgotten here. The token still opens {kept.server} until it expires or is revoked:"
            " in the web app, in the settings, under Security."
        )
        return
    with remote.open_client() as client:
        reason = _end(client, kept)
    if reason is not None:
        print(
            f"Forgotten here, but {kept.server} could not be told. {reason}\n"
            "The session lives on there: end it in the web app, in the settings, under Security.",
            file=sys.stderr,
        )
        raise typer.Exit(1)
    print(f"Signed out from {kept.server}.")
    _mention_given_token()


def warn_of_plain_http(url: str) -> None:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        print(f"{url} is not encrypted: whoever stands on the way there can read your password.", file=sys.stderr)


def _keep_token(server: str | None, given: str, *, is_alone: bool) -> None:
    """Keep a token that the server knows, as whoever it belongs to."""
    from backend.cli import remote
    from backend.cli.credentials import KeptToken, Login, locked, usable, write_login

    if given != "-":
        raise typer.BadParameter(
            "Use --token - and give the token by standard input: a command line can be read by others."
        )
    if not is_alone:
        raise typer.BadParameter("A token says who you are: leave out --email and --password-stdin.")
    address = remote.chosen_server(server)
    warn_of_plain_http(address)
    token = usable(_token(), "What was given")
    with remote.open_client() as client:
        me = remote.Remote(address, client, KeptToken(token)).read("/api/me")
        email = str(me["email"] or "(demo user)")
        with locked():
            former = _kept()
            write_login(
                Login(
                    server=address,
                    email=email,
                    auth_url="",
                    publishable_key="",
                    access_token=token,
                    refresh_token="",
                    expires_at=0.0,
                )
            )
        _end_former(client, former)
    print(f"Keeping a token of {email} for {address}.")
    _mention_given_token()


def _token() -> str:
    import os

    piped = "" if sys.stdin.isatty() else sys.stdin.readline().strip()
    token = piped or os.environ.get("TIDEMARK_TOKEN", "").strip()
    if not token and sys.stdin.isatty():
        token = _ask("Token", is_secret=True).strip()
    if not token:
        raise typer.BadParameter("No token came by standard input, and TIDEMARK_TOKEN is not set.")
    return token


def _require_somebody_to_ask(email: str | None, *, from_stdin: bool) -> None:
    if from_stdin and email is None:
        raise typer.BadParameter("With --password-stdin the input holds the password, so say who you are with --email.")
    if not from_stdin and not sys.stdin.isatty():
        raise typer.BadParameter("No terminal to ask for the password on. Use --email and --password-stdin.")


def _auth(client: "httpx.Client", address: str) -> "SupabaseAuth":
    """Where one signs in for this server: there, or in the project that it names, over a line no worse."""
    from backend.cli.failures import not_tidemark
    from backend.cli.remote import ask_config
    from backend.cli.supabase_auth import SupabaseAuth

    config = ask_config(client, address)
    url = config["supabase_url"].rstrip("/") or address
    if address.startswith("https:") and not url.startswith("https:"):
        raise not_tidemark(address)
    return SupabaseAuth(client, url, config["publishable_key"])


def _password(*, from_stdin: bool) -> str:
    password = sys.stdin.readline().rstrip("\r\n") if from_stdin else _ask("Password", is_secret=True)
    if not password:
        raise typer.BadParameter("The password is empty.")
    return password


def _ask(what: str, *, is_secret: bool = False) -> str:
    try:
        return str(typer.prompt(what, hide_input=is_secret, err=True)).strip("\r\n")
    except typer.Abort:  # Ctrl-C, or the end of the input
        raise KeyboardInterrupt from None


def _require_no_second_factor(session: "Session", auth: "SupabaseAuth") -> None:
    from backend.cli.failures import CommandFailed, ExitCode

    if session.has_second_factor:
        auth.sign_out(session.access_token)
        raise CommandFailed(
            "second_factor_needed",
            "This account has a second factor",
            "The command line cannot ask for it. Use an account without one, or set TIDEMARK_TOKEN.",
            exit_code=ExitCode.CREDENTIALS,
        )


def _login(address: str, auth: "SupabaseAuth", session: "Session") -> "Login":
    from backend.cli.credentials import Login

    return Login(
        server=address,
        email=session.email,
        auth_url=auth.url,
        publishable_key=auth.publishable_key,
        access_token=session.access_token,
        refresh_token=session.refresh_token,
        expires_at=0.0,
    ).renewed_by(session)


def _kept() -> "Login | None":
    """The login in the file; one that cannot be used is as good as none to who replaces or removes it."""
    from backend.cli.credentials import read_login
    from backend.cli.failures import CommandFailed

    try:
        return read_login()
    except CommandFailed:
        return None


def _end(client: "httpx.Client", login: "Login") -> str | None:
    """End a session at its server, with a token that is fresh by any clock; why not, if it cannot be told."""
    from backend.cli.failures import CommandFailed
    from backend.cli.remote import auth_of
    from backend.cli.supabase_auth import SESSION_ENDED

    auth = auth_of(client, login)
    try:
        auth.sign_out(auth.renew(login.refresh_token).access_token)
    except CommandFailed as problem:
        return None if problem.code in SESSION_ENDED | OVER else problem.detail
    return None


def _end_former(client: "httpx.Client", former: "Login | None") -> None:
    """What is replaced: a session is ended, a token is its owner's to revoke."""
    if former is not None and not former.is_token:
        _end(client, former)


def _mention_given_token() -> None:
    import os

    if os.environ.get("TIDEMARK_TOKEN"):
        print("TIDEMARK_TOKEN is set, and goes before any login.", file=sys.stderr)
