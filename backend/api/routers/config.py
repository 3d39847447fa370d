"""What the web app must know before anyone is signed in."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from backend.api.dependencies import TheHouse
from backend.api.documentation import NOT_MODIFIED, problems, shows
from backend.api.scopes import Reach, needs
from backend.api.versions import PUBLIC, IfNoneMatch, tagged
from backend.version import VERSION

router = APIRouter(prefix="/api", tags=["Installation"])


class Config(BaseModel):
    """What this installation is."""

    mode: Literal["embedded", "supabase"] = Field(
        description="Where accounts and data live: in Tidemark itself or in a project."
    )
    supabase_url: str = Field(description="The address of Supabase; empty when it is this very origin.")
    publishable_key: str = Field(description="The key that browsers name. It is not a secret.")
    version: str
    environment: Literal["DEMO", "PAPER", "LIVE"] = Field(
        description="Whether money is at stake. DEMO: nothing is traded."
    )
    mailbox_url: str | None = Field(description="Where mails are kept while developing, instead of being sent.")


CONFIG = Config(
    mode="embedded",
    supabase_url="",
    publishable_key="sb_publishable_2JqYw0kC1fX7aZ3mV9bT5Q_1a2b3c4d",
    version=VERSION,
    environment="DEMO",
    mailbox_url="http://127.0.0.1:54324",
)


@router.get(
    "/config",
    operation_id="read_config",
    openapi_extra=needs(Reach.OPEN),
    summary="Read what this installation is",
    responses={
        **shows(Config, CONFIG, "What a client needs to start.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/config"),
    },
)
async def read_config(request: Request, house: TheHouse, _: IfNoneMatch = None) -> Response:
    """Addresses, keys and mode that a client needs to start. Nothing in it is secret."""
    project = house.project
    config = Config(
        mode=project.mode,
        supabase_url="" if project.mode == "embedded" else project.url,
        publishable_key=project.publishable_key,
        version=VERSION,
        environment="DEMO",
        mailbox_url=house.mailbox_url,
    )
    return tagged(request, config, headers=PUBLIC)
