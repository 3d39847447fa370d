"""What a socket and its client say to each other: JSON objects of an event and its data, and the words of a parting."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from backend.api.errors import BadRequest
from backend.api.streams import End
from backend.domain.errors import TidemarkError

LONGEST_ECHO = 64


class MessageNotUnderstood(BadRequest):
    """The client of a WebSocket said something that means nothing here."""

    code = "message_not_understood"
    title = "This message is not understood"


class Parting(StrEnum):
    """Why a socket ended, besides the ends of all streams."""

    LATE = "late"
    NOT_SIGNED_IN = "not_signed_in"
    NOT_ALLOWED = "not_allowed"
    TOO_MANY = "too_many"
    RATE_LIMITED = "rate_limited"
    NOT_UNDERSTOOD = "not_understood"
    FAILED = "failed"


class Farewell(NamedTuple):
    """What a client hears as the close of its socket: the reason has at most 123 bytes."""

    code: int
    reason: str


# From 4400 on, the last three digits are those of the HTTP status that says the same.
_FAREWELLS: Mapping[str, Farewell] = {
    Parting.FAILED: Farewell(1011, "An unexpected error happened; it was logged."),
    End.STOPPING: Farewell(1012, "Tidemark is stopping. Connect again in a moment."),
    End.UNAVAILABLE: Farewell(1013, "The database does not answer. Connect again in a moment."),
    Parting.NOT_UNDERSTOOD: Farewell(4400, "Too many messages were not understood."),
    Parting.NOT_SIGNED_IN: Farewell(4401, "Not signed in: the first message must bring a good token or ticket."),
    End.EXPIRED: Farewell(4401, "The access token has expired. Connect again with a new one."),
    End.REVOKED: Farewell(4401, "The access token was revoked. Connect again with another one."),
    End.SIGNED_OUT: Farewell(4401, "This session was signed out. Connect again once you have signed in."),
    Parting.NOT_ALLOWED: Farewell(4403, "The access token lacks the scope 'read'."),
    End.SUSPENDED: Farewell(4403, "This account is suspended."),
    Parting.LATE: Farewell(4408, "No message authenticated in time."),
    Parting.TOO_MANY: Farewell(4429, "Too many streams of this user are open."),
    Parting.RATE_LIMITED: Farewell(4429, "Too many messages in too short a time."),
}


def farewell(why: str) -> Farewell:
    return _FAREWELLS.get(why, Farewell(1001, f"The stream of events ended: {why}."))


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message of a client."""

    event: str
    data: Mapping[str, Any]

    def backtest_id(self) -> UUID:
        """Which backtest it is about."""
        try:
            return UUID(self.data["backtestId"])
        except (KeyError, ValueError, TypeError, AttributeError):
            raise MessageNotUnderstood(f"'{self.event}' needs the id of a backtest as 'backtestId'.") from None


def understood(message: Mapping[str, Any]) -> Said:
    """The client's message, as the server received it; raises MessageNotUnderstood."""
    if message.get("text") is None:
        raise MessageNotUnderstood("Send text, not binary data: one JSON object a message.")
    try:
        said = json.loads(message["text"])
    except (ValueError, RecursionError):
        raise MessageNotUnderstood('The message is not JSON. Send {"event": "...", "data": {...}}.') from None
    event, data = (said.get("event"), said.get("data")) if isinstance(said, dict) else (None, None)
    if not isinstance(event, str) or not isinstance(data, dict):
        raise MessageNotUnderstood('A message is an object {"event": "...", "data": {...}}.')
    return Said(event=event, data=data)


def told(event: str, data: Mapping[str, Any]) -> str:
    return json.dumps({"event": event, "data": data}, separators=(",", ":"))


def complaint(error: TidemarkError, request_id: str, said: Said | None) -> str:
    """The error, with what the client said, so that it knows which of its messages failed."""
    facts = {"code": error.code, "title": error.title, "detail": error.detail, "requestId": request_id}
    about = (None, None) if said is None else (said.event, said.data.get("backtestId"))
    event, backtest_id = (it if isinstance(it, str) and len(it) <= LONGEST_ECHO else None for it in about)
    return told("error", {**facts, "event": event, "backtestId": backtest_id})
