"""`tidemark keys rotate`, beside a running server and without one: what was sealed opens under the new key alone."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from backend.data.storage.exchange_keys import KeyTable, KeyVaultTables
from backend.domain.exchange_keys import (
    Binding,
    Credentials,
    KeyHealth,
    KeyProvider,
    KeyState,
    MasterKeyMissing,
    Permission,
    Probe,
    SealedKey,
)
from backend.infrastructure.key_manager import KeyManager, MasterKeyFile
from backend.infrastructure.service_database import ServiceDatabase
from backend.infrastructure.supabase.postgres.address import load_or_create
from tests.serving import Running, data_folder, serving, tidemark

CREDENTIALS = Credentials(key="vmPU-key-of-the-tests-A65z", secret="secret-of-the-tests-0123456789")


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with data_folder() as folder, serving(folder) as running:
        yield running


@dataclass(frozen=True, kw_only=True)
class Stored:
    user_id: UUID
    key_id: UUID


def file_of(running: Running) -> MasterKeyFile:
    return MasterKeyFile(running.data_dir / "secrets" / "encryption.json")


async def store(running: Running) -> Stored:
    """A key of a new user, as the API would store it."""
    async with httpx.AsyncClient(base_url=running.url) as client:
        answer = await client.post(
            "/auth/v1/signup",
            headers={"apikey": running.status["PUBLISHABLE_KEY"]},
            json={"email": f"{uuid4()}@example.com", "password": "correct horse battery"},
        )
    session = answer.json()
    token = session["access_token"].split(".")[1]
    claims = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    found = Stored(user_id=UUID(session["user"]["id"]), key_id=uuid4())
    connection = await asyncpg.connect(running.status["DB_URL"])
    try:
        async with connection.transaction():
            await connection.execute(
                "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)", claims
            )
            table = KeyTable(connection)
            master = await table.master()
            binding = Binding(
                key_id=found.key_id, user_id=found.user_id, provider=KeyProvider.BINANCE, secret_version=1
            )
            health = KeyHealth(state=KeyState.WORKS, detail="It works.")
            sealed = SealedKey(
                binding=binding,
                hint=CREDENTIALS.hint,
                probe=Probe(permissions=frozenset({Permission.READ}), health=health),
                master=master or "",
                sealed=KeyManager(file_of(running).keys).seal(CREDENTIALS, binding, master),
            )
            assert await table.add(sealed, label="Mine", address=None)
    finally:
        await connection.close()
    return found


@asynccontextmanager
async def vault_of(running: Running) -> AsyncIterator[KeyVaultTables]:
    address = load_or_create(running.data_dir / "secrets" / "postgres.json", preferred_port=0)
    service = ServiceDatabase(address.dsn("app_worker"), min_size=1, max_size=1)
    await service.open()
    try:
        yield KeyVaultTables(service)
    finally:
        await service.close()


async def opened(running: Running, stored: Stored, held: MasterKeyFile) -> Credentials:
    async with vault_of(running) as vault:
        secret = await vault.take(stored.user_id, stored.key_id, is_use=False, address=None, reason="To look.")
    assert secret is not None
    return KeyManager(held.keys).open(secret)


async def test_the_master_key_is_changed_beside_a_running_server(running: Running, tmp_path: Path) -> None:
    stored, file = await store(running), file_of(running)
    backup = MasterKeyFile(tmp_path / "encryption.json")
    backup.keep(file.keys())
    [before] = file.keys()
    answer = await asyncio.to_thread(tidemark, "keys", "rotate", data_dir=running.data_dir)
    assert answer.returncode == 0, answer.stderr
    assert "1 exchange key sealed anew" in answer.stdout
    assert "back" in answer.stdout
    [after] = file.keys()
    assert after != before
    assert await opened(running, stored, file) == CREDENTIALS
    with pytest.raises(MasterKeyMissing):
        await opened(running, stored, backup)
    # What the command says and the server logs holds no key.
    for text in (answer.stdout, answer.stderr, running.log.read_text()):
        assert after.text not in text
        assert before.text not in text


async def test_a_change_that_was_cut_off_goes_on_to_the_same_key(running: Running) -> None:
    stored, file = await store(running), file_of(running)
    begun = file.add()
    async with vault_of(running) as vault:
        await vault.set_master(begun.fingerprint, only_if_free=False)
    answer = await asyncio.to_thread(tidemark, "keys", "rotate", data_dir=running.data_dir)
    assert answer.returncode == 0, answer.stderr
    assert begun.fingerprint in answer.stdout
    assert file.keys() == (begun,)
    assert await opened(running, stored, file) == CREDENTIALS


async def test_without_the_present_master_key_nothing_is_changed(running: Running) -> None:
    stored, file = await store(running), file_of(running)
    lost = file.keys()
    path = running.data_dir / "secrets" / "encryption.json"
    path.unlink()
    try:
        answer = await asyncio.to_thread(tidemark, "keys", "rotate", data_dir=running.data_dir)
        assert answer.returncode == 3
        assert f"sealed under the master key {lost[-1].fingerprint}" in answer.stderr
        given = await asyncio.to_thread(
            tidemark, "keys", "rotate", data_dir=running.data_dir, ENCRYPTION_KEY=lost[-1].text
        )
        assert (given.returncode, "Make a new one" in given.stderr) == (3, True)
    finally:
        file.keep(lost)
    assert await opened(running, stored, file) == CREDENTIALS


async def test_a_damaged_key_is_named_and_the_others_are_sealed_anew(running: Running) -> None:
    stored, damaged, file = await store(running), await store(running), file_of(running)
    connection = await asyncpg.connect(running.status["DB_URL"])
    try:
        damage = "update public.api_keys set locked = decode(repeat('00', 120), 'hex') where id = $1"
        await connection.execute(damage, damaged.key_id)
        before = file.keys()
        # Each time a whole rotation: what cannot be opened is none that was cut off.
        for number in (1, 2):
            answer = await asyncio.to_thread(tidemark, "keys", "rotate", data_dir=running.data_dir)
            assert answer.returncode == 1, answer.stderr
            assert f"{damaged.key_id} (crypto:binance) of user {damaged.user_id}: it was damaged." in answer.stderr
            assert "1 cannot be opened and stay as they are; older master keys are kept" in answer.stdout
            assert str(stored.key_id) not in answer.stderr
            assert file.keys()[: len(before)] == before
            assert len(file.keys()) == len(before) + number
        assert await opened(running, stored, MasterKeyFile(file._path)) == CREDENTIALS
        await connection.execute("delete from public.api_keys where id = $1", damaged.key_id)
    finally:
        await connection.close()


def test_without_a_server_it_starts_the_database_itself(running: Running) -> None:
    before = json.loads((running.data_dir / "secrets" / "encryption.json").read_text())
    running.stop()
    answer = tidemark("keys", "rotate", data_dir=running.data_dir)
    assert answer.returncode == 0, answer.stderr
    assert "exchange keys sealed anew" in answer.stdout
    assert json.loads((running.data_dir / "secrets" / "encryption.json").read_text()) != before
