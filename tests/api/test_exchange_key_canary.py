"""A canary: secrets are planted as an exchange key, everything is done with it, and then they are searched everywhere.

Postgres logs every statement and parameter meanwhile, those inside of functions included, and our own log is taken
before anything is hidden in it.
"""

import base64
import io
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
from loguru import logger

from backend.bootstrap_keys import open_key_desk
from backend.data.fetchers.key_probes import KeyProbes
from backend.data.fetchers.reading import Patience
from backend.data.storage.exchange_keys import KeyVaultTables
from backend.domain.exchange_keys import Credentials, KeyProvider, Probe
from backend.infrastructure.key_manager import KeyManager, MasterKey
from backend.services.exchange_keys import rewrap_all
from tests.api.conftest import Person, Site
from tests.vendors.key_vendors import KeyVendor

PATH = "/api/keys/"
EVERYTHING = {
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_min_error_statement": "debug5",
    "log_error_verbosity": "verbose",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_verbose": "on",
}


def planted() -> dict[str, str]:
    return {name: f"canary{name}{secrets.token_hex(12)}" for name in ("key", "secret", "passphrase")}


def forms(word: str) -> Iterator[bytes]:
    """As it is, and as it may stand in a dump: in hexadecimal, and in base64 wherever in a text it begins."""
    raw = word.encode()
    yield raw
    yield raw.hex().encode()
    for shift in range(3):
        yield base64.b64encode(bytes(shift) + raw)[4:-4]


@dataclass(kw_only=True)
class Watched:
    """Where secrets are planted, and all that was answered and logged meanwhile."""

    client: httpx.AsyncClient
    person: Person
    vendor: KeyVendor
    vault: KeyVaultTables
    masters: list[MasterKey]
    answers: list[bytes] = field(default_factory=list)
    log: io.StringIO = field(default_factory=io.StringIO)
    planted: list[str] = field(default_factory=list)

    async def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        answer = await self.client.request(method, path, json=body, headers=self.person.headers)
        self.answers.append(repr(answer.headers.raw).encode() + answer.content)
        return answer

    def plant(self, *, is_known: bool = True) -> dict[str, str]:
        words = planted()
        self.planted += words.values()
        if is_known:
            self.vendor.secrets[words["key"]] = words["secret"]
            self.vendor.passphrase = words["passphrase"]
        return words

    def found_in(self, *contents: bytes) -> set[str]:
        return {word for word in self.planted for form in forms(word) for content in contents if form in content}


class Stumbling(KeyProbes):
    """Fails once in the middle, with a secret in every frame."""

    stumbles = False

    async def probe(self, provider: KeyProvider, credentials: Credentials) -> Probe:
        if self.stumbles:
            raise RuntimeError("nobody expected that")
        return await super().probe(provider, credentials)


@pytest.fixture
async def watched(site: Site, ada: Person) -> AsyncIterator[Watched]:
    settings = "; ".join(
        f"alter database {site.database.name} set {name} = '{value}'" for name, value in EVERYTHING.items()
    )
    await site.execute(settings, role="supabase_admin")
    await site.house.database.close()
    await site.house.worker_database.close()
    await site.house.database.open()
    await site.house.worker_database.open()
    vendor, masters = KeyVendor(), [MasterKey.generate()]
    with vendor.running() as urls:
        prober = Stumbling(urls, patience=Patience(tries=1, try_seconds=10.0), now=time.time)
        desk = await open_key_desk(site.house.worker_database, lambda: tuple(masters), print, prober)
        async with site.client(key_desk=desk) as client:
            watched = Watched(
                client=client,
                person=ada,
                vendor=vendor,
                vault=KeyVaultTables(site.house.worker_database),
                masters=masters,
            )
            with everything_logged(watched.log):
                yield watched
                Stumbling.stumbles = False


class everything_logged:  # noqa: N801 - reads as a verb
    """What we log, before secrets are taken out of it, and what libraries log, down to the last detail."""

    def __init__(self, into: io.StringIO) -> None:
        self._into = into
        self._handler = logging.StreamHandler(into)

    def __enter__(self) -> None:
        self._ours = logger.add(self._into, level=0, serialize=True, backtrace=False, diagnose=False)
        self._level = logging.root.level
        logging.root.addHandler(self._handler)
        logging.root.setLevel(logging.DEBUG)

    def __exit__(self, *_: object) -> None:
        logger.remove(self._ours)
        logging.root.removeHandler(self._handler)
        logging.root.setLevel(self._level)


