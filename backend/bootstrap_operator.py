"""What an operator's commands need without a house: addresses and keys, migrations, rotations, looks at the project."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from backend.bootstrap_ground import MIGRATIONS, Say, auth_keys, embedded_postgres, secret_of
from backend.domain.errors import MigrationRefused
from backend.domain.ports import AccountAdmin
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.bootstrap_keys import Rotated
    from backend.domain.jobs import Plan
    from backend.infrastructure.supabase.hosted import Check


def describe_project(settings: Settings, url: str) -> dict[str, str]:
    """Addresses and keys under the names that `supabase status -o env` uses."""
    if not settings.embedded:
        hosted = {
            "API_URL": settings.supabase_url or "",
            "DB_URL": secret_of(settings.database_url),
            "PUBLISHABLE_KEY": secret_of(settings.supabase_publishable_key),
            "SECRET_KEY": secret_of(settings.supabase_secret_key),
        }
        return {**hosted, "TIDEMARK_URL": url}
    from backend.infrastructure.supabase.postgres.address import load_or_create

    keys = auth_keys(settings)
    address = load_or_create(settings.data_dir / "secrets" / "postgres.json", preferred_port=0)
    return {
        "API_URL": url,
        "DB_URL": address.dsn("postgres"),
        "ANON_KEY": keys.anon_key,
        "SERVICE_ROLE_KEY": keys.service_role_key,
        "PUBLISHABLE_KEY": keys.publishable_key,
        "SECRET_KEY": keys.secret_key,
        "JWT_SECRET": keys.jwt_secret,
        "TIDEMARK_URL": url,
    }


async def migrate_database(settings: Settings, *, is_running: bool, dry_run: bool, say: Say) -> list[str]:
    """Apply what is pending, or only name it; the embedded Postgres is started for it when it does not run."""
    from backend.infrastructure.supabase.migrator import migrate, pending

    with contextlib.ExitStack() as stack:
        if not settings.embedded:
            owner_dsn = secret_of(settings.database_url)
        elif is_running:
            owner_dsn = describe_project(settings, "")["DB_URL"]
        else:
            postgres = embedded_postgres(settings, say)
            owner_dsn = postgres.start().dsn("postgres")
            stack.callback(postgres.stop)
        return await (pending if dry_run else migrate)(owner_dsn, MIGRATIONS)


@contextlib.contextmanager
def open_database(settings: Settings, say: Say) -> Iterator[str]:
    """The embedded Postgres alone, by the address of its owner."""
    postgres = embedded_postgres(settings, say)
    try:
        yield postgres.start().dsn("postgres")
    finally:
        postgres.stop()


def rotate_signing_key(settings: Settings) -> str:
    """Sign with a new key from the next start on, and return its id. Older tokens stay good until they expire."""
    path = settings.data_dir / "secrets" / "auth.json"
    keys = auth_keys(settings).rotated(now=int(time.time()))
    keys.save(path)
    return keys.signing_key.kid


async def delete_account(settings: Settings, user_id: UUID, reason: str) -> bool:
    """Delete an account with all that is its own, beside a server that runs; False when there is none."""
    from backend.bootstrap_leaving import delete_account
    from backend.infrastructure.supabase.hosted import login_dsn, login_password
    from backend.infrastructure.supabase.postgres.address import load_or_create

    if settings.embedded:
        worker = load_or_create(settings.data_dir / "secrets" / "postgres.json", preferred_port=0).dsn("app_worker")
    else:
        owner = secret_of(settings.database_url)
        worker = login_dsn(owner, "app_worker", login_password(owner, "app_worker"))
    return await delete_account(settings, worker, user_id, reason)


async def rotate_master_key(settings: Settings, *, is_running: bool, say: Say) -> "Rotated":
    """Seal all exchange keys under a new master key, with or without a running server."""
    from backend.bootstrap_keys import rotate
    from backend.infrastructure.supabase.hosted import login_dsn, login_password
    from backend.infrastructure.supabase.migrator import pending
    from backend.infrastructure.supabase.postgres.address import load_or_create

    with contextlib.ExitStack() as stack:
        if not settings.embedded:
            owner = secret_of(settings.database_url)
            worker = login_dsn(owner, "app_worker", login_password(owner, "app_worker"))
        else:
            if is_running:
                address = load_or_create(settings.data_dir / "secrets" / "postgres.json", preferred_port=0)
            else:
                postgres = embedded_postgres(settings, say)
                address = postgres.start()
                stack.callback(postgres.stop)
            owner, worker = address.dsn("postgres"), address.dsn("app_worker")
        if await pending(owner, MIGRATIONS):
            raise MigrationRefused("The database is older than this version. Run `tidemark migrate` first.")
        return await rotate(settings, worker)


def open_auth_admin(settings: Settings, url: str | None) -> AccountAdmin:
    """Accounts as an operator manages them: by the admin API of the embedded project at `url`, or of the hosted one."""
    from backend.infrastructure.supabase.auth_admin import AuthAdmin

    if url is not None:
        return AuthAdmin(url, auth_keys(settings).secret_key)
    return AuthAdmin(settings.supabase_url or "", secret_of(settings.supabase_secret_key))


async def read_plans(settings: Settings) -> "Sequence[Plan]":
    """The plans in the database, which must answer: the hosted one, or the embedded one of a running instance."""
    from backend.data.storage.plans import read_plans

    return await read_plans(describe_project(settings, "")["DB_URL"])


async def examine_project(settings: Settings) -> "list[Check]":
    from backend.infrastructure.supabase.hosted import examine

    return await examine(
        url=settings.supabase_url or "",
        publishable_key=secret_of(settings.supabase_publishable_key),
        secret_key=secret_of(settings.supabase_secret_key),
        has_shared_secret=settings.supabase_jwt_secret is not None,
        database_url=secret_of(settings.database_url),
    )


def embedded_postgres_is_installed() -> bool:
    from backend.infrastructure.supabase.postgres.binaries import PostgresBinariesMissing, find_package

    try:
        find_package()
    except PostgresBinariesMissing:
        return False
    return True
