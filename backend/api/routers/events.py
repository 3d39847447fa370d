"""The stream of what happens to one's jobs, and the ticket that opens it where no header can be sent."""

import secrets
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.responses import Response

from backend.api.dependencies import Changing, bearer
from backend.api.documentation import SIGNED_IN, invalid, problems, shows
from backend.api.errors import NotReady
from backend.api.scopes import Reach, needs
from backend.api.task_events import MEDIA_TYPE, TASK_EVENTS_PATH
from backend.bootstrap import digest_of
from backend.domain.errors import QuotaReached

router = APIRouter(tags=["Events"])


class StreamTicket(BaseModel):
    """Opens one stream, once."""

    ticket: str
    good_until: datetime = Field(description="At most a minute from now.")


TICKET = StreamTicket(
    ticket="3hXv0yqfCkq9uYlmXW5m6Yw3s0mJr1m2S6cX8m0bq1E", good_until=datetime(2026, 11, 20, 9, 31, tzinfo=UTC)
)
STREAM = """retry: 1000
id: 16

event: task_running
id: 17
data: {"type":"task_running","task":{"id":"0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a","kind":"sweep","state":"running"}}

event: task_progress
data: {"type":"task_progress","task":{"id":"0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a","kind":"sweep","attempt":1,\
"stage":"Sweeping","percent":40.0,"message":"4,000 of 10,000","eta_seconds":21.5,"log_tail":"reading 525,600 bars"}}

"""


@router.post(
    "/api/system/stream-ticket",
    operation_id="issue_stream_ticket",
    openapi_extra=needs(Reach.READ),
    summary="Get a ticket for one stream",
    responses={
        **shows(StreamTicket, TICKET, "The ticket. Nothing shows it again."),
        **problems("/api/system/stream-ticket", *SIGNED_IN),
    },
)
async def issue_stream_ticket(services: Changing) -> Response:
    """For a client that can open an address but set no header: `/api/system/task-events?ticket=...`.

    A ticket is spent by the first use, and it says nothing to anybody else; an access token never stands in an address.
    """
    ticket = secrets.token_urlsafe(32)
    good_until = await services.tickets.issue(digest_of(ticket))
    body = StreamTicket(ticket=ticket, good_until=good_until)
    return Response(body.model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})


def describe_stream() -> dict[str, Any]:
    """The stream as OpenAPI shows it; task_events.py answers it, without the framework."""
    found = problems(
        TASK_EVENTS_PATH,
        *SIGNED_IN,
        invalid("/header/Last-Event-ID", "Not the id of an event."),
        QuotaReached("open streams", limit=64, count=64),
        NotReady("Tidemark is stopping."),
    )
    answers = {str(status): {**answer} for status, answer in found.items()}
    for answer in answers.values():
        del answer["model"]
    event_id = {"type": "string", "pattern": "^[0-9]{1,19}$"}
    parameters = (
        ("header", "Last-Event-ID", event_id, "The last event that arrived; those after it come first."),
        ("query", "last_event_id", event_id, "The same, where no header can be set."),
        ("query", "ticket", {"type": "string"}, "A ticket in place of the access token."),
    )
    return {
        "get": {
            "tags": ["Events"],
            "operationId": "stream_task_events",
            "summary": "Follow what happens to one's tasks",
            "description": (
                "Server-sent events of the caller's tasks. Events have ids that count up by one; progress has none. "
                "`reset` says that the events asked for are gone: read the tasks anew. A comment comes every 15 s. "
                "`task_progress` tells `stage`, `percent`, `message` and `eta_seconds` (null where unknown) of an "
                "`attempt`, and in `log_tail` the last lines that the task printed in it: a text, null while there are "
                "none, and left out when they are what was told before. Of a training also `fold`, `round`, `loss`, "
                "`stop_loss`, the `curve` of that fold as `[round, loss, stop_loss]`, and `curves`, `[fold, curve]` of "
                "all folds until now with fewer points (fold 0 is the model that is kept)."
            ),
            **needs(Reach.READ),
            "security": [{bearer.scheme_name: []}, {}],
            "parameters": [
                {"in": place, "name": name, "required": False, "schema": schema, "description": description}
                for place, name, schema, description in parameters
            ],
            "responses": {
                "200": {
                    "description": "Events from now on, or after the one named. It ends with the access token.",
                    "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": STREAM}},
                },
                **answers,
            },
        }
    }
