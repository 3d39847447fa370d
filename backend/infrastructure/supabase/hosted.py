"""A real Supabase project: how Tidemark's own logins reach its database, and whether it is as Tidemark needs it."""

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import asyncpg
import httpx

from backend.infrastructure.supabase.signing_keys import read_jwks

TIMEOUT_SECONDS = 8.0


def login_password(owner_dsn: str, login: str) -> str:
    """Made from the owner's password, so that every server of an installation finds the same one without storing it."""
    secret = unquote(urlsplit(owner_dsn).password or "")
    return hmac.new(secret.encode(), f"tidemark login {login}".encode(), hashlib.sha256).hexdigest()


def login_dsn(dsn: str, login: str, password: str) -> str:
    """The same database for another login. A pooler's user carries the project after a dot: postgres.abc."""
    parts = urlsplit(dsn)
    _, dot, project = unquote(parts.username or "").partition(".")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        parts._replace(netloc=f"{quote(login + dot + project, safe='.')}:{quote(password, safe='')}@{host}")
    )


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing looked at in the project; a remedy means that it is not well."""

    name: str
    detail: str
    remedy: str | None = None


async def examine(
    *, url: str, publishable_key: str, secret_key: str, has_shared_secret: bool, database_url: str
) -> list[Check]:
    """Ask the project what Tidemark will need of it; nothing is changed."""
    async with httpx.AsyncClient(base_url=f"{url}/auth/v1", timeout=TIMEOUT_SECONDS) as client:
        checks = [
            await _key_check(client, "publishable key", "/settings", publishable_key, "SUPABASE_PUBLISHABLE_KEY"),
            await _key_check(client, "secret key", "/admin/users?per_page=1", secret_key, "SUPABASE_SECRET_KEY"),
            await _signing_check(client, has_shared_secret),
        ]
    return [*checks, await _database_check(database_url)]


async def _key_check(client: httpx.AsyncClient, name: str, path: str, key: str, setting: str) -> Check:
    # A key of the older style is itself a token; the gateway turns the newer ones into one.
    headers = {"apikey": key} | ({} if key.startswith("sb_") else {"Authorization": f"Bearer {key}"})
    try:
        answer = await client.get(path, headers=headers)
    except httpx.HTTPError as problem:
        return Check(name=name, detail=f"{client.base_url} does not answer: {problem}.", remedy="Check SUPABASE_URL.")
    if answer.status_code == 200:
        return Check(name=name, detail="Accepted by the project.")
    return Check(
        name=name,
        detail=f"Refused by the project ({answer.status_code}).",
        remedy=f"Copy {setting} again from the project's settings, API keys.",
    )


async def _signing_check(client: httpx.AsyncClient, has_shared_secret: bool) -> Check:
    try:
        keys = read_jwks((await client.get("/.well-known/jwks.json")).json())
    except (httpx.HTTPError, ValueError, AttributeError) as problem:
        return Check(name="signing keys", detail=f"Cannot be read: {problem}.", remedy="Check SUPABASE_URL.")
    if keys or has_shared_secret:
        return Check(
            name="signing keys",
            detail=f"{len(keys)} public keys" + (", and a shared secret." if has_shared_secret else "."),
        )
    return Check(
        name="signing keys",
        detail="The project signs with a shared secret only.",
        remedy="Move it to asymmetric signing keys (project settings, JWT keys), or set SUPABASE_JWT_SECRET.",
    )


async def _database_check(dsn: str) -> Check:
    try:
        connection = await asyncpg.connect(dsn, timeout=TIMEOUT_SECONDS, statement_cache_size=0)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
        return Check(
            name="database",
            detail=f"No connection: {problem}.",
            remedy="Check DATABASE_URL; use the direct or session address.",
        )
    try:
        version = await connection.fetchval("select current_setting('server_version')")
        can_make_roles = await connection.fetchval("select rolcreaterole from pg_roles where rolname = current_user")
    finally:
        await connection.close()
    if not can_make_roles:
        return Check(
            name="database", detail="This login may not make roles.", remedy="Use the user `postgres` in DATABASE_URL."
        )
    return Check(name="database", detail=f"Postgres {version} answers.")
