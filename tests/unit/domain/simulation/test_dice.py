"""Chance depends on key and position alone, and its numbers are spread as they should be."""

import math

import numpy as np
import pytest

from backend.domain.simulation.dice import WAITS, bell, byte, even, growth, key_of, rolls

MANY = np.arange(200_000, dtype=np.int64)


def test_rolls_are_those_of_splitmix64() -> None:
    # The first numbers of the published generator from the seed 1234567; its counter begins at 1.
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert rolls(1234567, np.arange(1, 6)).tolist() == known


def test_a_roll_does_not_depend_on_what_else_is_rolled() -> None:
    whole = rolls(7, MANY)
    assert rolls(7, MANY[1234:1240]).tolist() == whole[1234:1240].tolist()
    assert rolls(7, MANY[::-7]).tolist() == whole[::-7].tolist()
    assert rolls(7, np.array([-5, 10**12])).tolist() == [rolls(7, np.array([one]))[0] for one in (-5, 10**12)]


def test_keys_of_different_words_differ() -> None:
    assert len({key_of("a", "bc"), key_of("ab", "c"), key_of("abc"), key_of("a", "b", "c")}) == 4
    assert key_of("demo", "BTC/USDT") == 0x8B22A362B17EB78A


def test_bell_is_nearly_normal() -> None:
    numbers = bell(rolls(key_of("bell"), MANY))
    assert abs(numbers.mean()) < 0.01
    assert abs(numbers.std() - 1) < 0.01
    assert abs((numbers**3).mean()) < 0.02
    assert np.abs(numbers).max() < 3.5
    assert 0.66 < (np.abs(numbers) < 1).mean() < 0.69


def test_bytes_of_a_roll_do_not_depend_on_each_other() -> None:
    rolled = rolls(key_of("bytes"), MANY)
    numbers = np.array([even(rolled, place) for place in range(8)])
    assert np.abs(np.corrcoef(numbers) - np.eye(8)).max() < 0.01
    assert numbers.min() == 0.5 / 256
    assert numbers.max() == 255.5 / 256
    assert [int(byte(np.array([0x0102030405060708], np.uint64), place)[0]) for place in range(8)] == [*range(8, 0, -1)]


def test_neighbours_and_neighbouring_keys_are_strangers() -> None:
    one, next_key = bell(rolls(1, MANY)), bell(rolls(2, MANY))
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.01
    assert abs(np.corrcoef(one, next_key)[0, 1]) < 0.01
    assert abs(np.corrcoef(np.abs(one[1:]), np.abs(one[:-1]))[0, 1]) < 0.01


def test_waits_are_logarithms() -> None:
    assert pytest.approx([-math.log((i + 0.5) / 256) for i in range(256)], rel=1e-15) == WAITS.tolist()
    assert (np.diff(WAITS) < 0).all()


def test_growth_is_nearly_exponential_and_never_falls() -> None:
    logarithms = np.linspace(-6, 6, 20_001)
    grown = growth(logarithms)
    assert (np.diff(grown) > 0).all()
    assert growth(np.zeros(1))[0] == 1.0
    missed = np.abs(np.log(grown) - logarithms)
    assert missed[np.abs(logarithms) <= 1].max() < 2.1e-5
    assert missed.max() < 0.005
