"""The auth server on a real port over a real Postgres, and small tools to drive it from outside."""

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from backend.infrastructure.supabase.auth_keys import AuthKeys
from backend.infrastructure.supabase.auth_server import (
    AuthServerConfig,
    RateLimits,
    create_auth_app,
    create_mailbox_app,
)
from supabase import Client, ClientOptions, create_client
from tests.cluster import FreshDatabase

PASSWORD = "correct horse battery"
API_VERSION = {"X-Supabase-Api-Version": "2024-01-01"}


@dataclass
class Watch:
    """A clock that tests can put forward, and stop."""

    ahead: timedelta = timedelta(0)
    stopped_at: datetime | None = None

    def now(self) -> datetime:
        return (self.stopped_at or datetime.now(UTC)) + self.ahead

    def stop(self) -> None:
        self.stopped_at = datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class RunningAuth:
    """One running server. Its addresses are fresh, so tests that share it do not meet."""

    url: str
    mailbox_url: str
    keys: AuthKeys
    database: FreshDatabase
    http: httpx.Client
    watch: Watch = field(default_factory=Watch)

    @contextlib.contextmanager
    def later(self, **duration: float) -> Iterator[None]:
        self.watch.ahead += timedelta(**duration)
        try:
            yield
        finally:
            self.watch.ahead -= timedelta(**duration)

    def client(self, key: str | None = None, *, flow: str = "implicit") -> Client:
        options = ClientOptions(
            auto_refresh_token=False,
            flow_type=flow,  # type: ignore[arg-type]  # a Literal there
            httpx_client=self.http,
        )
        return create_client(self.url, key or self.keys.publishable_key, options)

    def admin(self) -> Any:
        return self.client(self.keys.secret_key).auth.admin

    def ask(self, method: str, path: str, *, token: str | None = None, **options: Any) -> httpx.Response:
        """One raw request with the publishable key, and a user's token if there is one."""
        headers = {"apikey": self.keys.publishable_key, **options.pop("headers", {})}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.http.request(method, f"{self.url}/auth/v1{path}", headers=headers, **options)

    def ask_as_admin(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.ask(method, path, headers={"apikey": self.keys.secret_key, **options.pop("headers", {})}, **options)

    def sign_up(self, email: str | None = None, password: str = PASSWORD) -> dict[str, Any]:
        """A session of a new user; where sign-ups are confirmed by mail, an operator confirms this one."""
        email = email or new_email()
        created = self.ask_as_admin(
            "POST", "/admin/users", json={"email": email, "password": password, "email_confirm": True}
        )
        assert created.status_code == 200, created.text
        return self.sign_in(email, password)

    def sign_in(self, email: str, password: str = PASSWORD) -> dict[str, Any]:
        answer = self.ask("POST", "/token?grant_type=password", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        session: dict[str, Any] = answer.json()
        return session

    def refresh(self, token: str) -> httpx.Response:
        return self.ask("POST", "/token?grant_type=refresh_token", json={"refresh_token": token})

    def mails_to(self, email: str) -> list[dict[str, Any]]:
        """What the mailbox holds for this address, newest first."""
        found = self.http.get(f"{self.mailbox_url}/api/v1/search", params={"query": f"to:{email}"}).json()
        return [self.http.get(f"{self.mailbox_url}/api/v1/message/{mail['ID']}").json() for mail in found["messages"]]

    def code_for(self, email: str) -> str:
        match = re.search(r"Your code: (\d{6})", self.mails_to(email)[0]["Text"])
        assert match
        return match[1]

    def link_for(self, email: str) -> str:
        match = re.search(r"https?://\S+/verify\?\S+", self.mails_to(email)[0]["Text"])
        assert match
        return match[0]

    def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.database.dsn("supabase_auth_admin"))
            try:
                return await connection.fetch(statement, *arguments)
            finally:
                await connection.close()

        rows: list[asyncpg.Record] = in_own_loop(run())
        return rows


def new_email() -> str:
    return f"{uuid4().hex[:16]}@example.com"


def in_own_loop(coroutine: Any) -> Any:
    """Run it to its end in a thread, whether or not a loop runs in this one."""
    outcome: list[Any] = []

    def run() -> None:
        outcome.append(asyncio.run(coroutine))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return outcome[0]


@contextlib.contextmanager
def running_auth(database: FreshDatabase, **settings: Any) -> Iterator[RunningAuth]:
    """Serve until the block ends. `settings` are those of AuthServerConfig, `keys` among them."""
    serving = _Serving(database, settings.pop("keys", None) or AuthKeys.generate(), settings)
    thread = threading.Thread(target=serving.run, daemon=True)
    thread.start()
    try:
        with httpx.Client(timeout=30) as http:
            yield RunningAuth(
                url=serving.url,
                mailbox_url=serving.mailbox_url,
                keys=serving.keys,
                database=database,
                http=http,
                watch=serving.watch,
            )
    finally:
        serving.stop()
        thread.join(timeout=30)


class _Serving:
    """The server and its mailbox in a loop of their own. Both sockets listen at once, so early callers only wait."""

    def __init__(self, database: FreshDatabase, keys: AuthKeys, settings: dict[str, Any]) -> None:
        self.keys = keys
        self.watch = Watch()
        self._sockets = [_listen(), _listen()]
        self.url, self.mailbox_url = (f"http://127.0.0.1:{one.getsockname()[1]}" for one in self._sockets)
        self._config = AuthServerConfig(
            **{
                "dsn": database.dsn("supabase_auth_admin"),
                "issuer": f"{self.url}/auth/v1",
                "site_url": self.url,
                "mailbox": "smtp_url" not in settings,
                "rate_limits": RateLimits.off(),
                **settings,
            }
        )
        self._stopping = threading.Event()
        self._servers: list[uvicorn.Server] = []

    def run(self) -> None:
        asyncio.run(self._serve())

    def stop(self) -> None:
        self._stopping.set()
        for server in self._servers:
            server.should_exit = True

    async def _serve(self) -> None:
        auth = create_auth_app(
            self._config, self.keys, now=self.watch.now, monotonic=lambda: self.watch.now().timestamp()
        )
        await auth.open()
        apps = (Starlette(routes=[Mount("/auth/v1", auth)]), create_mailbox_app(auth))
        self._servers = [
            uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", proxy_headers=False))
            for app in apps
        ]
        try:
            if not self._stopping.is_set():
                await asyncio.gather(
                    *(
                        server.serve(sockets=[listening])
                        for server, listening in zip(self._servers, self._sockets, strict=True)
                    )
                )
        finally:
            await auth.close()
            for listening in self._sockets:
                listening.close()


def _listen() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    return listening
