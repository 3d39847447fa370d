"""What an endpoint can ask for in its signature: the caller, and the services that act as them."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from backend.api.context import context_of
from backend.api.limits import SAFE_METHODS, USER_READS, USER_WRITES, take
from backend.bootstrap import House, Services
from backend.domain.accounts import Identity
from backend.domain.errors import NotSignedIn, TokenRejected

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="Access token",
    bearerFormat="JWT",
    description="The access token of a session of Supabase Auth (`/auth/v1`).",
)


async def the_house(request: Request) -> House:
    """Async for speed: the framework sends anything else to a thread and back, at every request."""
    house: House = request.app.state.house
    return house


TheHouse = Annotated[House, Depends(the_house)]


async def caller(
    request: Request, house: TheHouse, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Identity:
    """Who is asking, by a token that was checked."""
    if credentials is None or not credentials.credentials:
        raise NotSignedIn
    try:
        identity = await house.verifier.verify(credentials.credentials)
    except TokenRejected:
        house.monitor.token_checked("rejected")
        raise
    house.monitor.token_checked("accepted")
    context = context_of(request.scope)
    context.facts["user_id"] = str(identity.user_id)
    if house.limiter is not None:
        limit = USER_READS if request.method in SAFE_METHODS else USER_WRITES
        await take(house.limiter, limit, str(identity.user_id), context, house.monitor)
    return identity


Caller = Annotated[Identity, Depends(caller)]


async def active_caller(house: TheHouse, identity: Caller) -> Identity:
    """For an endpoint that opens no transaction as its caller, where a suspension would not be seen otherwise."""
    async with house.acting_as(identity, readonly=True):
        return identity


ActiveCaller = Annotated[Identity, Depends(active_caller)]


async def reading(house: TheHouse, identity: Caller) -> AsyncIterator[Services]:
    async with house.acting_as(identity, readonly=True) as services:
        yield services


async def changing(house: TheHouse, identity: Caller) -> AsyncIterator[Services]:
    async with house.acting_as(identity) as services:
        yield services


# The scope "function" ends the transaction before the answer leaves: what a caller is told was committed.
Reading = Annotated[Services, Depends(reading, scope="function")]
Changing = Annotated[Services, Depends(changing, scope="function")]
