"""Models below the cache folder, each under the digest of its content. No name in a path comes from a person."""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final, NoReturn
from uuid import UUID

from backend.domain.market_errors import StorageFailed, StorageFull
from backend.domain.model_errors import ModelDamaged
from backend.domain.ports import Clock

MODELS: Final = "models"
# A model is named by its task's end, which comes after its file, and may have to be tried again.
YOUNG_SECONDS: Final = 24 * 3600
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_ENDING, _DRAFT = ".model", ".draft"


class FolderModelFiles:
    """ModelFiles over a folder; safe between processes."""

    def __init__(self, cache_dir: Path, clock: Clock) -> None:
        self._root = cache_dir / MODELS
        self._clock = clock

    def keep(self, owner: UUID, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        path = self._path(owner, digest)
        try:
            if not _holds(path, content):
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(path, content)
            os.utime(path)
        except OSError as problem:
            _refuse(self._root, problem)
        return digest

    def read(self, owner: UUID, sha256: str) -> bytes:
        try:
            content = self._path(owner, sha256).read_bytes()
        except FileNotFoundError:
            raise ModelDamaged("The file of this model is gone. Train it again.") from None
        except OSError as problem:
            _refuse(self._root, problem)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ModelDamaged("The file of this model is not what was written. Train it again.")
        return content

    def forget(self, owner: UUID, sha256: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._path(owner, sha256).unlink()

    def forget_all(self, owner: UUID) -> None:
        shutil.rmtree(self._root / str(owner), ignore_errors=True)
        if (self._root / str(owner)).exists():
            raise StorageFailed(f"{self._root / str(owner)} could not be removed.")

    def sweep(self, named: Collection[tuple[UUID, str]]) -> int:
        kept = {self._path(owner, sha256) for owner, sha256 in named}
        removed = 0
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):
                if path not in kept and self._age_seconds(path) > YOUNG_SECONDS:
                    path.unlink()
                    removed += 1
        return removed

    def _path(self, owner: UUID, sha256: str) -> Path:
        require_digest(sha256)
        return self._root / str(owner) / sha256[:2] / f"{sha256}{_ENDING}"

    def _files(self) -> Iterator[Path]:
        for ending in (_ENDING, _DRAFT):
            yield from self._root.glob(f"*/*/*{ending}")

    def _age_seconds(self, path: Path) -> float:
        return self._clock.now().timestamp() - path.stat().st_mtime


def require_digest(sha256: str) -> None:
    if not _DIGEST.fullmatch(sha256):
        raise ModelDamaged(f"'{sha256[:70]}' names no file of a model.")


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() == content
    except FileNotFoundError:
        return False


def _write(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.stem}-{secrets.token_hex(4)}{_DRAFT}")
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    for folder in (path.parent, path.parent.parent):
        _sync(folder)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse(folder: Path, problem: OSError) -> NoReturn:
    if problem.errno in {errno.ENOSPC, errno.EDQUOT}:
        raise StorageFull("The disk is full: the model could not be kept.") from problem
    raise StorageFailed(f"Models in {folder} cannot be used: {problem.strerror}.") from problem
