"""How numeric loops are compiled: once for a machine, kept on disk, and without holding up other threads."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """A kernel. Only numbers and arrays go in and come out; its machine code is kept beside the module.

    `error_model="numpy"` divides by zero as numpy does, which spares a check for each division.
    """
    return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
