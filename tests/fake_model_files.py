"""An in-memory twin of the files of models."""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from backend.domain.model_errors import ModelDamaged
from backend.domain.ports import Clock


class FakeModelFiles:
    """ModelFiles."""

    def __init__(self, clock: Clock) -> None:
        self.contents: dict[tuple[UUID, str], bytes] = {}
        self._kept_at: dict[tuple[UUID, str], datetime] = {}
        self._clock = clock

    def keep(self, owner: UUID, content: bytes) -> str:
        key = owner, hashlib.sha256(content).hexdigest()
        self.contents[key], self._kept_at[key] = content, self._clock.now()
        return key[1]

    def read(self, owner: UUID, sha256: str) -> bytes:
        try:
            return self.contents[owner, sha256]
        except KeyError:
            raise ModelDamaged("The file of this model is gone. Train it again.") from None

    def forget(self, owner: UUID, sha256: str) -> None:
        self.contents.pop((owner, sha256), None)

    def forget_all(self, owner: UUID) -> None:
        for key in [key for key in self.contents if key[0] == owner]:
            del self.contents[key]

    def sweep(self, named: Collection[tuple[UUID, str]]) -> int:
        old = self._clock.now() - timedelta(days=1)
        gone = [key for key in self.contents if key not in named and self._kept_at[key] < old]
        for key in gone:
            del self.contents[key]
        return len(gone)
