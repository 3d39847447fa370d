"""Chance without memory: every number depends on a key and a position alone, so that any part of a market can be made
by itself, the same on every machine.

For that there are only integer operations here, and those of floating point whose result IEEE 754 fixes to the last
bit: + - * / and the square root. No exp, log or sin, which every machine rounds in its own way.
"""

import hashlib
from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Rolls = npt.NDArray[np.uint64]

# splitmix64, Guy Steele and others 2014: a counter times an odd number, well mixed.
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_MIXERS: Final = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS: Final = (np.uint64(30), np.uint64(27), np.uint64(31))

_PAIRS: Final = np.uint64(0x0000FFFF0000FFFF)
_LOW: Final = np.uint64(0xFFFFFFFF)
_BYTE: Final = np.uint64(0xFF)
# The sum of four numbers below 65,536: its middle, and its standard deviation, sqrt(4 (65536^2 - 1) / 12).
_BELL_MIDDLE: Final = 131_070.0
_BELL_DEVIATION: Final = 37_837.227

_SQUARINGS: Final = 6


def key_of(*words: str) -> int:
    """A key that no other words have."""
    return int.from_bytes(hashlib.sha256("\0".join(words).encode()).digest()[:8], "little")


def rolls(key: int, positions: Ints) -> Rolls:
    """64 random bits for each position."""
    mixed = positions.astype(np.uint64) * _STEP
    mixed += np.uint64(key)
    for shift, mixer in zip(_SHIFTS, _MIXERS, strict=False):
        mixed ^= mixed >> shift
        mixed *= mixer
    mixed ^= mixed >> _SHIFTS[-1]
    return mixed


def bell(rolled: Rolls) -> Floats:
    """Nearly normal, with mean 0 and deviation 1, and never beyond 3.5: the sum of the four quarters of the bits."""
    pairs = rolled & _PAIRS
    pairs += (rolled >> np.uint64(16)) & _PAIRS
    sums = pairs & _LOW
    sums += pairs >> np.uint64(32)
    numbers = sums.view(np.int64).astype(np.float64)
    numbers -= _BELL_MIDDLE
    numbers /= _BELL_DEVIATION
    return numbers


def byte(rolled: Rolls, place: int) -> Ints:
    """One of the eight bytes, from 0 to 255."""
    return ((rolled >> np.uint64(8 * place)) & _BYTE).view(np.int64)


def even(rolled: Rolls, place: int) -> Floats:
    """Between 0 and 1, everywhere alike; one of eight that do not depend on each other."""
    numbers = byte(rolled, place).astype(np.float64)
    numbers += 0.5
    numbers /= 256.0
    return numbers


# Waiting times: -ln(u) of the 256 even numbers. Decimal logarithms are exact to the last digit on every machine.
WAITS: Final[Floats] = np.array([float(-((Decimal(2 * i + 1) / 512).ln())) for i in range(256)])


def growth(logarithm: Floats) -> Floats:
    """e to the power of it, near enough: ((2 + y) / (2 - y))^64 with y = x / 64 misses e^x by 2e-5 at x = 1."""
    part = logarithm / float(2**_SQUARINGS)
    grown = (2.0 + part) / (2.0 - part)
    for _ in range(_SQUARINGS):
        grown *= grown
    return grown
