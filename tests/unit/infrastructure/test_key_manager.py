"""The service's lock on exchange keys: bound to its row, unreadable without its master key, and changed unopened."""

import stat
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from backend.domain.errors import DataDirectoryUnusable
from backend.domain.exchange_keys import (
    Binding,
    Credentials,
    KeyProvider,
    KeyUnreadable,
    MasterKeyMissing,
    StoredSecret,
)
from backend.infrastructure.key_manager import KeyManager, MasterKey, MasterKeyFile

BINDING = Binding(key_id=uuid4(), user_id=uuid4(), provider=KeyProvider.OKX, secret_version=3)
CREDENTIALS = Credentials(key="key-of-the-tests", secret="secret-of-the-tests", passphrase="passphrase-of-the-tests")
OLD, NEW = MasterKey.generate(), MasterKey.generate()


def sealed(master: MasterKey = OLD, binding: Binding = BINDING) -> StoredSecret:
    return StoredSecret(
        binding=binding, sealed=KeyManager(lambda: (master,)).seal(CREDENTIALS, binding, master.fingerprint)
    )


def test_what_was_sealed_opens_again_and_shows_nothing_until_then() -> None:
    secret = sealed()
    assert KeyManager(lambda: (OLD,)).open(secret) == CREDENTIALS
    for part in (CREDENTIALS.key, CREDENTIALS.secret, CREDENTIALS.passphrase or "", OLD.raw.hex(), OLD.text):
        assert part.encode() not in secret.sealed
        assert part not in repr((CREDENTIALS, OLD, secret))
    assert secret.sealed != sealed().sealed


@pytest.mark.parametrize(
    "moved",
    [
        replace(BINDING, key_id=uuid4()),
        replace(BINDING, user_id=UUID(int=1)),
        replace(BINDING, provider=KeyProvider.BYBIT),
        replace(BINDING, secret_version=2),
    ],
)
def test_it_opens_in_its_own_place_alone(moved: Binding) -> None:
    manager = KeyManager(lambda: (OLD, NEW))
    stolen = replace(sealed(), binding=moved)
    with pytest.raises(KeyUnreadable):
        manager.open(stolen)
    with pytest.raises(KeyUnreadable):
        manager.rewrapped(stolen, NEW.fingerprint)


def test_no_byte_of_it_can_be_changed() -> None:
    secret = sealed()
    manager = KeyManager(lambda: (OLD,))
    for place in range(len(secret.sealed)):
        changed = bytearray(secret.sealed)
        changed[place] ^= 1
        with pytest.raises((KeyUnreadable, MasterKeyMissing)):
            manager.open(replace(secret, sealed=bytes(changed)))
    for length in range(len(secret.sealed)):
        with pytest.raises((KeyUnreadable, MasterKeyMissing)):
            manager.open(replace(secret, sealed=secret.sealed[:length]))


def test_another_master_key_opens_nothing_and_the_error_names_the_one_that_is_missing() -> None:
    with pytest.raises(MasterKeyMissing, match=OLD.fingerprint):
        KeyManager(lambda: (NEW,)).open(sealed())
    with pytest.raises(MasterKeyMissing):
        KeyManager(lambda: (NEW,)).seal(CREDENTIALS, BINDING, None)


def test_under_a_new_master_key_the_secret_itself_stays_as_it_is() -> None:
    secret = sealed()
    rewrapped = KeyManager(lambda: (OLD, NEW)).rewrapped(secret, NEW.fingerprint)
    assert KeyManager(lambda: (NEW,)).open(rewrapped) == CREDENTIALS
    assert rewrapped.sealed[-40:] == secret.sealed[-40:]
    with pytest.raises(MasterKeyMissing):
        KeyManager(lambda: (OLD,)).open(rewrapped)


def test_a_master_key_that_was_added_since_is_found() -> None:
    held = [OLD]
    manager = KeyManager(lambda: tuple(held))
    manager.open(sealed())
    held.append(NEW)
    assert manager.open(sealed(NEW)) == CREDENTIALS


def test_a_master_key_is_read_from_either_alphabet_of_base64_and_nothing_else() -> None:
    key = MasterKey(raw=b"\xfb\xef\xff" * 10 + b"\xfb\xef")
    assert MasterKey.of_text(key.text) == MasterKey.of_text(key.text.replace("+", "-").replace("/", "_").rstrip("="))
    for wrong in ("", "short", key.text + key.text, "?" * 44, key.text[:-4]):
        with pytest.raises(ValueError, match="openssl rand -base64 32"):
            MasterKey.of_text(wrong)


def test_the_file_is_for_its_owner_alone_and_keeps_what_it_is_told_to(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "encryption.json"
    file = MasterKeyFile(path)
    assert file.keys() == ()
    first, second = file.add(), file.add()
    assert MasterKeyFile(path).keys() == (first, second)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    file.keep((second,))
    assert file.keys() == (second,)
    assert [entry.name for entry in path.parent.iterdir()] == ["encryption.json"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys": ["short"]}', '{"keys": 1}'])
def test_a_damaged_file_is_an_error_and_never_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "encryption.json"
    path.write_text(content)
    with pytest.raises(DataDirectoryUnusable, match="from your backup"):
        MasterKeyFile(path).add()
    assert path.read_text() == content