async def everything_done(watched: Watched, site: Site) -> None:
    """Every way that a secret takes, the failing ones too."""
    new = {"provider": "crypto:okx", "label": "canary-that-is-found"}
    made = (await watched.send("POST", PATH, {**new, **watched.plant()})).json()
    one = f"{PATH}{made['id']}"
    wrong = {**watched.plant(is_known=False)}
    assert (await watched.send("POST", PATH, {**new, **wrong})).status_code == 422
    assert (await watched.send("POST", PATH, {**new, **wrong, "label": ""})).status_code == 422
    assert (await watched.send("POST", PATH, {**new, **wrong, "key": f"{wrong['key']} "})).status_code == 422
    assert (await watched.send("POST", PATH, {**new, **wrong, "more": wrong["secret"]})).status_code == 422
    assert (await watched.send("POST", f"{one}/rotate", watched.plant())).json()["key_version"] == 2
    assert (await watched.send("POST", f"{one}/test")).json()["health"]["state"] == "works"
    watched.vendor.secrets.clear()
    assert (await watched.send("POST", f"{one}/test")).json()["health"]["state"] == "refused"
    Stumbling.stumbles = True
    assert (await watched.send("POST", PATH, {**new, **watched.plant()})).status_code == 500
    Stumbling.stumbles = False
    await _refused_by_the_database(watched, site, new)
    watched.masters.append(MasterKey.generate())
    locks = KeyManager(lambda: tuple(watched.masters))
    rewrapped = await rewrap_all(watched.vault, locks, watched.masters[-1].fingerprint)
    assert (rewrapped.done, rewrapped.damaged) == (1, {})
    for path in (PATH, f"{PATH}audit", "/api/me", "/api/openapi.json", "/metrics", "/api/keys/none"):
        await watched.send("GET", path)


async def _refused_by_the_database(watched: Watched, site: Site, new: dict[str, str]) -> None:
    """An error with all parameters of its statement in the log of Postgres."""
    rule = "alter table public.api_keys {} constraint canary"
    await site.execute(rule.format("add") + " check (label <> 'refused') not valid", role="postgres")
    refused = await watched.send("POST", PATH, {**new, **watched.plant(), "label": "refused"})
    assert refused.status_code == 500
    await site.execute(rule.format("drop"), role="postgres")


async def test_a_planted_secret_is_nowhere(watched: Watched, site: Site) -> None:
    await everything_done(watched, site)
    assert len(watched.planted) == 15

    assert not watched.found_in(*watched.answers), "in an answer"
    assert b"canary-that-is-found" in b"".join(watched.answers)

    ours = watched.log.getvalue().encode()
    assert not watched.found_in(ours), "in our log"
    assert b"nobody expected that" in ours
    assert b"Traceback" in ours

    arguments = [" ".join(process.info["cmdline"] or ()).encode() for process in psutil.process_iter(["cmdline"])]
    assert not watched.found_in(*arguments), "in the arguments of a process"

    admin = await asyncpg.connect(site.database.dsn("supabase_admin"))
    try:
        own_key = await admin.fetchval("select database_key from private.api_key_locks")
        theirs = await log_of_postgres(admin)
        assert not watched.found_in(theirs), "in the log of Postgres"
        assert b"canary-that-is-found" in theirs
        assert b"create_my_api_key" in theirs
        assert b"insert into public.api_keys" in theirs  # inside of the function
        assert own_key.hex().encode() not in theirs, "the database's own key is in its log"

        tables = await copies_of_tables(admin)
        assert not watched.found_in(*tables.values()), "in a copy of a table"
        assert b"canary-that-is-found" in tables["public.api_keys"]

        assert await base_copy(admin, watched) == {"canary-that-is-found"}, "in a copy of the database's folder"
    finally:
        await admin.close()


async def log_of_postgres(admin: asyncpg.Connection) -> bytes:
    folder = Path(await admin.fetchval("show data_directory"))
    return b"".join(path.read_bytes() for path in (folder.parents[1] / "logs").iterdir())


async def copies_of_tables(admin: asyncpg.Connection) -> dict[str, bytes]:
    names = await admin.fetch(
        "select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema')"
    )
    tables = {}
    for row in names:
        content = io.BytesIO()
        await admin.copy_from_query(f"select * from {row['name']}", output=content)
        tables["public." * ("." not in row["name"]) + row["name"]] = content.getvalue()
    return tables


async def base_copy(admin: asyncpg.Connection, watched: Watched) -> set[str]:
    """What of it is in the files of this database and in the write-ahead log, as an online backup takes them."""
    folder = Path(await admin.fetchval("show data_directory"))
    await admin.execute("checkpoint")
    oid = await admin.fetchval("select oid from pg_database where datname = current_database()")
    await admin.fetchval("select pg_backup_start('canary', true)")
    found: set[str] = set()
    try:
        for part in (folder / "base" / str(oid), folder / "global", folder / "pg_wal"):
            for path in (path for path in part.rglob("*") if path.is_file()):
                content = path.read_bytes()
                found |= watched.found_in(content)
                found |= {"canary-that-is-found"} if b"canary-that-is-found" in content else set()
    finally:
        await admin.fetch("select * from pg_backup_stop()")
    return found
