"""The kept port and passwords: private, whole after a cut, and never shown."""

import json
import os
import socket
from pathlib import Path

import pytest

from backend.domain.errors import DataDirectoryUnusable
from backend.infrastructure.supabase.postgres.address import (
    ROLES,
    PostgresAddress,
    free_port,
    load_or_create,
    scram_verifier,
    verifier_fits,
)


def test_what_was_made_once_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "postgres.json"
    made = load_or_create(path, preferred_port=54322)
    assert load_or_create(path, preferred_port=1) == made
    assert made.port == 54322
    assert set(made.passwords) == set(ROLES)
    assert len(set(made.passwords.values())) == len(ROLES)


def test_the_file_is_ours_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "postgres.json"
    load_or_create(path, preferred_port=54322)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_uid == os.geteuid()
    assert [file.name for file in path.parent.iterdir()] == ["postgres.json"]


def test_a_role_that_is_new_in_this_version_gets_a_password(tmp_path: Path) -> None:
    path = tmp_path / "postgres.json"
    path.write_text(json.dumps({"port": 5000, "passwords": {"postgres": "kept"}}))
    found = load_or_create(path, preferred_port=54322)
    assert (found.port, found.passwords["postgres"]) == (5000, "kept")
    assert set(found.passwords) == set(ROLES)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"port": "x", "passwords": {}}', '{"port": 1, "passwords": 2}']
)
def test_a_broken_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "postgres.json"
    path.write_text(content)
    with pytest.raises(DataDirectoryUnusable, match=r"postgres\.json"):
        load_or_create(path, preferred_port=54322)


def test_passwords_are_quoted_in_addresses_and_hidden_in_print() -> None:
    address = PostgresAddress(port=5000, passwords={"app_api": "a/b@c:d"})
    assert address.dsn("app_api", "other") == "postgresql://app_api:a%2Fb%40c%3Ad@127.0.0.1:5000/other"
    assert "a/b@c:d" not in repr(address)


def test_a_taken_port_is_left_alone() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port


def test_a_verifier_fits_its_password_only() -> None:
    verifier = scram_verifier("correct horse")
    assert verifier_fits(verifier, "correct horse")
    assert not verifier_fits(verifier, "battery staple")
    assert not verifier_fits(None, "correct horse")
    assert not verifier_fits("md5abc", "correct horse")


def test_a_verifier_is_what_postgres_computes() -> None:
    """As written by Postgres 17 for this password and salt."""
    assert scram_verifier("pencil", salt=bytes(range(16))) == (
        "SCRAM-SHA-256$4096:AAECAwQFBgcICQoLDA0ODw==$zHCdol2044/ZyWzPLi7oxApCkamKw9Z+E4U/QApd/5Y=:dd5peBOitVnLNFu7VmwP+HiDaaw4OUCv396eVCWhYiE="
    )


@pytest.mark.parametrize("password", ["", "naïve", "tab\t"])
def test_a_password_that_would_need_normalising_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        scram_verifier(password)
