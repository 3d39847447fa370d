"""The auth server on a real port over a real Postgres, and small tools to drive it from outside."""

import asyncio
import contextlib
import re
import socket
import threading
import time
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
    keys: AuthKeys = settings.pop("keys", None) or AuthKeys.generate()
    watch = Watch()
    started: list[tuple[str, str]] = []
    problems: list[BaseException] = []
    servers: list[uvicorn.Server] = []

    async def serve() -> None:
        auth_socket, mailbox_socket = _listen(), _listen()
        url, mailbox_url = (
            f"http://127.0.0.1:{listening.getsockname()[1]}" for listening in (auth_socket, mailbox_socket)
        )
        config = AuthServerConfig(
            **{
                "dsn": database.dsn("supabase_auth_admin"),
                "issuer": f"{url}/auth/v1",
                "site_url": url,
                "mailbox": "smtp_url" not in settings,
                "rate_limits": RateLimits.off(),
                **settings,
            }
        )
        auth = create_auth_app(config, keys, now=watch.now)
        await auth.open()
        apps = (Starlette(routes=[Mount("/auth/v1", auth)]), create_mailbox_app(auth))
        servers.extend(
            uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", proxy_headers=False))
            for app in apps
        )
        tasks = [
            asyncio.create_task(server.serve(sockets=[listening]))
            for server, listening in zip(servers, (auth_socket, mailbox_socket), strict=True)
        ]
        started.append((url, mailbox_url))  # both sockets listen already, so early callers only wait
        try:
            await asyncio.gather(*tasks)
        finally:
            await auth.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as problem:
            problems.append(problem)
            raise

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while not started:
        if problems:
            raise RuntimeError("the auth server did not start") from problems[0]
        time.sleep(0.01)
    try:
        url, mailbox_url = started[0]
        with httpx.Client(timeout=30) as http:
            yield RunningAuth(url=url, mailbox_url=mailbox_url, keys=keys, database=database, http=http, watch=watch)
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(timeout=30)


def _listen() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    return listening
