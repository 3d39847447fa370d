"""Those who ask for what is not theirs: each as the headers that a request of theirs carries."""

import base64
import hmac
import json
import time
from dataclasses import replace
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from backend.domain.tokens import Scope
from backend.infrastructure.supabase.auth_keys import AuthKeys
from tests.api.conftest import Person

Headers = dict[str, str]


def forgers(owner: Person) -> dict[str, Headers]:
    """Whoever has no good token of the owner, but would like to be taken for the owner."""
    claims = jwt.decode(owner.token, options={"verify_signature": False})
    keys = owner.site.keys
    public_key = keys.signing_key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    kid = keys.signing_key.kid
    admin = {**claims, "app_metadata": {"role": "admin"}}
    return {
        "anonymous": {},
        "expired": bearer(keys.sign({**claims, "iat": int(time.time()) - 7200, "exp": int(time.time()) - 3600})),
        "forged, unsigned": bearer(by_hand({"alg": "none", "typ": "JWT", "kid": kid}, admin)),
        "forged with the public key": bearer(by_hand({"alg": "HS256", "typ": "JWT", "kid": kid}, admin, public_key)),
        "forged with another's key": bearer(AuthKeys.generate().sign(admin)),
        "of another issuer": bearer(keys.sign({**claims, "iss": "https://elsewhere.example/auth/v1"})),
        "of the wrong role": bearer(keys.sign({**claims, "role": "service_role"})),
        "made up token": bearer("tdm_" + "a" * 49),
    }


def signed_out(owner: Person) -> Headers:
    """A token that is good until it expires; its session is not there any more."""
    return replace(owner, session_id=owner.user_id).headers


def bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}


def scopes_without(reach: str) -> list[Scope]:
    """All that a token can be given but what is needed."""
    return [scope for scope in Scope if scope.value != reach]


def by_hand(header: dict[str, Any], claims: dict[str, Any], secret: bytes = b"") -> str:
    """A token that no library would make: any header, and an HMAC with any secret, or no signature."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = hmac.digest(secret, b".".join(parts), "sha256") if secret else b""
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()
