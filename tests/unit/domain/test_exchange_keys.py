"""What is a key, what is not, and what has to be said of one that can withdraw."""

import pytest

from backend.domain.errors import InvalidInput
from backend.domain.exchange_keys import (
    WITHDRAWAL_WORDS,
    KeyCanWithdraw,
    KeyHealth,
    KeyProvider,
    KeyState,
    Permission,
    Probe,
    clean_label,
    credentials_of,
    require_accepted,
)

KEY, SECRET = "vmPU-key-of-the-tests-A65z", "secret-of-the-tests"


def test_what_is_pasted_with_spaces_around_it_is_taken_without_them() -> None:
    found = credentials_of(KeyProvider.BINANCE, f" {KEY}\n", f"{SECRET} ", None)
    assert (found.key, found.secret, found.hint) == (KEY, SECRET, "vmPU...A65z")
    assert KEY not in repr(found)
    assert SECRET not in repr(found)


def test_a_key_of_several_lines_may_have_them_as_they_are_or_as_json_has_them() -> None:
    lines = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----"
    for pasted in (lines, lines.replace("\n", "\\n"), lines.replace("\n", "\r\n")):
        assert credentials_of(KeyProvider.COINBASE, KEY, pasted, None).secret == lines


@pytest.mark.parametrize(
    ("provider", "key", "secret", "passphrase", "pointers"),
    [
        (KeyProvider.BINANCE, "elevenchars", SECRET, None, ["/key"]),
        (KeyProvider.BINANCE, "k" * 301, SECRET, None, ["/key"]),
        (KeyProvider.BINANCE, "k\u00e9y-of-the-tests", SECRET, None, ["/key"]),
        (KeyProvider.BINANCE, KEY, "s" * 4001, None, ["/secret"]),
        (KeyProvider.BINANCE, KEY, "s\x00" * 10, None, ["/secret"]),
        (KeyProvider.BINANCE, KEY, SECRET, "of no use", ["/passphrase"]),
        (KeyProvider.OKX, KEY, SECRET, None, ["/passphrase"]),
        (KeyProvider.OKX, KEY, SECRET, "\ud800", ["/passphrase"]),
        (KeyProvider.OKX, "", "", "", ["/key", "/secret", "/passphrase"]),
    ],
)
def test_what_cannot_be_a_key_is_pointed_at(
    provider: KeyProvider, key: str, secret: str, passphrase: str | None, pointers: list[str]
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        credentials_of(provider, key, secret, passphrase)
    assert [error.pointer for error in refusal.value.errors] == pointers
    assert not any(said and said in refusal.value.detail for said in (key, secret))


@pytest.mark.parametrize("label", ["", "   ", "x" * 81, "\u202etxet", "nul\x00"])
def test_a_label_can_be_read(label: str) -> None:
    with pytest.raises(InvalidInput):
        clean_label(label)
    assert clean_label("  two   words ") == "two words"


def test_only_the_very_words_accept_that_a_key_can_withdraw() -> None:
    health = KeyHealth(state=KeyState.WORKS, detail="It works.")
    harmless = Probe(permissions=frozenset({Permission.READ, Permission.TRADE}), health=health)
    require_accepted(harmless, None)
    dangerous = Probe(permissions=frozenset(Permission), health=health)
    for said in (None, "", "yes", "true", WITHDRAWAL_WORDS.upper(), f"{WITHDRAWAL_WORDS}."):
        with pytest.raises(KeyCanWithdraw):
            require_accepted(dangerous, said)
    require_accepted(dangerous, WITHDRAWAL_WORDS)
