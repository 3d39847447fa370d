"""The time of this machine."""

from datetime import UTC, datetime


class SystemClock:
    """A Clock: UTC and aware."""

    def now(self) -> datetime:
        return datetime.now(UTC)
