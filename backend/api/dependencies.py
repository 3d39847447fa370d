"""What an endpoint can ask for in its signature: the caller, and the services that act as them."""

from collections.abc import AsyncIterator, Awaitable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import Scope

from backend.api.context import client_address, context_of, known_address
from backend.api.limits import SAFE_METHODS, USER_READS, USER_WRITES, take
from backend.api.queries import require_known_names
from backend.api.scopes import declared_by, require_scope
from backend.bootstrap import House
from backend.bootstrap_admin import administering
from backend.bootstrap_services import Services
from backend.domain.accounts import Identity
from backend.domain.errors import NotSignedIn, SignInNeeded
from backend.services.administration import Administration

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="Access token",
    description=(
        "The access token of a session of Supabase Auth (`/auth/v1`), or a personal access token (`tdm_...`), which may"
        " do what its scopes say."
    ),
)


async def the_house(request: Request) -> House:
    """Async for speed: the framework sends anything else to a thread and back, at every request."""
    house: House = request.app.state.house
    return house


TheHouse = Annotated[House, Depends(the_house)]


# What most requests ask for takes the house from the request itself: each step of a chain costs time at every request.
async def caller(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Identity:
    """Who is asking, by a token that was checked."""
    if credentials is None or not credentials.credentials:
        raise NotSignedIn
    house = await the_house(request)
    identity = await identity_by(house, house.verifier.verify(credentials.credentials), request.scope)
    require_scope(identity, declared_by(request.scope))
    require_known_names(request.scope)
    context = context_of(request.scope)
    if house.limiter is not None:
        limit = USER_READS if request.method in SAFE_METHODS else USER_WRITES
        await take(house.limiter, limit, str(identity.user_id), context, house.monitor)
    return identity


async def identity_by(house: House, asked: Awaitable[Identity], scope: Scope) -> Identity:
    """Who comes by this token or ticket; it is counted, and what the request logs says whose it was."""
    try:
        identity = await asked
    except SignInNeeded:
        house.monitor.token_checked("rejected")
        raise
    house.monitor.token_checked("accepted")
    house.verifier.note_use(identity, client_address(scope))
    facts = context_of(scope).facts
    facts["user_id"] = str(identity.user_id)
    if identity.token_id is not None:
        facts["token_id"] = str(identity.token_id)
    return identity


Caller = Annotated[Identity, Depends(caller)]


async def active_caller(request: Request, identity: Caller) -> Identity:
    """For an endpoint that opens no transaction as its caller, where a suspension would not be seen otherwise."""
    house = await the_house(request)
    async with house.acting_as(identity, readonly=True):
        return identity


ActiveCaller = Annotated[Identity, Depends(active_caller)]


async def reading(request: Request, identity: Caller) -> AsyncIterator[Services]:
    house = await the_house(request)
    async with house.acting_as(identity, readonly=True) as services:
        yield services


async def changing(request: Request, identity: Caller) -> AsyncIterator[Services]:
    house = await the_house(request)
    async with house.acting_as(identity) as services:
        yield services


async def administering_now(request: Request, house: TheHouse, identity: Caller) -> AsyncIterator[Administration]:
    """For an administrator alone, whom the database looks up before anything else is looked at."""
    async with administering(
        house.database, house.market.quotas, identity, address=known_address(request.scope)
    ) as administration:
        yield administration


# The scope "function" ends the transaction before the answer leaves: what a caller is told was committed.
Reading = Annotated[Services, Depends(reading, scope="function")]
Changing = Annotated[Services, Depends(changing, scope="function")]
Administering = Annotated[Administration, Depends(administering_now, scope="function")]
