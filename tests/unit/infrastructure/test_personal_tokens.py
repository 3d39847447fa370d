"""How personal access tokens are verified: asked now and then, never past their end, noted apart from requests."""

from datetime import timedelta
from uuid import uuid4

import pytest

from backend.domain.accounts import Identity
from backend.domain.errors import DatabaseUnavailable, TokenRejected
from backend.domain.tokens import Scope, make_token, new_token
from backend.infrastructure.personal_tokens import PersonalTokens, narrowed
from tests.fake_tokens import FakeTokens
from tests.fakes import FakeClock, FakeTokenVerifier


class Desk:
    def __init__(self) -> None:
        self.clock, self.user_id = FakeClock(), uuid4()
        # The other one goes on evenly whatever is done to the clock.
        self.passed = FakeClock()
        self.records = FakeTokens(self.user_id, self.clock)
        self.verifier = PersonalTokens(
            FakeTokenVerifier({}, self.clock),
            self.records,
            self.clock,
            monotonic=lambda: self.passed.now().timestamp(),
        )

    async def token(self, *scopes: Scope, days: int = 30) -> str:
        text = make_token()
        await self.records.create(new_token(text, name="Script", scopes=scopes or (Scope.READ,), days=days))
        return text


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_it_is_an_ordinary_user_without_a_session_narrowed_to_its_scopes(desk: Desk) -> None:
    identity = await desk.verifier.verify(await desk.token(Scope.READ, Scope.RUN))
    assert (identity.user_id, identity.session_id, identity.is_admin) == (desk.user_id, None, False)
    assert identity.scopes == frozenset({Scope.READ, Scope.RUN})
    assert (identity.claims["role"], "session_id" in identity.claims) == ("authenticated", False)


async def test_what_is_remembered_is_asked_again_after_a_few_seconds(desk: Desk) -> None:
    token = await desk.token()
    for _ in range(3):
        await desk.verifier.verify(token)
    assert desk.records.asked == 1
    desk.passed.advance(seconds=4)
    await desk.verifier.verify(token)
    assert desk.records.asked == 2


async def test_revoked_elsewhere_it_is_soon_refused_also_by_a_clock_that_was_set_back(desk: Desk) -> None:
    token = await desk.token()
    identity = await desk.verifier.verify(token)
    assert identity.token_id is not None
    await desk.records.revoke(identity.token_id)
    desk.clock.advance(hours=-1)
    desk.passed.advance(seconds=4)
    with pytest.raises(TokenRejected, match="it was revoked"):
        await desk.verifier.verify(token)


async def test_revoked_here_it_is_refused_at_once(desk: Desk) -> None:
    token = await desk.token()
    identity = await desk.verifier.verify(token)
    assert identity.token_id is not None
    await desk.records.revoke(identity.token_id)
    desk.verifier.forget(identity.token_id)
    with pytest.raises(TokenRejected, match="it was revoked"):
        await desk.verifier.verify(token)


async def test_a_look_that_began_before_the_revocation_is_not_remembered(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await desk.token()
    holder = desk.records.holder

    async def revoked_meanwhile(digest: bytes) -> object:
        found = await holder(digest)
        assert found is not None
        await desk.records.revoke(found.token_id)
        desk.verifier.forget(found.token_id)
        return found

    with monkeypatch.context() as during:
        during.setattr(desk.records, "holder", revoked_meanwhile)
        await desk.verifier.verify(token)
    with pytest.raises(TokenRejected, match="it was revoked"):
        await desk.verifier.verify(token)


async def test_its_end_is_looked_at_though_it_is_remembered(desk: Desk) -> None:
    token = await desk.token(days=1)
    desk.clock.advance(seconds=timedelta(days=1).total_seconds() - 1)
    await desk.verifier.verify(token)
    desk.clock.advance(seconds=1)
    with pytest.raises(TokenRejected, match="it expired on 2026-11-21"):
        await desk.verifier.verify(token)
    assert desk.records.asked == 1


async def test_typos_cost_no_question(desk: Desk) -> None:
    for wrong in ("tdm_nonsense", make_token()[:-1]):
        with pytest.raises(TokenRejected):
            await desk.verifier.verify(wrong)
    assert desk.records.asked == 0
    with pytest.raises(TokenRejected, match="no such token"):
        await desk.verifier.verify(make_token())


async def test_other_tokens_are_for_the_verifier_of_sessions(desk: Desk) -> None:
    with pytest.raises(TokenRejected, match="not a valid token"):
        await desk.verifier.verify("eyJ.a.b")
    assert desk.records.asked == 0


async def test_uses_are_noted_later_once_an_hour_and_survive_a_database_that_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await desk.verifier.verify(await desk.token())
    noted: list[int] = []

    async def away(uses: object) -> None:
        raise DatabaseUnavailable

    async def note(uses: tuple[object, ...]) -> None:
        noted.append(len(uses))

    desk.verifier.note_use(identity, "192.0.2.7")
    desk.verifier.note_use(identity, "192.0.2.7")
    monkeypatch.setattr(desk.records, "note_uses", away)
    await desk.verifier.write_notes()
    monkeypatch.setattr(desk.records, "note_uses", note)
    await desk.verifier.write_notes()
    desk.verifier.note_use(identity, "192.0.2.7")
    await desk.verifier.write_notes()
    assert noted == [1]
    desk.passed.advance(hours=1, seconds=1)
    desk.verifier.note_use(identity, "unknown")
    await desk.verifier.write_notes()
    assert noted == [1, 1]


async def test_a_ticket_brings_back_no_more_than_its_token(desk: Desk) -> None:
    bought = await desk.verifier.verify(await desk.token(Scope.READ))
    plain = Identity(
        user_id=desk.user_id,
        email=None,
        is_admin=False,
        is_anonymous=False,
        session_id=None,
        expires_at=bought.expires_at,
        claims=bought.claims,
    )
    assert narrowed(plain, bought.claims).scopes == frozenset({Scope.READ})
    assert narrowed(plain, bought.claims).token_id == bought.token_id
    assert narrowed(plain, {"sub": "x"}) is plain
