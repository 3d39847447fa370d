"""The passwords and the port of the embedded Postgres, kept in one file that only we can read."""

import base64
import hashlib
import hmac
import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote

from backend.domain.errors import DataDirectoryUnusable

HOST = "127.0.0.1"
ROLES = ("supabase_admin", "postgres", "supabase_auth_admin", "app_api", "app_worker")
_SCRAM_ITERATIONS = 4096


@dataclass(frozen=True, kw_only=True)
class PostgresAddress:
    """Where the embedded Postgres listens and how each role gets in."""

    port: int
    passwords: dict[str, str] = field(repr=False)
    host: str = HOST

    def dsn(self, role: str, database: str = "postgres") -> str:
        return f"postgresql://{role}:{quote(self.passwords[role], safe='')}@{self.host}:{self.port}/{database}"


def load_or_create(path: Path, *, preferred_port: int) -> PostgresAddress:
    try:
        stored = json.loads(path.read_text())
        known = {str(role): str(password) for role, password in stored["passwords"].items()}
        port = int(stored["port"])
    except FileNotFoundError:
        known, port = {}, preferred_port
    except PermissionError as error:
        raise DataDirectoryUnusable(f"{path} belongs to another user. Run Tidemark as that user or as root.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataDirectoryUnusable(
            f"{path} cannot be read ({error}). Remove it: Tidemark then makes new passwords for the same database."
        ) from error
    address = PostgresAddress(port=port, passwords={role: secrets.token_urlsafe(24) for role in ROLES} | known)
    if address.passwords != known:
        save(path, address)
    return address


def save(path: Path, address: PostgresAddress) -> None:
    """Written aside, synced and renamed, so that a power cut leaves the old file or the new one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = asdict(address)
    del content["host"]
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(json.dumps(content, indent=2))
        file.flush()
        os.fsync(file.fileno())
    belong_to_owner_of_folder(aside)
    aside.replace(path)


def belong_to_owner_of_folder(path: Path) -> None:
    """What root writes into the data directory of an ordinary user must not lock that user out later."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)


def free_port(preferred: int) -> int:
    """The preferred port when nobody listens there, else any other."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DataDirectoryUnusable(f"No free port for Postgres on {HOST}.")


def scram_verifier(password: str, *, salt: bytes | None = None) -> str:
    """What Postgres stores for a password. Computed here, so that the password itself is never part of a statement."""
    if not password.isascii() or not password.isprintable() or not password:
        raise ValueError("a database password must be printable ASCII")
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _SCRAM_ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    parts = [base64.b64encode(part).decode() for part in (salt, hashlib.sha256(client_key).digest(), server_key)]
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}"


def verifier_fits(verifier: str | None, password: str) -> bool:
    """Whether a stored verifier (of our own making) is that of the password."""
    prefix = f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:"
    if verifier is None or not verifier.startswith(prefix):
        return False
    salt = base64.b64decode(verifier.removeprefix(prefix).partition("$")[0])
    return hmac.compare_digest(verifier, scram_verifier(password, salt=salt))
