"""Who the caller is to a server: by the token in TIDEMARK_TOKEN, else by the login that this user keeps in a file.

The file is a session: an access token for an hour, and a refresh token for the next one. A refresh token is good for a
single use and several commands may need the next one at once, so whoever renews holds a lock and reads again first.
Or it is a personal access token, which nobody can renew.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Protocol

from backend.cli.failures import CommandFailed, ExitCode
from backend.cli.supabase_auth import Session, SupabaseAuth

# Renewed so long before its end that no request arrives with a token that has just run out.
MARGIN_SECONDS = 60.0
LONGEST_WAIT_FOR_LOCK_SECONDS = 30.0

# How a kept login reaches its auth server.
ReachAuth = Callable[["Login"], SupabaseAuth]


class Credentials(Protocol):
    """What a server is shown. A personal access token is one in TIDEMARK_TOKEN: it is shown as it is."""

    # What a person does when the server does not believe them.
    remedy: str

    def token(self) -> str:
        """The token to show now."""

    def another_than(self, refused: str) -> str | None:
        """Another one after the server refused that one; None when there is none to be had."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """A session at a server, or a personal access token for it, as the file has it."""

    server: str
    email: str
    auth_url: str
    publishable_key: str
    access_token: str = field(repr=False)
    # Empty with a personal access token.
    refresh_token: str = field(repr=False)
    # By this machine's clock, which need not agree with the server's.
    expires_at: float

    @property
    def is_token(self) -> bool:
        return not self.refresh_token

    def renewed_by(self, session: Session) -> "Login":
        return replace(
            self,
            email=session.email,
            access_token=session.access_token,
            refresh_token=session.refresh_token,
            expires_at=time.time() + session.lives_seconds,
        )


class GivenToken:
    """Credentials that somebody else made and keeps fresh."""

    remedy = "Set TIDEMARK_TOKEN to a token that is still good, or unset it and run `tidemark login`."

    def __init__(self, token: str) -> None:
        self._token = usable(token, "TIDEMARK_TOKEN")

    def token(self) -> str:
        return self._token

    def another_than(self, refused: str) -> str | None:
        return None


class KeptToken(GivenToken):
    """Credentials of the personal access token in the file."""

    remedy = "Run `tidemark login --token -` to keep another token, or `tidemark login` to sign in."


class KeptLogin:
    """Credentials of the login in the file, renewed when their hour is over."""

    remedy = "Run `tidemark login` to sign in again."

    def __init__(self, login: Login, reach: ReachAuth) -> None:
        self._login, self._reach = login, reach

    def token(self) -> str:
        if time.time() > self._login.expires_at - MARGIN_SECONDS:
            self._renew(self._login.access_token)
        return self._login.access_token

    def another_than(self, refused: str) -> str | None:
        self._renew(refused)
        return self._login.access_token

    def _renew(self, spent: str) -> None:
        with locked():
            kept = read_login()
            if kept is None or kept.server != self._login.server:
                raise not_signed_in(self._login.server)
            if kept.access_token == spent:  # else another command was here before
                kept = kept.renewed_by(self._reach(kept).renew(kept.refresh_token))
                write_login(kept)
            self._login = kept


def credentials_for(server: str, reach: ReachAuth) -> Credentials:
    """A login is shown to the server that gave it, and to no other."""
    if token := os.environ.get("TIDEMARK_TOKEN", "").strip():
        return GivenToken(token)
    login = read_login()
    if login is None or login.server != server:
        raise not_signed_in(server, login)
    return KeptToken(login.access_token) if login.is_token else KeptLogin(login, reach)


def usable(token: str, name: str) -> str:
    if token.isascii() and token.isprintable() and " " not in token:
        return token
    raise CommandFailed(
        "token_not_usable",
        f"{name} is no token",
        "A token has no spaces, line breaks or letters beyond ASCII.",
        exit_code=ExitCode.CREDENTIALS,
    )


def not_signed_in(server: str, login: Login | None = None) -> CommandFailed:
    elsewhere = f" The login of this user is for {login.server}." if login else ""
    return CommandFailed(
        "not_signed_in",
        f"You are not signed in to {server}",
        f"Run `tidemark login --server {server}`, or set TIDEMARK_TOKEN.{elsewhere}",
        exit_code=ExitCode.CREDENTIALS,
    )


def login_file() -> Path:
    """In the user's folder for settings, which XDG_CONFIG_HOME may name; what is no whole path there counts not."""
    named = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    return (named if named.is_absolute() else Path("~/.config").expanduser()) / "tidemark" / "login.json"


def read_login() -> Login | None:
    path = login_file()
    try:
        with path.open() as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise _unusable(f"Other users can read {path}. If nobody did, `chmod 600 {path}`; else log in anew.")
            content = json.load(file)
        return Login(**{each.name: content[each.name] for each in fields(Login)})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise _unusable(f"{path} cannot be read: {problem.strerror}.") from problem
    except (ValueError, KeyError, TypeError) as problem:
        raise _unusable(f"{path} is damaged. Remove it, then run `tidemark login`.") from problem


def write_login(login: Login) -> None:
    """All of it or nothing, and for the eyes of this user alone from its first byte on."""
    path = login_file()
    fresh = path.with_suffix(".new")
    try:
        _make_folder(path.parent)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(login), file, indent=2)
        fresh.replace(path)
    except OSError as problem:
        raise _unusable(f"{path} cannot be written: {problem.strerror}.") from problem


def forget_login() -> None:
    try:
        login_file().unlink(missing_ok=True)
    except OSError as problem:
        raise _unusable(f"{login_file()} cannot be removed: {problem.strerror}.") from problem


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """The only command of this user that changes the login; the kernel lets go when the process ends."""
    path = login_file().with_suffix(".lock")
    try:
        _make_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise _unusable(f"{path} cannot be written: {problem.strerror}.") from problem
    try:
        _take(handle)
        yield
    finally:
        os.close(handle)


def _take(handle: int) -> None:
    deadline = time.monotonic() + LONGEST_WAIT_FOR_LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise CommandFailed(
                    "login_locked",
                    "Another command holds the login",
                    f"It has been at it for {LONGEST_WAIT_FOR_LOCK_SECONDS:.0f} s. Try again, or end that command.",
                    is_passing=True,
                ) from None
            time.sleep(0.05)
        else:
            return


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _unusable(detail: str) -> CommandFailed:
    return CommandFailed("login_unusable", "The login cannot be used", detail, exit_code=ExitCode.CREDENTIALS)
