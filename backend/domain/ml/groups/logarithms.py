"""Natural logarithms of whole columns, with the same bits on every machine.

The rational approximation of Sun's fdlibm (less than one unit in the last place), written so that it is done for
several rows at once, which a call into the machine's own library would prevent.
"""

from typing import Final

import numpy as np

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Series

_ROOT_OF_TWO: Final = 1.4142135623730951
_LN2_HIGH: Final = 6.93147180369123816490e-01
_LN2_LOW: Final = 1.90821492927058770002e-10
_L1: Final = 6.666666666666735130e-01
_L2: Final = 3.999999999940941908e-01
_L3: Final = 2.857142874366239149e-01
_L4: Final = 2.222219843214978396e-01
_L5: Final = 1.818357216161805012e-01
_L6: Final = 1.531383769920937332e-01
_L7: Final = 1.479819860511658591e-01
_FRACTION: Final = np.int64(0x000FFFFFFFFFFFFF)
_ONE: Final = np.int64(0x3FF0000000000000)


@compiled
def fill_logarithms(values: Series, room: Series, logarithms: Series) -> None:
    """Of positive numbers. `room` is overwritten."""
    bits, fractions = values.view(np.int64), room.view(np.int64)
    for row in range(len(values)):
        fractions[row] = (bits[row] & _FRACTION) | _ONE
        logarithms[row] = np.int32((bits[row] >> 52) - 1023)
    for row in range(len(values)):
        fraction, power = room[row], logarithms[row]
        is_large = fraction > _ROOT_OF_TWO
        fraction = 0.5 * fraction if is_large else fraction
        power = power + 1.0 if is_large else power
        f = fraction - 1.0
        s = f / (2.0 + f)
        z = s * s
        w = z * z
        even = w * (_L2 + w * (_L4 + w * _L6))
        odd = z * (_L1 + w * (_L3 + w * (_L5 + w * _L7)))
        half = 0.5 * f * f
        logarithms[row] = power * _LN2_HIGH - ((half - (s * (half + (odd + even)) + power * _LN2_LOW)) - f)
