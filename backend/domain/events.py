"""What happened to a user's jobs, in the order in which it was committed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from backend.domain.jobs import Job

EVENTS_ARE_KEPT_FOR = timedelta(days=7)

# Channels of the bus. The database tells the first three itself, in the transaction of the change, but for what the
# transaction promised to tell afterwards: that comes over the fourth.
JOB_QUEUED_CHANNEL = "tidemark_job_queued"  # payload: the job's id
JOB_CANCEL_CHANNEL = "tidemark_job_cancel"  # payload: the id of a running job that is to stop
EVENT_CHANNEL = "tidemark_event"  # payload: "<user id> <event id>"
TOLD_CHANNEL = "tidemark_told"  # payload: JSON {"queued": [job ids], "users": [ids of those who have new events]}
PROGRESS_CHANNEL = "tidemark_progress"  # payload: JSON {"user_id", "task": {"id", "kind", "stage", "percent", ...}}


class EventType(StrEnum):
    TASK_QUEUED = "task_queued"
    TASK_RUNNING = "task_running"
    TASK_PROGRESS = "task_progress"
    TASK_COMPLETED = "task_completed"
    TASK_FAILED = "task_failed"
    TASK_CANCELLED = "task_cancelled"


@dataclass(frozen=True, kw_only=True)
class TaskEvent:
    """One change of one job. Ids count up from 1 for each user, without gaps, in the order of the commits."""

    id: int
    user_id: UUID
    type: EventType
    at: datetime
    task: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class EventLog:
    """Some events after an id, and which ids of this user there are at all."""

    events: tuple[TaskEvent, ...]
    first_kept_id: int
    last_id: int

    def continues(self, after: int) -> bool:
        """False when events after that id are gone, or when no such id was ever given: the reader must start anew."""
        return self.first_kept_id - 1 <= after <= self.last_id


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A job as it stood when this was the last event of its user: whatever comes after that event is news."""

    job: Job
    last_id: int


@dataclass(frozen=True, kw_only=True)
class FeedPlace:
    """How far a reader of all users' events got: the transaction, and within it the user and the event."""

    transaction: int
    user_id: UUID
    event_id: int


@dataclass(frozen=True, kw_only=True)
class BusMessage:
    """What the bus heard on a channel. Without a payload: something may have been missed, so read again."""

    channel: str
    payload: str | None
