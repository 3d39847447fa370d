"""How numeric loops are compiled: once for a machine, kept on disk, and without holding up other threads.

Numba looks only at a kernel's own file when it asks whether its machine code is still good, and a kernel holds the code
of all that it calls. So the code lies in a folder named after the contents of all our sources: a changed rule is never
run in its old form.
"""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])

_SOURCES: Final = ("domain", "backtesting")
_KEPT_SECONDS: Final = 7 * 86_400


def compiled(function: F) -> F:
    """A kernel. Only numbers and arrays go in and come out.

    It divides by zero as numpy does, which spares a check for each division. `_nrt` has to be said: else it would be
    that of the first kernel that calls this one.
    """
    return _kernel(function, cache=True, _nrt=True)


def borrowing(function: F) -> F:
    """A kernel that makes no array, but works on those of its caller alone.

    Numba counts who holds an array, also where nobody could let go of it: in a step of a run, that took two thirds of
    the time. A kernel that makes an array all the same is refused when it is compiled.
    """
    return _kernel(function, cache=True, _nrt=False)


def inlined(function: F) -> F:
    """A part of a kernel: its code takes the place of the call, which would cost more than the part does.

    It is kept with the kernels that it is in, not by itself.
    """
    return _kernel(function, forceinline=True, _nrt=True)


def inlined_borrowing(function: F) -> F:
    """The same for a part of a borrowing kernel."""
    return _kernel(function, forceinline=True, _nrt=False)


def _kernel(function: F, **options: Any) -> F:
    return cast(F, numba.njit(nogil=True, error_model="numpy", **options)(function))


def code_folder() -> Path:
    """Where the machine code of these sources lies: beside them, or where this user may write."""
    package = Path(__file__).parents[1]
    name = _fingerprint(package)
    for parent in _places(package):
        folder = parent / name
        if _is_ours(folder):
            _forget_old(parent, keep=name)
            return folder
    return Path(tempfile.mkdtemp(prefix="tidemark-kernels-"))


def _fingerprint(package: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for part in _SOURCES for path in (package / part).rglob("*.py")):
        digest.update(f"{path.relative_to(package)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:20]


def _places(package: Path) -> Iterator[Path]:
    yield package / "__pycache__" / "kernels"
    with suppress(RuntimeError):  # somebody without a home
        yield Path.home() / ".cache" / "tidemark" / "kernels"
    yield Path(tempfile.gettempdir()) / f"tidemark-kernels-{os.getuid()}"


def _is_ours(folder: Path) -> bool:
    """Machine code is run: nobody else may have put it there."""
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        owners = {folder.stat().st_uid, folder.parent.stat().st_uid}
        return os.access(folder, os.W_OK) and owners == {os.getuid()}
    except OSError:
        return False


def _forget_old(parent: Path, *, keep: str) -> None:
    """The code of sources that have changed since. Recent ones may still be in use by a process that runs on."""
    with suppress(OSError):
        os.utime(parent / keep)
        for folder in parent.iterdir():
            if folder.name != keep and time.time() - folder.stat().st_mtime > _KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


_operators: str = getattr(numba.config, "CACHE_DIR", "")  # NUMBA_CACHE_DIR
numba.config.CACHE_DIR = str(  # type: ignore[attr-defined]  # numba sets its options by name
    Path(_operators) / _fingerprint(Path(__file__).parents[1]) if _operators else code_folder()
)
