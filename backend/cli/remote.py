"""HTTP for every command that works against a server: which server, as whom, and what its answers mean."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

import typer

from backend.cli.credentials import Credentials, Login, credentials_for, read_login
from backend.cli.failures import CommandFailed, ExitCode, not_tidemark, not_understood, refused, unreachable
from backend.cli.supabase_auth import SupabaseAuth
from backend.version import VERSION

if TYPE_CHECKING:
    import httpx

Parameters = Mapping[str, str | int | Sequence[str]]

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
# A stream gives a sign of life every 15 s.
SILENCE_SECONDS = 40.0
# Nobody's proxy leads to this machine itself.
_THIS_MACHINE = ("all://127.0.0.1", "all://localhost", "all://[::1]")


class Remote:
    """A Tidemark as one user sees it from afar. What it refuses, and what keeps us from it, is a CommandFailed."""

    def __init__(self, server: str, client: "httpx.Client", credentials: Credentials) -> None:
        self.server = server
        self._client = client
        self._credentials = credentials

    def read(self, path: str, parameters: Parameters | None = None) -> dict[str, Any]:
        return self._document(self._ask("GET", path, params=parameters))

    def pages(self, path: str, parameters: Parameters) -> Iterator[dict[str, Any]]:
        """A list page by page, to its end."""
        page = self.read(path, parameters)
        yield page
        while page["next_cursor"] is not None:
            page = self.read(path, {**parameters, "cursor": page["next_cursor"]})
            yield page

    def change(self, path: str) -> dict[str, Any]:
        """Done once, also when the answer got lost and it is sent again."""
        headers = {"Idempotency-Key": str(uuid4())}
        try:
            answer = self._ask("POST", path, headers=headers)
        except CommandFailed as problem:
            if problem.code != "server_unreachable" or not isinstance(problem.__cause__, self._lost_answers):
                raise
            answer = self._ask("POST", path, headers=headers)
        return self._document(answer)

    def make(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Sent once: whether it was done is not known when the answer gets lost."""
        return self._document(self._ask("POST", path, json=body))

    def remove(self, path: str) -> None:
        self._ask("DELETE", path)

    @contextlib.contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[Iterator[bytes]]:
        """The pieces of an endless answer as they come, until it ends or breaks off."""
        import httpx

        timeout = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, read=SILENCE_SECONDS)
        answer = self._ask(
            "GET", path, headers={**headers, "Accept": "text/event-stream"}, timeout=timeout, stream=True
        )
        try:
            if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise not_tidemark(self.server)
            yield answer.iter_bytes()
        except httpx.HTTPError as problem:
            raise unreachable(self.server, problem) from problem
        finally:
            answer.close()

    def _ask(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, stream: bool = False, **what: Any
    ) -> "httpx.Response":
        import httpx

        def send(token: str) -> httpx.Response:
            shown = {**(headers or {}), "Authorization": f"Bearer {token}"}
            request = self._client.build_request(method, f"{self.server}{path}", headers=shown, **what)
            answer = self._client.send(request, stream=True)
            if not (stream and answer.is_success):
                with contextlib.closing(answer):
                    answer.read()
            return answer

        token = self._credentials.token()
        try:
            answer = send(token)
            if answer.status_code == 401 and (fresh := self._credentials.another_than(token)):
                answer = send(fresh)
        except httpx.HTTPError as problem:
            raise unreachable(self.server, problem) from problem
        if not answer.is_success:
            raise refused(self.server, answer, remedy=self._credentials.remedy)
        return answer

    def _document(self, answer: "httpx.Response") -> dict[str, Any]:
        try:
            said = answer.json()
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise not_tidemark(self.server)
        return said

    @property
    def _lost_answers(self) -> tuple[type[Exception], ...]:
        """It may have been done, or not."""
        import httpx

        return (httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError)


@contextlib.contextmanager
def remote(option: str | None) -> Iterator[Remote]:
    """The server that the option, the environment, the login or this machine names, as the caller."""
    server = chosen_server(option)
    with open_client() as client:
        there = Remote(server, client, credentials_for(server, lambda login: auth_of(client, login)))
        try:
            yield there
        except (LookupError, TypeError, ValueError, AttributeError) as problem:
            if os.environ.get("TIDEMARK_LOG_LEVEL") == "debug":
                raise
            raise not_understood(server, problem) from problem


@contextlib.contextmanager
def open_client() -> "Iterator[httpx.Client]":
    import httpx

    try:
        client = httpx.Client(
            headers={"User-Agent": f"tidemark/{VERSION} ({_system()})"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            mounts=dict.fromkeys(_THIS_MACHINE),
        )
    except (OSError, ValueError) as problem:
        raise CommandFailed(
            "client_not_usable",
            "The settings for HTTP cannot be used",
            f"{problem}. Check SSL_CERT_FILE, SSL_CERT_DIR, HTTPS_PROXY and their like.",
            exit_code=ExitCode.CREDENTIALS,
        ) from problem
    with client:
        yield client


def chosen_server(option: str | None) -> str:
    for name, value in (("--server", option), ("TIDEMARK_SERVER", os.environ.get("TIDEMARK_SERVER"))):
        if value:
            return _origin(name, value)
    login = read_login()
    return login.server if login else _of_this_machine()


def ask_config(client: "httpx.Client", server: str) -> dict[str, Any]:
    """What a server says of itself to anybody."""
    import httpx

    try:
        answer = client.get(f"{server}/api/config")
    except httpx.HTTPError as problem:
        raise unreachable(server, problem) from problem
    if not answer.is_success:
        raise refused(server, answer)
    try:
        said = answer.json()
        return {"supabase_url": str(said["supabase_url"]), "publishable_key": str(said["publishable_key"])}
    except (ValueError, KeyError, TypeError) as problem:
        raise not_tidemark(server) from problem


def auth_of(client: "httpx.Client", login: Login) -> SupabaseAuth:
    return SupabaseAuth(client, login.auth_url, login.publishable_key)


def _origin(name: str, value: str) -> str:
    """An address without path, name or password; what is none is a mistake in using the command."""
    try:
        parts = urlsplit(value.strip())
        is_origin = (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and parts.port != 0
            and "@" not in parts.netloc
            and not (parts.path.strip("/") or parts.query or parts.fragment)
        )
    except ValueError:
        is_origin = False
    if not is_origin:
        raise typer.BadParameter(f"{name} must be an address such as https://tidemark.example.com, not {value}")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _of_this_machine() -> str:
    """The running instance of the data directory, as `tidemark status` finds it."""
    from backend.bootstrap import read_settings
    from backend.cli import instance

    settings = read_settings()
    running = instance.find(settings.data_dir)
    if running is None:
        raise CommandFailed(
            "no_server",
            "No server is named, and none runs here",
            f"Name one with --server or TIDEMARK_SERVER, or start your own with ./scripts/run. Looked at "
            f"{settings.data_dir}.",
        )
    return running.url


def _system() -> str:
    """A word that the list of one's sessions shows."""
    import platform

    return {"Darwin": "Macintosh"}.get(platform.system(), platform.system())
