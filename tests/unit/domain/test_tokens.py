"""The text of a personal access token: recognised at sight, and a typo told from a token that is gone."""

import re

import pytest

from backend.domain.errors import InvalidInput, TokenRejected
from backend.domain.tokens import PREFIX, SENTENCES, Scope, digest_of_token, hint_of, make_token, new_token
from backend.infrastructure.redaction import redact


def test_a_token_can_be_recognised_and_no_two_are_alike() -> None:
    made = {make_token() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"tdm_[A-Za-z0-9_-]{49}", token) for token in made)
    assert len({digest_of_token(token) for token in made}) == 100


def test_any_letter_that_is_typed_wrong_is_found_without_asking_anybody() -> None:
    token = make_token()
    for place in range(len(PREFIX), len(token)):
        typed = f"{token[:place]}{'A' if token[place] != 'A' else 'B'}{token[place + 1 :]}"
        with pytest.raises(TokenRejected, match="checksum"):
            digest_of_token(typed)


@pytest.mark.parametrize(
    "text",
    ["tdm_", "tdm_abc", f"{make_token()}x", make_token()[:-1], f" {make_token()}"],
    ids=["nothing", "too short", "too long", "cut", "moved"],
)
def test_what_is_not_whole_is_said_to_be_so(text: str) -> None:
    with pytest.raises(TokenRejected, match="not a whole"):
        digest_of_token(text)


def test_the_hint_gives_nothing_away_but_its_ends() -> None:
    token = make_token()
    assert hint_of(token) == f"tdm_{token[4:8]}...{token[-4:]}"


def test_a_log_hides_it_wherever_it_stands() -> None:
    token = make_token()
    for text in (token, f"got {token}, refused", f'{{"x": "{token}"}}', f"Bearer {token}"):
        assert token not in redact(text)
        assert token[8:40] not in redact(text)


def test_what_is_kept_of_a_new_token_is_no_secret() -> None:
    token = make_token()
    kept = new_token(token, name="  Nightly   job ", scopes=[Scope.READ, Scope.READ], days=7)
    assert (kept.name, kept.scopes, kept.lives_for.days) == ("Nightly job", frozenset({Scope.READ}), 7)
    assert token not in repr(kept)


@pytest.mark.parametrize(
    ("name", "scopes", "days", "pointer"),
    [
        ("  ", [Scope.READ], 7, "/name"),
        ("x" * 81, [Scope.READ], 7, "/name"),
        ("a\u202eb", [Scope.READ], 7, "/name"),
        ("a\x00b", [Scope.READ], 7, "/name"),
        ("Job", [], 7, "/scopes"),
        ("Job", [Scope.READ], 0, "/expires_in_days"),
        ("Job", [Scope.READ], 366, "/expires_in_days"),
    ],
)
def test_what_no_token_can_be_like_is_refused(name: str, scopes: list[Scope], days: int, pointer: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        new_token(make_token(), name=name, scopes=scopes, days=days)
    assert [error.pointer for error in refusal.value.errors] == [pointer]


def test_each_scope_is_a_sentence() -> None:
    assert set(SENTENCES) == set(Scope)
    assert all(said.endswith(".") and said[0].isupper() for said in SENTENCES.values())
