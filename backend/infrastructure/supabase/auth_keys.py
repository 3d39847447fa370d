"""The keys of the embedded Supabase project: API keys of both styles and the ES256 keys that sign access tokens.

They are made once and kept in one file of mode 0600; whoever reads that file can act as any user.
"""

import base64
import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from backend.domain.errors import DataDirectoryUnusable
from backend.infrastructure.supabase.postgres.address import belong_to_owner_of_folder

LEGACY_KEY_LIFETIME_SECONDS = 10 * 365 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """One P-256 key. A previously used one only verifies, until the tokens it signed have expired."""

    kid: str
    state: Literal["in_use", "previously_used"]
    private_key_pem: str = field(repr=False)
    retired_at: int | None = None

    @classmethod
    def generate(cls) -> Self:
        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return cls(kid=str(uuid4()), state="in_use", private_key_pem=pem.decode())

    @cached_property
    def private_key(self) -> ec.EllipticCurvePrivateKey:
        key = load_pem_private_key(self.private_key_pem.encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("a signing key is a P-256 key")
        return key

    @cached_property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        return self.private_key.public_key()

    def jwk(self) -> dict[str, Any]:
        point: dict[str, Any] = ECAlgorithm.to_jwk(self.public_key, as_dict=True)
        members = {name: point[name] for name in ("kty", "crv", "x", "y")}
        return {**members, "kid": self.kid, "alg": "ES256", "use": "sig", "key_ops": ["verify"]}


@dataclass(frozen=True, kw_only=True)
class AuthKeys:
    """Every key of the project. Its repr shows none of the secret ones."""

    publishable_key: str
    secret_key: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    anon_key: str
    service_role_key: str = field(repr=False)
    signing_keys: tuple[SigningKey, ...]

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """Read the file, or write a new one; two processes that start at once end with the same keys."""
        try:
            return cls._read(path)
        except FileNotFoundError:
            return cls._create(path)

    @classmethod
    def generate(cls) -> Self:
        jwt_secret = secrets.token_urlsafe(48)
        return cls(
            publishable_key=_api_key("sb_publishable_"),
            secret_key=_api_key("sb_secret_"),
            jwt_secret=jwt_secret,
            anon_key=_legacy_key("anon", jwt_secret),
            service_role_key=_legacy_key("service_role", jwt_secret),
            signing_keys=(SigningKey.generate(),),
        )

    @property
    def signing_key(self) -> SigningKey:
        return next(key for key in self.signing_keys if key.state == "in_use")

    def verification_key(self, kid: str) -> ec.EllipticCurvePublicKey | None:
        """The public key of that id, if it is one of ours."""
        return next((key.public_key for key in self.signing_keys if key.kid == kid), None)

    def jwks(self) -> dict[str, Any]:
        """The public half, as /.well-known/jwks.json shows it. The HS256 secret is never part of it."""
        return {"keys": [key.jwk() for key in self.signing_keys]}

    def sign(self, claims: Mapping[str, Any]) -> str:
        key = self.signing_key
        return jwt.encode(dict(claims), key.private_key, algorithm="ES256", headers={"kid": key.kid})

    def rotated(self, *, now: int, token_lifetime_seconds: int = 3600) -> Self:
        """The same project with a new signing key; older ones stay while a token they signed can be alive."""
        older = [
            replace(key, state="previously_used", retired_at=now if key.retired_at is None else key.retired_at)
            for key in self.signing_keys
        ]
        kept = [key for key in older if key.retired_at is not None and key.retired_at + token_lifetime_seconds >= now]
        return replace(self, signing_keys=(SigningKey.generate(), *kept))

    def save(self, path: Path) -> None:
        """Replace the file in one step."""
        draft = _write_draft(path, self)
        draft.replace(path)
        _sync_folder(path.parent)

    @classmethod
    def _create(cls, path: Path) -> Self:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = _write_draft(path, cls.generate())
        try:
            path.hardlink_to(draft)  # fails when another process was first
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        _sync_folder(path.parent)
        return cls._read(path)

    @classmethod
    def _read(cls, path: Path) -> Self:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                os.fchmod(file.fileno(), 0o600)
            try:
                content = json.load(file)
                signing_keys = tuple(SigningKey(**key) for key in content.pop("signing_keys"))
                if [key.state for key in signing_keys].count("in_use") != 1:
                    raise ValueError("one signing key must be in use")
                return cls(**content, signing_keys=signing_keys)
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise DataDirectoryUnusable(
                    f"{path} does not hold the keys of this project any more. Restore it from a backup; "
                    "or move it away to get new keys, which signs everybody out."
                ) from error


def _api_key(prefix: str) -> str:
    random_part = secrets.token_urlsafe(16)
    digest = hashlib.sha256(f"{prefix}{random_part}".encode()).digest()
    return f"{prefix}{random_part}_{base64.urlsafe_b64encode(digest)[:8].decode()}"


def _legacy_key(role: Literal["anon", "service_role"], jwt_secret: str) -> str:
    now = int(time.time())
    claims = {"iss": "supabase", "ref": "tidemark", "role": role, "iat": now, "exp": now + LEGACY_KEY_LIFETIME_SECONDS}
    return jwt.encode(claims, jwt_secret, algorithm="HS256")


def _write_draft(path: Path, keys: AuthKeys) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        belong_to_owner_of_folder(draft)
        json.dump(asdict(keys), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    return draft


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
