"""The plugs of models: where their files are kept."""

from collections.abc import Collection
from typing import Protocol
from uuid import UUID


class ModelFiles(Protocol):
    """Files of models, each by the sha256 of its content; what is there never changes. Synchronous: callers with an
    event loop use a thread. Raises StorageFull and StorageFailed.
    """

    def keep(self, owner: UUID, content: bytes) -> str:
        """Returns its sha256. When it returns the file is on the disk; the same content again is the same file."""

    def read(self, owner: UUID, sha256: str) -> bytes:
        """Raises ModelDamaged when it is gone or is not what was kept."""

    def forget(self, owner: UUID, sha256: str) -> None:
        """Nothing happens when it is gone already."""

    def sweep(self, named: Collection[tuple[UUID, str]]) -> int:
        """Removes what no model names and what a lost write left, unless it is so young that its model may still be
        on its way. Returns how many files that were.
        """
