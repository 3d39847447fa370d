"""The public keys that a Supabase project signs user tokens with: held in process, or fetched from the project."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError
from loguru import logger

from backend.domain.errors import SigningKeysUnavailable

FRESH_SECONDS = 600.0
REFETCH_SECONDS = 30.0
FIRST_FETCH_RETRY_SECONDS = 1.0
TIMEOUT_SECONDS = 3.0
LARGEST_ANSWER_BYTES = 256 * 1024
SMALLEST_RSA_KEY_BITS = 2048

Keys = Mapping[str, PyJWK]


class SigningKeys(Protocol):
    """Finds a public key by its id; None when the project has no such key."""

    async def find(self, kid: str) -> PyJWK | None: ...


class LocalSigningKeys:
    """The keys of the embedded project, which lives in this process."""

    def __init__(self, jwks: Mapping[str, Any]) -> None:
        self._keys = read_jwks(jwks)

    async def find(self, kid: str) -> PyJWK | None:
        return self._keys.get(kid)


class HostedSigningKeys:
    """The keys of a hosted project, fetched once and again when old or when a token names an unknown one.

    A failed fetch keeps the last good copy. Fetches are throttled, so that made-up key ids cannot cause traffic.
    """

    def __init__(self, supabase_url: str, *, client: httpx.AsyncClient | None = None) -> None:
        self._url = f"{supabase_url.rstrip('/')}/auth/v1/.well-known/jwks.json"
        self._client = client or httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False)
        self._keys: Keys | None = None
        self._fetched_at = self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, kid: str) -> PyJWK | None:
        if not self._is_fresh() or self._keys is None or kid not in self._keys:
            await self._refetch(kid)
        if self._keys is None:
            raise SigningKeysUnavailable
        return self._keys.get(kid)

    async def close(self) -> None:
        await self._client.aclose()

    def _is_fresh(self) -> bool:
        return time.monotonic() - self._fetched_at < FRESH_SECONDS

    async def _refetch(self, kid: str) -> None:
        if self._lock.locked() and self._keys is not None and kid in self._keys:
            return  # someone is at it; the copy at hand serves meanwhile
        async with self._lock:
            if self._is_fresh() and self._keys is not None and kid in self._keys:
                return
            wait = FIRST_FETCH_RETRY_SECONDS if self._keys is None else REFETCH_SECONDS
            if time.monotonic() - self._tried_at < wait:
                return
            self._tried_at = time.monotonic()
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    keys = read_jwks(await self._fetch())
            except (httpx.HTTPError, TimeoutError, ValueError) as problem:
                logger.warning("The signing keys could not be fetched: {}", problem or type(problem).__name__)
                return
            if not keys:
                logger.warning("The project published no signing key that we can use; is it still on a shared secret?")
            self._keys, self._fetched_at = keys, time.monotonic()

    async def _fetch(self) -> Mapping[str, Any]:
        response = await self._client.get(self._url, headers={"Accept": "application/json"})
        response.raise_for_status()
        if len(response.content) > LARGEST_ANSWER_BYTES:
            raise ValueError("the answer is far too large")
        jwks = response.json()
        if not isinstance(jwks, dict) or not isinstance(jwks.get("keys"), list):
            raise ValueError("the answer is not a key set")
        return jwks


def read_jwks(jwks: Mapping[str, Any]) -> Keys:
    """The keys that we accept signatures of, by id; shared secrets and odd ones are passed over."""
    keys: dict[str, PyJWK] = {}
    for jwk in jwks.get("keys", []):
        if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or jwk.get("use", "sig") != "sig":
            continue
        algorithm = algorithm_of(jwk)
        if algorithm is None:
            continue
        try:
            key = PyJWK(jwk, algorithm)
        except (PyJWTError, ValueError, TypeError):
            continue
        if _is_strong_public_key(key):
            keys[jwk["kid"]] = key
    return keys


def algorithm_of(jwk: Mapping[str, Any]) -> str | None:
    """The one algorithm a key serves. It follows from the key, so a token cannot choose another."""
    match jwk.get("kty"), jwk.get("crv"), jwk.get("alg"):
        case "EC", "P-256", None | "ES256":
            return "ES256"
        case "RSA", _, None | "RS256":
            return "RS256"
        case _:
            return None


def _is_strong_public_key(key: PyJWK) -> bool:
    match key.key:
        case EllipticCurvePublicKey():
            return True
        case RSAPublicKey(key_size=bits):
            return bits >= SMALLEST_RSA_KEY_BITS
        case _:
            return False
