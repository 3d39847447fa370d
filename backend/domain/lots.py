"""What compiled code draws by lot: a counter and a mixer, so the same seed gives the same draws on every machine.

It is the splitmix64 of the demo market (`simulation/dice.py`), one number at a time.
"""

import numpy as np

from backend.domain.compiled import inlined


@inlined
def next_state(state: np.uint64) -> np.uint64:
    return state + np.uint64(0x9E3779B97F4A7C15)


@inlined
def bits_of(state: np.uint64) -> np.uint64:
    """64 random bits for a state of the counter."""
    mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
