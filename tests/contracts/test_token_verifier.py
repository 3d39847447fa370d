"""The contract of TokenVerifier, kept by the fake and by the adapter."""

from abc import abstractmethod
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from backend.domain.accounts import Identity
from backend.domain.errors import TokenRejected
from backend.domain.ports import TokenVerifier
from backend.infrastructure.supabase.auth_keys import AuthKeys
from backend.infrastructure.supabase.signing_keys import LocalSigningKeys
from backend.infrastructure.supabase.tokens import JwtVerifier
from tests.fakes import FakeClock, FakeTokenVerifier

ISSUER = "http://127.0.0.1:8000/auth/v1"
LIFETIME = timedelta(hours=1)


class TokenVerifierContract:
    """What holds for every TokenVerifier: override `prepare`."""

    @abstractmethod
    def prepare(self, clock: FakeClock, user_id: UUID) -> tuple[TokenVerifier, str]:
        """A verifier, and a token for this user that lives an hour."""

    async def test_token_becomes_its_owner(self) -> None:
        clock, user_id = FakeClock(), uuid4()
        verifier, token = self.prepare(clock, user_id)
        identity = await verifier.verify(token)
        assert identity.user_id == user_id
        assert identity.expires_at == clock.now() + LIFETIME
        assert identity.claims["role"] == "authenticated"
        assert (identity.is_admin, identity.is_anonymous) == (False, False)

    async def test_same_token_gives_the_same_identity(self) -> None:
        verifier, token = self.prepare(FakeClock(), uuid4())
        assert await verifier.verify(token) == await verifier.verify(token)

    @pytest.mark.parametrize("token", ["", "made up", "a.b.c", "\x00", "é"])
    async def test_other_token_is_rejected(self, token: str) -> None:
        verifier, _ = self.prepare(FakeClock(), uuid4())
        with pytest.raises(TokenRejected):
            await verifier.verify(token)

    async def test_expired_token_is_rejected_even_if_it_was_seen(self) -> None:
        clock = FakeClock()
        verifier, token = self.prepare(clock, uuid4())
        await verifier.verify(token)
        clock.advance(seconds=LIFETIME.total_seconds() + 60)
        with pytest.raises(TokenRejected):
            await verifier.verify(token)


class TestFakeTokenVerifier(TokenVerifierContract):
    def prepare(self, clock: FakeClock, user_id: UUID) -> tuple[TokenVerifier, str]:
        identity = Identity(
            user_id=user_id,
            email=None,
            is_admin=False,
            is_anonymous=False,
            session_id=None,
            expires_at=clock.now() + LIFETIME,
            claims={"role": "authenticated"},
        )
        return FakeTokenVerifier({"known": identity}, clock), "known"


class TestJwtVerifier(TokenVerifierContract):
    def prepare(self, clock: FakeClock, user_id: UUID) -> tuple[TokenVerifier, str]:
        keys = AuthKeys.generate()
        now = int(clock.now().timestamp())
        claims = {"iss": ISSUER, "aud": "authenticated", "role": "authenticated", "sub": str(user_id)}
        token = keys.sign({**claims, "iat": now, "exp": now + int(LIFETIME.total_seconds())})
        return JwtVerifier(issuer=ISSUER, keys=LocalSigningKeys(keys.jwks()), clock=clock), token
