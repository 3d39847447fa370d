"""Word of queued jobs from who submitted them to the runner of the same process: sooner than any way around."""

from collections.abc import Callable, Sequence
from uuid import UUID


class LocalJobHints:
    """A JobHints in memory."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[UUID], None]] = []

    def tell(self, job_ids: Sequence[UUID]) -> None:
        for job_id in job_ids:
            for heard in self._listeners:
                heard(job_id)

    def listen(self, heard: Callable[[UUID], None]) -> Callable[[], None]:
        self._listeners.append(heard)
        return lambda: self._listeners.remove(heard)
